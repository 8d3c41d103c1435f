"""What the loop asks of whoever does the arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from engine.data.samples import Samples
from engine.recipe.schema import Recipe

Losses = npt.NDArray[np.float32]


class Rate(NamedTuple):
    """What the schedule says of one update."""

    lr: float
    momentum: float | None = None
    """None where the schedule leaves momentum alone."""


@dataclass(frozen=True)
class Ran:
    """What some steps gave."""

    losses: Losses
    """(steps,) mean losses of the batches, before each update."""
    denominators: npt.NDArray[np.float64]
    """(steps,) what each mean was divided by: the batch's rows, or the sum of their class weights."""


@dataclass(frozen=True)
class State:
    """Everything that the next step depends on, by name, so that any executor can load another's."""

    tensors: dict[str, npt.NDArray[Any]]
    """`model/<name>` for weights and buffers, `optimizer/<weight>/<what>`, `generator/<device>`."""
    data: dict[str, Any] = field(default_factory=dict)
    """Plain JSON."""


@dataclass(frozen=True)
class Slice:
    """A piece of an evaluation: some rows of a part in eval mode."""

    numerator: float
    """Sum of the loss over the rows."""
    denominator: float
    """What the sum is divided by in the end: rows, or the sum of their class weights."""
    outputs: npt.NDArray[np.float32]
    """(rows, width) of the network."""


class Executor(Protocol):
    """Runs steps. Between two calls the loop may look at and replace its state."""

    @property
    def parameters(self) -> int:
        """Trainable values."""

    def run(self, epoch: int, index: int, rates: Sequence[Rate]) -> Ran:
        """One step for each rate, from batch `index` of the epoch after `epoch` whole ones."""

    def evaluate(self, part: str) -> Iterator[Slice]:
        """Loss and outputs of a part in eval mode, slice by slice; leaves weights and generators untouched."""

    def evaluate_rows(self, x: Samples, y: npt.NDArray[Any] | None, slice_rows: int | None = None) -> Iterator[Slice]:
        """The same for any rows, as raw as `Part.x`; without targets the loss is 0."""

    def score(self, outputs: npt.NDArray[np.float32], y: npt.NDArray[Any]) -> float:
        """Loss of given outputs (N, width) against prepared targets."""

    def finite(self, losses: Losses) -> bool:
        """Whether everything is still finite after a chunk with these losses."""

    def mark(self) -> None:
        """Remember the present state, in memory."""

    def rewind(self) -> None:
        """Go back to the marked state."""

    def blame(self, epoch: int, index: int, rate: Rate) -> dict[str, Any] | None:
        """Do one step under observation: None where everything stays finite, else what broke and where."""

    def state(self) -> State:
        """A copy of the present state."""

    def load(self, state: State, *, weights_only: bool = False) -> None:
        """Take a state over; raises UserError where its weights do not fit."""

    def set(self, recipe: Recipe) -> None:
        """Take over the values that may change while training: weight decay, momentum, dropout, clipping."""

    def make_room(self) -> str:
        """Give up memory that the work can do without, where memory has run out: what was done, in words, or "" where
        there is nothing more to give. No bit of what follows depends on it."""

    def rows(self, epoch: int, index: int) -> npt.NDArray[np.int64]:
        """Rows of the source in a batch."""

    def close(self) -> None:
        """Let go of processes and memory."""
