"""Optimizers put to work."""

from __future__ import annotations

import torch
from torch import nn

from engine.parts.optimizer import Optimizer
from engine.recipe.schema import Recipe
from engine.train.build.model import call

FUSED = ("SGD", "Adam", "AdamW", "Adagrad")
"""Optimizers with a kernel that does the whole update at once."""


def kernel_for(part: Optimizer, device: torch.device | str) -> str:
    """The kernel that is fastest on the device: `fused`, `foreach` or `single`. It is part of the plan."""
    kind = torch.device(device).type
    if part.type_name() in FUSED and (kind == "cpu" or (kind == "cuda" and part.type_name() != "Adagrad")):
        return "fused"
    return "foreach" if kind == "cuda" else "single"


def build_optimizer(
    recipe: Recipe, model: nn.Module, device: torch.device | str, kernel: str | None = None
) -> torch.optim.Optimizer:
    """The recipe's optimizer over all of the model's parameters, which must be on their device already."""
    part = recipe.optimizer
    kernel = kernel or kernel_for(part, device)
    arguments = part.arguments() | kernel_arguments(part, kernel)
    if "betas" in arguments:
        arguments["betas"] = tuple(arguments["betas"])
    optimizer = call(part.torch_path())(model.parameters(), **arguments)
    assert isinstance(optimizer, torch.optim.Optimizer)
    return optimizer


def kernel_arguments(part: Optimizer, kernel: str) -> dict[str, bool]:
    """What tells torch to use a kernel."""
    if part.type_name() not in FUSED:
        return {"foreach": kernel == "foreach"}
    return {"fused": True} if kernel == "fused" else {"foreach": kernel == "foreach", "fused": False}


def set_momentum(optimizer: torch.optim.Optimizer, momentum: float) -> None:
    """Set the momentum of the next update: the first beta where there are betas."""
    for group in optimizer.param_groups:
        if "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])
        elif "momentum" in group:
            group["momentum"] = momentum
