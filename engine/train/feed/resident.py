"""The usual feed: the whole part lies in memory as tensors."""

from __future__ import annotations

import torch

from engine.data.prepared import Part
from engine.data.samples import Mapped, Samples, steps
from engine.train.feed.blocks import BlockFeed


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


class ResidentFeed(BlockFeed):
    """Batches gathered from tensors on `home`, which is the device itself where the data fits."""

    kind = "resident"

    def __init__(
        self, part: Part, *, seed: int, batch_size: int, shuffle: bool, device: torch.device, home: torch.device
    ) -> None:
        self._x, self._y = resident(part.x, home), resident(part.y, home)
        self._device = device
        super().__init__(
            len(part.rows),
            (self._x[:1].nbytes, self._y[:1].nbytes),
            seed=seed,
            batch_size=batch_size,
            shuffle=shuffle,
            home=home,
        )

    def _rows(self, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = self._x.index_select(0, chosen), self._y.index_select(0, chosen)
        if self._home != self._device:
            x, y = x.to(self._device), y.to(self._device)
        return x, y

    @property
    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The whole part, raw, where it lies: x (N, *shape) and y."""
        return self._x, self._y
