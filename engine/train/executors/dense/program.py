"""All calls of a training step, for batches of one size, ready for a block of steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from engine.train.executors.dense.cover import Node
from engine.train.executors.dense.entry import Entry
from engine.train.executors.dense.kernels import Call, Chain, Dropouts, Passed, Weights
from engine.train.executors.dense.losses import Criterion

BLOCK_BYTES = 1 << 20
MOST = 64


def block_of(rows: int, features: int) -> int:
    """Batches whose rows are held at once: about a megabyte of them, which a processor keeps at hand."""
    return max(1, min(MOST, BLOCK_BYTES // (4 * rows * (features + 1))))


class Program:
    """A block of steps: the rows and targets of its batches, and the calls of each.

    Where a batch's rows, outputs and losses lie depends on its place in the block alone, and that on its index in the
    epoch: how many steps run in one call changes nothing that a kernel could notice.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        weights: Weights,
        dropouts: Dropouts,
        entry: Entry,
        criterion: Criterion,
        rows: int,
        count: int,
    ) -> None:
        self._nodes, self._weights, self._dropouts, self._entry = nodes, weights, dropouts, entry
        self.rows, self.count = rows, count
        self._x = torch.ones(count, rows, nodes[0].inputs + 1)
        """Its last column stays 1: what a bias is multiplied by."""
        self.loss = criterion.slots(count, weights.layout.models, nodes[-1].outputs, rows)
        self.holds: tuple[int, int, int] | None = None
        """(epoch, index of the first batch, batches) of what has been entered."""
        self.refresh()

    def refresh(self) -> None:
        """Build the calls anew: dropout has come or gone."""
        self._chain = Chain(self._nodes, self._weights, self._dropouts, self.rows, training=True)
        self.calls: list[list[Call] | None] = [None] * self.count
        """By place: every call of a step that leads to the gradients, once it has been built."""

    def enter(self, epoch: int, first: int, count: int) -> None:
        """Take the rows and targets of so many batches, from index `first` of the epoch."""
        self._entry.batches(epoch, first, self._x[:count], self.loss.y[:count])
        self.loss.targets(count)
        self.holds = (epoch, first, count)

    def input(self, slot: int) -> torch.Tensor:
        """(rows, features) of a batch that has been entered."""
        return self._x[slot, :, :-1]

    def passes(self, slot: int) -> list[Passed]:
        """Each layer's calls."""
        return self._chain.passes(self._x[slot], self.loss.outputs[slot], self.loss.slope)

    def build(self, slot: int) -> list[Call]:
        """The calls of a step."""
        passed = self.passes(slot)
        calls = [call for each in passed for call in each.forward]
        calls += self.loss.calls(slot)
        calls += [call for each in reversed(passed) for call in each.backward]
        self.calls[slot] = calls
        return calls

    def losses(self) -> npt.NDArray[np.float32]:
        """(count, models)"""
        return self.loss.values()
