"""Initialisation schemes put to work."""

from __future__ import annotations

import importlib

import torch
from torch import nn

from engine.parts.layer import Init


def initialise(module: nn.Module, scheme: Init) -> None:
    """Fill `module.weight` by the scheme and `module.bias` with zeros, in place."""
    path, _, name = (scheme.torch_path() or "").rpartition(".")
    fill = getattr(importlib.import_module(path), name)
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    if isinstance(weight, torch.Tensor):
        fill(weight, **scheme.arguments())
    if isinstance(bias, torch.Tensor):
        nn.init.zeros_(bias)
