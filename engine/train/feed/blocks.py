"""Batches in blocks: one gather serves several, and each is a view that lies as memory of its own would."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import gcd, lcm

import numpy as np
import numpy.typing as npt
import torch

from engine.train.feed.feed import Batch
from engine.train.feed.order import order

BLOCK_BYTES = 1 << 20
"""What one gather brings: it has to stay in a processor's cache until it is used."""
MOST = 64
ALIGNED = 64
"""Bytes to which torch aligns a tensor of its own on a CPU."""


class BlockFeed(ABC):
    """A feed that gathers blocks of batches by `_rows`."""

    def __init__(
        self,
        rows: int,
        row_bytes: tuple[int, int],
        *,
        seed: int,
        batch_size: int,
        shuffle: bool,
        home: torch.device,
        reason: str = "",
    ) -> None:
        """`rows` in the part, each of `row_bytes` (x, y); `home` is where the positions to gather are wanted."""
        self.reason = reason
        self._length, self._home = rows, home
        self._seed, self._batch_size, self._shuffle = seed, batch_size, shuffle
        self._epoch = -1
        self._order: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._positions = self._host_positions = torch.zeros(0, dtype=torch.int64)
        self._whole = self._length // batch_size
        """Batches of an epoch that are full."""
        row_bytes = (row_bytes[0] or 1, row_bytes[1] or 1)
        self._count = max(1, min(MOST, BLOCK_BYTES // (sum(row_bytes) * batch_size)))
        """Batches in a block."""
        steps = lcm(*(ALIGNED // gcd(row, ALIGNED) for row in row_bytes))
        self._spare = -batch_size % steps
        """Rows between two batches of a block, so that each begins where memory of its own could."""
        self._number = -1
        self._block: list[Batch] = []

    @abstractmethod
    def _rows(self, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """x (B, *shape) and y of the rows at these positions, in memory of their own on the device."""

    def batch(self, epoch: int, index: int) -> Batch:
        self._turn_to(epoch)
        if index >= self._whole:
            return self._last(index)
        number, place = divmod(index, self._count)
        if number != self._number:
            self._gather(number)
        return self._block[place]

    def batches(self, epoch: int, first: int, count: int) -> Sequence[Batch]:
        self._turn_to(epoch)
        found: list[Batch] = []
        while len(found) < count:
            index = first + len(found)
            if index >= self._whole:
                found.append(self._last(index))
                continue
            number, place = divmod(index, self._count)
            if number != self._number:
                self._gather(number)
            found += self._block[place : place + count - len(found)]
        return found

    def _gather(self, number: int) -> None:
        """Bring a block. Its batches are aligned as those are that are gathered by themselves, since kernels may round
        differently where memory is aligned differently."""
        first, size = number * self._count, self._batch_size
        count = min(self._count, self._whole - first)
        here = slice(first * size, (first + count) * size)
        chosen = self._positions[here].view(count, size)
        if self._spare:
            chosen = torch.cat((chosen, chosen.new_zeros(count, self._spare)), 1)
        x, y = self._rows(chosen.view(-1))
        x, y = (tensor.view(count, -1, *tensor.shape[1:])[:, :size] for tensor in (x, y))
        positions = self._host_positions[here].view(count, size)
        self._block = [Batch(*each) for each in zip(x.unbind(), y.unbind(), positions.unbind(), strict=True)]
        self._number = number

    def _last(self, index: int) -> Batch:
        """The batch that is not full, gathered by itself."""
        here = slice(index * self._batch_size, (index + 1) * self._batch_size)
        return Batch(*self._rows(self._positions[here]), self._host_positions[here])

    def positions(self, epoch: int, index: int) -> npt.NDArray[np.int64]:
        self._turn_to(epoch)
        return self._order[index * self._batch_size : (index + 1) * self._batch_size]

    def chosen(self, epoch: int, first: int, count: int) -> torch.Tensor:
        """Positions of the rows of so many batches, one after another, where the part lies."""
        self._turn_to(epoch)
        return self._positions[first * self._batch_size : (first + count) * self._batch_size]

    def close(self) -> None:
        return None

    def _turn_to(self, epoch: int) -> None:
        if epoch != self._epoch:
            self._order = order(self._seed, epoch, self._length, self._shuffle)
            self._host_positions = torch.from_numpy(self._order)
            self._positions = torch.tensor(self._order, device=self._home)
            self._epoch, self._number = epoch, -1
