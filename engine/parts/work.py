"""How much arithmetic a step takes, and so how many threads it is worth and how images lie in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from engine.parts.stack import Row, trace

if TYPE_CHECKING:
    from engine.data.facts import Facts
    from engine.parts.layer import Layer
    from engine.recipe.schema import Recipe

SMALL_STEP = 3e8
"""Multiply-adds in a step below which threads cost more than they bring."""
MOST_THREADS = 8


def step_work(recipe: Recipe, facts: Facts) -> float:
    """Multiply-adds of one step, roughly: forward once, backward twice."""
    rows = trace(recipe.model.layers, facts.shape, facts.outputs)
    return 3.0 * recipe.data.batch_size * work(rows)


def work(rows: Iterable[Row]) -> float:
    """Multiply-adds of one sample forward: each weight of a layer is used once for every place of its output."""
    total = 0.0
    for row in rows:
        places = 1
        for size in (row.output or ())[1:]:
            places *= size
        held = sum(part.parameters for part in row.rows)
        total += work(row.rows) + (row.parameters - held) * places
    return total


def threads_for(recipe: Recipe, facts: Facts, cores: int) -> tuple[int, str]:
    """Threads of the arithmetic on a CPU with so many cores, and why in words."""
    if recipe.train.threads != "auto":
        return recipe.train.threads, f"{recipe.train.threads} threads as the recipe says"
    amount = step_work(recipe, facts)
    if amount < SMALL_STEP or cores == 1:
        return 1, f"one thread, since a step is small ({amount:.1e} multiply-adds)"
    threads = min(cores, MOST_THREADS)
    return threads, f"{threads} threads for {amount:.1e} multiply-adds a step"


def format_for(recipe: Recipe, facts: Facts) -> str:
    """The memory format that convolutions run fastest in: channels last for images, half as fast again on a CPU, whose
    kernels work so inside and need not turn every activation around."""
    image = len(facts.shape) == 3 and any(_convolves(recipe.model.layers))
    return "channels_last" if image else "contiguous"


def _convolves(layers: Iterable[Layer]) -> Iterator[bool]:
    for layer in layers:
        yield layer.type_name() == "Conv2d"
        if isinstance(held := getattr(layer, "layers", None), list):
            yield from _convolves(held)
