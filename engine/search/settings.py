"""How a search goes about it: sampler, pruner, seed and size, as its recipe says or by default."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.recipe.schema import Recipe, Search
from engine.runs.live import monitor
from engine.search.space import Space, read_space

TOGETHER = 10
"""Trials that are asked for at a time on a CPU: enough to fill a stack, few enough to learn from the ones before."""
TOGETHER_ON_GPU = 50
"""On a GPU a stack of so many costs little more than one model."""


@dataclass(frozen=True)
class Settings:
    """A search, resolved."""

    space: Space
    trials: int
    """In all: what the recipe says, or the whole grid where that is less."""
    minutes: float | None
    sampler: str
    pruner: str
    seed: int
    together: int
    """Trials that are asked for at a time."""
    monitor: str
    """The series that judges trials."""


def settings_of(recipe: Recipe, *, stacked: bool = True, gpu: bool = False) -> Settings:
    """The search that a recipe asks for; a recipe without `search` asks for nothing to vary.

    `stacked` says whether its trials can train together; where they cannot, each is picked once the one before is over.
    """
    search = recipe.search or Search()
    space = read_space(search.space)
    usual = 1 if not stacked else TOGETHER_ON_GPU if gpu else TOGETHER
    return Settings(
        space=space,
        trials=how_many(search, space),
        minutes=search.minutes,
        sampler=search.sampler,
        pruner=search.pruner,
        seed=recipe.seed if search.seed is None else search.seed,
        together=usual if search.together == "auto" else search.together,
        monitor=monitor(recipe),
    )


def how_many(search: Search, space: Space) -> int:
    """Trials in all: a grid has only so many points."""
    if search.sampler != "grid":
        return search.trials
    return min(search.trials, math.prod(dimension.size or 1 for dimension in space))
