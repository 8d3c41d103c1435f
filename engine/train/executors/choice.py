"""Which executor runs a recipe: the first that covers it, or the one that the recipe names.

An executor refuses what it does not cover, in words, and never approximates it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import torch

from engine.data.facts import Facts
from engine.data.prepared import Prepared
from engine.errors import UserError
from engine.recipe.schema import Recipe
from engine.train.executors.executor import Executor
from engine.train.feed.feed import Feed

MODULES: dict[str, str] = {
    "graph": "engine.train.executors.graph.entry",
    "dense": "engine.train.executors.dense.registered",
    "autograd": "engine.train.executors.autograd",
}
"""Modules by executor, the preferred one first. Each has `refuses(recipe, facts, device, precision) -> str | None` (why
the executor does not cover a resolved recipe, in words that follow "since") and `build(recipe, prepared, feed, *,
device, precision, kernel, memory_format) -> Executor`. A module is imported when it is asked. It may have
`self_check(executor, plain, recipe, steps_per_epoch) -> str | None`: what is wrong with an executor just built on this
machine, held against the plain one that `plain` builds."""
KINDS = {"graph": "cuda", "dense": "cpu"}
"""The kind of device that an executor is for alone; on others `auto` passes it over without a word."""


class Uncovered(Exception):
    """What an executor raises while it is built where it finds that it cannot do the work, in words that follow
    "since"."""


@dataclass(frozen=True)
class Picked:
    """An executor and why it was taken."""

    name: str
    reason: str


def pick(recipe: Recipe, facts: Facts, device: torch.device, precision: str) -> Picked:
    """The executor for a resolved recipe. Raises UserError where the recipe names one that does not cover it."""
    wanted = recipe.train.executor
    if wanted != "auto":
        if wanted not in MODULES:
            raise UserError(f"there is no {wanted} executor", "use train.executor: auto, which picks one")
        if why := refusal(wanted, recipe, facts, device, precision):
            raise UserError(
                f"train.executor is {wanted}, which does not cover this recipe, since {why}",
                "use train.executor: auto, which picks one that does",
            )
        return Picked(wanted, f"{wanted} as the recipe says")
    reasons: list[str] = []
    for name in MODULES:
        if KINDS.get(name, device.type) != device.type:
            continue
        why = refusal(name, recipe, facts, device, precision)
        if why is None:
            return Picked(name, f"{name}, since {'; '.join(reasons)}" if reasons else f"{name} covers every layer")
        reasons.append(f"{name} does not cover it ({why})")
    raise AssertionError("autograd runs every recipe")


def refusal(name: str, recipe: Recipe, facts: Facts, device: torch.device, precision: str) -> str | None:
    """Why an executor does not cover a resolved recipe, or None where it does."""
    refuses: Callable[..., str | None] = import_module(MODULES[name]).refuses
    return refuses(recipe, facts, device, precision)


def build(
    name: str,
    recipe: Recipe,
    prepared: Prepared,
    feed: Feed,
    *,
    device: torch.device,
    precision: str,
    kernel: str,
    memory_format: str,
) -> Executor:
    """The executor of that name at its initial weights, which come from `recipe.seed`."""
    builder: Callable[..., Executor] = import_module(MODULES[name]).build
    return builder(
        recipe, prepared, feed, device=device, precision=precision, kernel=kernel, memory_format=memory_format
    )


def self_check(
    name: str, executor: Executor, plain: Callable[[], Executor], recipe: Recipe, steps_per_epoch: int
) -> str | None:
    """Why an executor that was just built is not to be trusted on this machine, or None; then it is as it was built."""
    check: Callable[..., str | None] | None = getattr(import_module(MODULES[name]), "self_check", None)
    return None if check is None else check(executor, plain, recipe, steps_per_epoch)
