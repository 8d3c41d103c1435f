"""The usual feed: the whole part lies in memory as tensors, and a batch is one gather."""

from __future__ import annotations

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
        self._positions = torch.zeros(0, dtype=torch.int64)

    def batch(self, epoch: int, index: int) -> Batch:
        """Each batch is gathered by itself into fresh memory: a view into a larger gather would be aligned
        differently from one chunk to another."""
        self._turn_to(epoch)
        here = slice(index * self._batch_size, (index + 1) * self._batch_size)
        chosen = self._positions[here]
        x, y = self._x.index_select(0, chosen), self._y.index_select(0, chosen)
        if self._home != self._device:
            x, y = x.to(self._device), y.to(self._device)
        return Batch(x, y, torch.from_numpy(self._order[here]))

    def positions(self, epoch: int, index: int) -> npt.NDArray[np.int64]:
        self._turn_to(epoch)
        return self._order[index * self._batch_size : (index + 1) * self._batch_size]

    @property
    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The whole part, raw, where it lies: x (N, *shape) and y."""
        return self._x, self._y

    def close(self) -> None:
        return None

    def _turn_to(self, epoch: int) -> None:
        if epoch != self._epoch:
            self._order = order(self._seed, epoch, self._length, self._shuffle)
            self._positions = torch.tensor(self._order, device=self._home)
            self._epoch = epoch
