"""What a captured step covers, in words where it does not.

A capture records kernels and their addresses once. Whatever waits for the device, is drawn on the host in every step,
or moves a number that kernels take by value, would go wrong silently when it is replayed; so only what is known to be
free of that is taken, by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from engine.data.facts import Facts
from engine.parts.layer import Layer
from engine.recipe.schema import Recipe

OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSprop")
"""Their kernels read the learning rate, and what they count, from the device."""
LAYERS = (
    "ReLU", "LeakyReLU", "GELU", "SiLU", "Tanh", "Sigmoid", "Softmax",
    "Linear", "Conv1d", "Conv2d", "Flatten", "Dropout", "Dropout2d",
    "BatchNorm1d", "BatchNorm2d", "LayerNorm", "MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "Residual",
)  # fmt: skip
"""Layers whose forward and backward pass never wait for the device."""
LOSSES = ("CrossEntropyLoss", "BCEWithLogitsLoss", "MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss")
AUGMENTATIONS = (
    "RandomRotation", "RandomHorizontalFlip", "RandomVerticalFlip", "RandomResizedCrop", "RandomCrop", "ColorJitter",
    "RandomErasing", "GaussianNoise", "Normalize",
)  # fmt: skip
"""Augmentations that change a sample alike in whatever batch it stands, so that a block of batches can be changed at
once."""


def refuses(recipe: Recipe, facts: Facts, device: torch.device, precision: str) -> str | None:
    """Why the steps of a resolved recipe cannot be captured, or None."""
    if device.type != "cuda" or torch.version.hip is not None:
        return f"it captures steps on a CUDA GPU, and the device is {device}"
    return uncovered(recipe)


def uncovered(recipe: Recipe) -> str | None:
    """The same, whatever the device."""
    if recipe.data.num_workers:
        return "data.num_workers makes batches on the host"
    optimizer = recipe.optimizer.type_name()
    if optimizer not in OPTIMIZERS:
        return f"the update of {optimizer} is worked out on the host"
    if getattr(recipe.scheduler, "cycle_momentum", False):
        return "the schedule moves momentum, which a captured update keeps"
    for layer in every(recipe.model.layers):
        if layer.type_name() not in LAYERS:
            return f"{layer.type_name()} is not known to be free of waiting for the device"
    if recipe.loss is not None and recipe.loss.type_name() not in LOSSES:
        return f"{recipe.loss.type_name()} is not known to be free of waiting for the device"
    for augmentation in recipe.data.augment:
        if augmentation.type_name() not in AUGMENTATIONS:
            return f"{augmentation.type_name()} depends on the batch that a sample stands in"
    return None


def every(layers: Sequence[Layer]) -> Iterator[Layer]:
    """Layers, and the layers inside them."""
    for layer in layers:
        yield layer
        for name in type(layer).model_fields:
            held = getattr(layer, name)
            if isinstance(held, list) and held and all(isinstance(item, Layer) for item in held):
                yield from every(held)
