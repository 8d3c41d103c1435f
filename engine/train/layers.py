"""The layers of a built network: watching them, and changing what may change while training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from engine.parts.layer import Layer
from engine.runs import live


@dataclass
class Seen:
    """What a watched forward pass showed."""

    first: str | None = None
    """Name of the first layer whose output was not finite."""


@contextmanager
def watch(model: nn.Module) -> Iterator[Seen]:
    """Look at every layer's output during a forward pass."""
    seen = Seen()

    def hook(name: str) -> Any:
        def look(module: nn.Module, inputs: Any, output: Any) -> None:
            if seen.first is None and torch.is_tensor(output) and not torch.isfinite(output).all():
                seen.first = name

        return look

    leaves = [(name, module) for name, module in model.named_modules() if not list(module.children())]
    handles = [module.register_forward_hook(hook(name)) for name, module in leaves]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def of_weight(name: str) -> str:
    """The layer that a weight belongs to: `0.weight` is of layer `0`."""
    return name.rpartition(".")[0]


def set_live(model: nn.Module, layers: Sequence[Layer]) -> None:
    """Hand the settings that may change while training (dropout's p) on to the built layers, by name or index."""
    children = dict(model.named_children())
    for index, layer in enumerate(layers):
        module = children[layer.name or str(index)]
        for name in live.fields(layer):
            setattr(module, name, getattr(layer, name))
        for name in type(layer).model_fields:
            held = getattr(layer, name)
            if isinstance(held, list) and held and all(isinstance(item, Layer) for item in held):
                set_live(getattr(module, name), held)
