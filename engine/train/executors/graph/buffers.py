"""What a step reads and writes, at addresses that stay the same for the executor's life.

A replay takes up to `WINDOW` steps. Before it, the positions of its batches and its learning rates are copied into
fixed windows; after it, its losses are copied out. All of that is on the device and in order with the replay, so
nothing waits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from engine.data.prepared import Part
from engine.train.feed.order import order

WINDOW = 32
"""Most steps in one replay."""


class Buffers:
    """Fixed tensors. `slot` counts the steps of one replay, from 0."""

    def __init__(
        self,
        part: Part,
        x: torch.Tensor,
        y: torch.Tensor,
        *,
        seed: int,
        batch_size: int,
        shuffle: bool,
        device: torch.device,
    ) -> None:
        """`x` (N, *shape) and `y` are the training part as tensors on the device."""
        self.x, self.y = x, y
        self._seed, self._shuffle, self._device = seed, shuffle, device
        self.rows = len(part.rows)
        self.batch_size = min(batch_size, self.rows)
        """Rows of a whole batch: no more than there are, for the windows below hold that many a step."""
        self.epoch = -1
        self.order = torch.zeros(self.rows, dtype=torch.int64, device=device)
        """Positions in the training part in the order of the epoch."""
        self.order_on_host = torch.zeros(0, dtype=torch.int64)
        self._positions = torch.zeros(WINDOW * self.batch_size, dtype=torch.int64, device=device)
        self._rates = torch.zeros(WINDOW, dtype=torch.float32, device=device)
        self._losses = torch.zeros(WINDOW, dtype=torch.float32, device=device)
        self._table = torch.zeros(0, dtype=torch.float32, device=device)
        """Learning rates of the chunk."""
        self._kept = torch.zeros(0, dtype=torch.float32, device=device)
        """Losses of the chunk."""

    # What a step uses

    def chosen(self, slot: int, size: int) -> torch.Tensor:
        """(size,) int64: positions of the batch of a slot."""
        start = slot * self.batch_size
        return self._positions[start : start + size]

    def rate(self, slot: int) -> torch.Tensor:
        """() float32: learning rate of a slot."""
        return self._rates[slot]

    def put_loss(self, slot: int, loss: torch.Tensor) -> None:
        """Keep a step's loss."""
        self._losses[slot].copy_(loss)

    # What happens around the steps

    def turn_to(self, epoch: int) -> None:
        """Lay out the order of an epoch."""
        if epoch == self.epoch:
            return
        self.order_on_host = torch.from_numpy(order(self._seed, epoch, self.rows, self._shuffle))
        self.order.copy_(self.order_on_host)
        self.epoch = epoch

    def size(self, index: int) -> int:
        """Rows of batch `index`."""
        return min(self.batch_size, self.rows - index * self.batch_size)

    def whole_batches(self, index: int) -> int:
        """How many batches from `index` on are of the full size."""
        return max(self.rows // self.batch_size - index, 0)

    def begin(self, rates: Sequence[float]) -> None:
        """Take the learning rates of a chunk."""
        if len(rates) > len(self._table):
            self._table = torch.zeros(len(rates), dtype=torch.float32, device=self._device)
            self._kept = torch.zeros_like(self._table)
        self._table[: len(rates)].copy_(torch.tensor(rates, dtype=torch.float32))

    def fill(self, index: int, done: int, count: int) -> None:
        """Bring `count` batches from `index` on, and the rates from number `done` of the chunk on, into the windows."""
        start = index * self.batch_size
        batches = self.order[start : start + count * self.batch_size]
        self._positions[: len(batches)].copy_(batches)
        self._rates[:count].copy_(self._table[done : done + count])

    def keep(self, done: int, count: int) -> None:
        """Take the losses of a replay into those of the chunk, from number `done` on."""
        self._kept[done : done + count].copy_(self._losses[:count])

    def losses(self, count: int) -> npt.NDArray[np.float32]:
        """The chunk's first `count` losses on the host; waits for the device."""
        return self._kept[:count].to("cpu", copy=True).numpy()
