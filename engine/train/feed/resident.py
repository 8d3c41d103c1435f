"""The usual feed: the whole part lies in memory as tensors, and one gather serves a block of batches."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, lcm

import numpy as np
import numpy.typing as npt
import torch

from engine.data.prepared import Part
from engine.data.samples import Mapped, Samples, steps
from engine.train.feed.feed import Batch
from engine.train.feed.order import order


def resident(array: Samples, device: torch.device) -> torch.Tensor:
    """A copy of `array` on the device, aligned as torch aligns its own tensors.

    Kernels may round differently on memory that is aligned differently, so nothing is ever computed on memory of
    another library.
    """
    if isinstance(array, Mapped):
        whole = torch.empty(array.shape, dtype=torch.from_numpy(array[:0]).dtype, device=device)
        for step in steps(array):
            whole[step] = torch.from_numpy(array[step])
        return whole
    return torch.tensor(array, device=device)


BLOCK_BYTES = 1 << 20
"""What one gather brings: it has to stay in a processor's cache until it is used."""
MOST = 64
ALIGNED = 64
"""Bytes to which torch aligns a tensor of its own on a CPU."""


class ResidentFeed:
    """Batches gathered from tensors on `home`, which is the device itself where the data fits."""

    kind = "resident"

    def __init__(
        self, part: Part, *, seed: int, batch_size: int, shuffle: bool, device: torch.device, home: torch.device
    ) -> None:
        self.reason = ""
        self._length = len(part.rows)
        self._x = resident(part.x, home)
        self._y = resident(part.y, home)
        self._seed, self._batch_size, self._shuffle = seed, batch_size, shuffle
        self._device, self._home = device, home
        self._epoch = -1
        self._order: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._positions = self._host_positions = torch.zeros(0, dtype=torch.int64)
        self._whole = self._length // batch_size
        """Batches of an epoch that are full."""
        x_row, y_row = (tensor[:1].nbytes or 1 for tensor in (self._x, self._y))
        self._count = max(1, min(MOST, BLOCK_BYTES // ((x_row + y_row) * batch_size)))
        """Batches in a block."""
        rows = lcm(*(ALIGNED // gcd(row, ALIGNED) for row in (x_row, y_row)))
        self._spare = -batch_size % rows
        """Rows between two batches of a block, so that each begins where memory of its own could."""
        self._number = -1
        self._block: list[Batch] = []

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

    def _rows(self, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = self._x.index_select(0, chosen), self._y.index_select(0, chosen)
        if self._home != self._device:
            x, y = x.to(self._device), y.to(self._device)
        return x, y

    def positions(self, epoch: int, index: int) -> npt.NDArray[np.int64]:
        self._turn_to(epoch)
        return self._order[index * self._batch_size : (index + 1) * self._batch_size]

    def chosen(self, epoch: int, first: int, count: int) -> torch.Tensor:
        """Positions of the rows of so many batches, one after another, where the part lies."""
        self._turn_to(epoch)
        return self._positions[first * self._batch_size : (first + count) * self._batch_size]

    @property
    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The whole part, raw, where it lies: x (N, *shape) and y."""
        return self._x, self._y

    def close(self) -> None:
        return None

    def _turn_to(self, epoch: int) -> None:
        if epoch != self._epoch:
            self._order = order(self._seed, epoch, self._length, self._shuffle)
            self._host_positions = torch.from_numpy(self._order)
            self._positions = torch.tensor(self._order, device=self._home)
            self._epoch, self._number = epoch, -1
