"""Augmented batches: a block of them at once, then copied batch by batch to where the captured steps read.

What happens to a sample depends on the sample alone, so a whole block is changed by one call, with as many launches as
one batch takes. Blocks lie at fixed places of an epoch: how many steps run in one call changes nothing about them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from engine.train.build.augmentation import Augmenter
from engine.train.executors.graph.buffers import WINDOW, Buffers

MOST_BYTES = 256 << 20
"""How large a block may be."""
ALIGNED = 128
"""Batches begin at multiples of so many numbers, so that every slot's lies alike in memory."""


class Blocks:
    """The inputs of the windows of `buffers`, changed by `augment`."""

    def __init__(
        self, augment: Augmenter, buffers: Buffers, to_unit: Callable[[torch.Tensor], torch.Tensor], numbers: int
    ) -> None:
        """`numbers` is how many a sample holds."""
        self._augment, self._buffers, self._to_unit = augment, buffers, to_unit
        self.length = max(1, min(WINDOW, MOST_BYTES // (4 * numbers * buffers.batch_size)))
        """Batches in a block."""
        self._held = (-1, -1)
        self._block = torch.zeros(0)
        self._window = torch.zeros(0)

    def left(self, index: int) -> int:
        """How many batches from `index` on are of the same block."""
        return self.length - index % self.length

    def fill(self, index: int, count: int) -> None:
        """Bring `count` batches from `index` on, all of one block, to where the steps read."""
        buffers = self._buffers
        number = index // self.length
        if (buffers.epoch, number) != self._held:
            self._make(number)
            self._held = (buffers.epoch, number)
        rows, start = buffers.batch_size, (index - number * self.length) * buffers.batch_size
        for slot in range(count):
            batch = self._block[start + slot * rows : start + (slot + 1) * rows]
            self._window[slot, : batch.numel()].copy_(batch.reshape(-1))

    def inputs(self, slot: int, size: int) -> torch.Tensor:
        """(size, *shape): the batch of a slot."""
        shape = self._block.shape[1:]
        return self._window[slot, : size * shape.numel()].view(size, *shape)

    def _make(self, number: int) -> None:
        buffers = self._buffers
        rows = self.length * buffers.batch_size
        here = slice(number * rows, (number + 1) * rows)
        raw = buffers.x.index_select(0, buffers.order[here])
        changed, _ = self._augment(raw, buffers.order_on_host[here], buffers.epoch, 0, self._to_unit)
        self._block = changed.to(torch.float32).contiguous()
        if not len(self._window):
            width = -(-buffers.batch_size * self._block[0].numel() // ALIGNED) * ALIGNED
            self._window = torch.zeros(self.length, width, dtype=torch.float32, device=self._block.device)
