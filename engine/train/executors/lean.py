"""Torch's optimizers without torch's compiler.

Building an optimizer, and its first step, import `torch._dynamo` only to tell it to keep out: more than a second at
the start of every run, for a compiler that is never used here. The functions below are the same that torch calls in
the end; where a later torch arranges them otherwise, nothing is skipped and all still works.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import torch


def spare_compiler() -> None:
    """Let the optimizers' own bookkeeping run without importing the compiler first."""
    for function in vars(torch.optim.Optimizer).values():
        wrapped = getattr(function, "__wrapped__", None)
        if isinstance(function, types.FunctionType) and isinstance(wrapped, types.FunctionType):
            # `torch._compile` asks the compiler for a version of the function that it leaves alone, and keeps it here
            wrapped.__dict__.setdefault("__dynamo_disable", wrapped)


def update_of(optimizer: torch.optim.Optimizer) -> Callable[[], Any]:
    """What makes one update: the optimizer's step, less the profiler's and the compiler's wrappers around it."""
    step: Any = type(optimizer).step
    if getattr(optimizer, "defaults", {}).get("differentiable"):
        return optimizer.step
    while isinstance(getattr(step, "__wrapped__", None), types.FunctionType):
        step = step.__wrapped__

    def update() -> None:
        with torch.no_grad():
            step(optimizer)

    return update
