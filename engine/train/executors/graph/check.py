"""A look before the leap: some steps captured against the same steps of the plain executor.

Whether a capture does the same work depends on driver, torch and GPU together, so it is tried where it is to be used:
a few dozen steps at different learning rates, then the short last batch, from the same weights and the same draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.recipe.schema import Recipe
from engine.train.executors.executor import Executor, Losses, Rate, State
from engine.train.executors.graph.buffers import WINDOW
from engine.train.executors.graph.executor import GraphExecutor

STEPS = WINDOW + 8 + 3
"""Enough for every length of replay, after the first step, which is never captured."""
CLOSE = 1e-3
"""Largest relative difference of a loss."""
STRAY = 0.05
"""Largest difference of all weights together, as a share of the way that they have gone."""


def self_check(
    executor: GraphExecutor, plain: Callable[[], Executor], recipe: Recipe, steps_per_epoch: int
) -> str | None:
    """What is wrong with an executor's captured steps on this machine, or None: then it is left as it was.

    `plain` builds the executor that it is held against, at the same initial weights.
    """
    before = executor.state()
    try:
        why = _difference(executor, plain, recipe, steps_per_epoch, before)
        if why is None:
            executor.load(before)
    except Exception as error:
        words = str(error).splitlines()[0] if str(error) else ""
        return f"trying it out ended in {type(error).__name__}: {words}"
    return why


def _difference(
    executor: GraphExecutor, plain: Callable[[], Executor], recipe: Recipe, steps_per_epoch: int, before: State
) -> str | None:
    pieces = _pieces(steps_per_epoch, recipe.optimizer.lr)
    losses = _run(executor, pieces)
    if executor.trouble:
        return f"the capture failed: {executor.trouble}"
    after = executor.state()
    other = plain()
    expected = _run(other, pieces)
    wanted = other.state()
    if not np.isfinite(expected).all():
        return None  # it is for the run itself to say so
    if not np.allclose(losses, expected, rtol=CLOSE, atol=1e-5):
        worst = int(np.abs(losses - expected).argmax())
        return f"step {worst + 1} of the trial gave {losses[worst]:.6g} in place of {expected[worst]:.6g}"
    strayed = _strayed(before, after, wanted)
    if strayed > STRAY:
        return f"weights strayed by {strayed:.0%} of their way in the trial"
    for name, state in wanted.tensors.items():
        if name.startswith("generator/") and not np.array_equal(state, after.tensors[name]):
            return "the random generator stood elsewhere after the trial"
    return None


def _pieces(steps_per_epoch: int, lr: float) -> list[tuple[int, list[Rate]]]:
    """Where to begin and with which rates: whole batches, then the last one of the epoch."""
    count = min(STEPS, steps_per_epoch)
    rates = [Rate(lr * (0.5 + (number % 7) / 8)) for number in range(count)]
    return [(0, rates[:1]), (0, rates), (steps_per_epoch - 1, rates[:1]), (steps_per_epoch - 1, rates[:1])]


def _run(executor: Executor, pieces: Sequence[tuple[int, list[Rate]]]) -> Losses:
    return np.concatenate([executor.run(0, index, rates).losses for index, rates in pieces])


def _strayed(before: State, after: State, wanted: State) -> float:
    way = apart = 0.0
    for name, start in before.tensors.items():
        if name.startswith("model/") and start.dtype.kind == "f":
            way += float(((wanted.tensors[name] - start).astype(np.float64) ** 2).sum())
            apart += float(((wanted.tensors[name] - after.tensors[name]).astype(np.float64) ** 2).sum())
    return (apart / way) ** 0.5 if way else float(apart > 0)
