"""From layers to a torch model."""

from __future__ import annotations

import importlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from engine.data.facts import Facts
from engine.parts.layer import Init, Layer, WeightLayer
from engine.parts.layers.residual import Residual
from engine.parts.part import Shape
from engine.parts.stack import bind
from engine.recipe.schema import Recipe
from engine.train.build.initialisation import initialise
from engine.train.build.pooling import SteadyAdaptiveAvgPool2d
from engine.train.build.residual import ResidualBlock


def build_model(recipe: Recipe, facts: Facts) -> nn.Sequential:
    """The network on the CPU, its weights drawn from torch's default generator: call it under `manual_seed(seed)`.

    Children bear the layer's name, else its index, so parameters are called `0.weight` or `head.bias`. Takes samples of
    `facts.shape`. Raises ShapeError where a layer cannot take what reaches it.
    """
    layers = [bind(layer, facts.outputs) for layer in recipe.model.layers]
    return build_layers(layers, facts.shape, recipe.model.init)


def build_layers(layers: Sequence[Layer], shape: Shape, init: Init | None = None) -> nn.Sequential:
    """Layers in a row, for samples of `shape`."""
    children: OrderedDict[str, nn.Module] = OrderedDict()
    for index, layer in enumerate(layers):
        after = layer.output(shape)
        children[child_name(layer, index)] = build_layer(layer, shape, init)
        shape = after
    return nn.Sequential(children)


def child_name(layer: Layer, index: int) -> str:
    """What the layer is called among the network's children. Words that torch keeps for itself get an underscore."""
    if layer.name is None:
        return str(index)
    return f"{layer.name}_" if hasattr(nn.Sequential(), layer.name) else layer.name


def build_layer(layer: Layer, shape: Shape, init: Init | None = None) -> nn.Module:
    """One layer, initialised by its own scheme, else by `init`, else as torch does."""
    builder = BUILDERS.get(layer.type_name())
    if builder is not None:
        return builder(layer, shape, init)
    module = call(layer.torch_path())(**layer.torch_arguments(shape))
    assert isinstance(module, nn.Module)
    scheme = layer.init or init if isinstance(layer, WeightLayer) else None
    if scheme is not None:
        initialise(module, scheme)
    return module


def call(path: str | None) -> Callable[..., Any]:
    """What a dotted name such as `torch.nn.Linear` stands for."""
    assert path is not None, "a part without a torch call has a builder"
    module, _, name = path.rpartition(".")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def _residual(layer: Layer, shape: Shape, init: Init | None) -> nn.Module:
    assert isinstance(layer, Residual)
    inner = build_layers(layer.layers, shape, init)
    shortcut: nn.Module = nn.Identity()
    if layer.shortcut == "projection":
        shortcut = _projection(shape, layer.inner(shape), layer.stride(shape, layer.inner(shape)))
        if init is not None:
            initialise(shortcut, init)
    return ResidualBlock(inner, shortcut)


def _projection(shape: Shape, result: Shape, stride: tuple[int, ...]) -> nn.Module:
    if not stride:
        return nn.Linear(shape[0], result[0], bias=False)
    if len(stride) == 1:
        return nn.Conv1d(shape[0], result[0], 1, stride=stride[0], bias=False)
    return nn.Conv2d(shape[0], result[0], 1, stride=(stride[0], stride[1]), bias=False)


def _adaptive(layer: Layer, shape: Shape, init: Init | None) -> nn.Module:
    return SteadyAdaptiveAvgPool2d(**layer.torch_arguments(shape))


BUILDERS: dict[str, Callable[[Layer, Shape, Init | None], nn.Module]] = {
    "Residual": _residual,
    "AdaptiveAvgPool2d": _adaptive,
}
"""Builders of the layers that no single torch call makes."""


def count_parameters(model: nn.Module) -> int:
    """Number of trainable values."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
