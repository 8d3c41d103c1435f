"""The dense executor: chains of Linear, activations and Dropout on the CPU, many times quicker than autograd.

Every step is a fixed list of calls on memory that is made once; the backward pass is written by hand. It is a stack of
one model (`DenseStack`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.data.prepared import Prepared
from engine.data.samples import Samples
from engine.recipe.schema import Recipe
from engine.train import layers
from engine.train.executors.dense.stack import DenseStack
from engine.train.executors.executor import Losses, Ran, Rate, Slice, State
from engine.train.feed.feed import Feed


class DenseExecutor:
    """A stack of one, as the loop wants it."""

    def __init__(self, recipe: Recipe, prepared: Prepared, feed: Feed, **choice: Any) -> None:
        self._stack = DenseStack([recipe], prepared, feed, own_generator=False, **choice)
        self._feed, self._source_rows = feed, prepared.train.rows

    @property
    def parameters(self) -> int:
        return self._stack.parameters

    def run(self, epoch: int, index: int, rates: Sequence[Rate]) -> Ran:
        ran = self._stack.run(epoch, index, [(rate,) for rate in rates])
        return Ran(ran.losses[:, 0], ran.denominators)

    def evaluate(self, part: str) -> Iterator[Slice]:
        for (piece,) in self._stack.evaluate(part):
            yield piece

    def evaluate_rows(self, x: Samples, y: npt.NDArray[Any] | None, slice_rows: int | None = None) -> Iterator[Slice]:
        for (piece,) in self._stack.evaluate_rows(x, y, slice_rows):
            yield piece

    def score(self, outputs: npt.NDArray[np.float32], y: npt.NDArray[Any]) -> float:
        return self._stack.score(outputs, y)

    def finite(self, losses: Losses) -> bool:
        return bool(self._stack.finite(losses.reshape(-1, 1))[0])

    def mark(self) -> None:
        self._stack.mark()

    def rewind(self) -> None:
        self._stack.rewind()

    def blame(self, epoch: int, index: int, rate: Rate) -> dict[str, Any] | None:
        with torch.inference_mode():
            return self._blame(epoch, index, rate)

    def _blame(self, epoch: int, index: int, rate: Rate) -> dict[str, Any] | None:
        x, passed, program, slot = self._stack.passes(epoch, index)
        if not torch.isfinite(x).all():
            return {"what": "input", "layer": None}
        first: str | None = None
        for each in passed:
            for call in each.forward:
                call()
            if first is None and not torch.isfinite(each.output).all():
                first = each.name
        backward = program.loss.calls(slot)
        for call in backward:
            call()
        loss = float(program.losses()[slot, 0])
        if not np.isfinite(loss):
            return {"what": "loss", "layer": first, "loss": loss}
        for each in reversed(passed):
            for call in each.backward:
                call()
        for name, gradient in reversed(self._stack.gradients(0).items()):
            if not torch.isfinite(gradient).all():
                return {"what": "gradient", "layer": layers.of_weight(name), "loss": loss}
        self._stack.finish(rate)
        for name, weight in self._stack.named(0).items():
            if not torch.isfinite(weight).all():
                return {"what": "weight", "layer": layers.of_weight(name), "loss": loss}
        return None

    def state(self) -> State:
        return self._stack.state(0)

    def load(self, state: State, *, weights_only: bool = False) -> None:
        self._stack.load(0, state, weights_only=weights_only)

    def set(self, recipe: Recipe) -> None:
        self._stack.set([recipe])

    def make_room(self) -> str:
        return ""  # what it covers is small beside the machine's memory

    def rows(self, epoch: int, index: int) -> npt.NDArray[np.int64]:
        return self._source_rows[self._feed.positions(epoch, index)]

    def close(self) -> None:
        self._stack.close()
