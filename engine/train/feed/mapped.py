"""The feed for data that does not fit: rows are gathered from where they lie, a block at a time.

Images from files lie in the cache of decoded images, mapped into memory: what the system's page cache holds of them is
read at the speed of memory, and nothing has to fit. Arrays in memory that do not fit the device stay where they are.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch

from engine.data.prepared import Part
from engine.data.samples import Mapped, Samples
from engine.train.feed.blocks import BlockFeed

BUFFERS = 3
"""Page-locked blocks: one that is gathered, one on its way to the GPU, one to spare."""


@dataclass(frozen=True)
class Source:
    """Rows where they lie: `flat` (stored, values), of which `index` are the part's, each of `shape`."""

    flat: torch.Tensor
    index: torch.Tensor | None
    """(N,) int64; None where all rows are the part's, in order."""
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """What one row takes."""
        return self.flat.shape[1] * self.flat.element_size()

    def gather(self, positions: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """(B, *shape) rows at these positions of the part, in memory of their own."""
        rows = positions if self.index is None else self.index.index_select(0, positions)
        if out is None:
            found = self.flat.index_select(0, rows)
        else:
            found = torch.index_select(self.flat, 0, rows, out=out[: len(rows)])
        return found.view(len(rows), *self.shape)


def source_of(x: Samples) -> Source:
    """Samples without a copy of them. The tensor is for gathering alone: it must not be written to."""
    shape = tuple(x.shape[1:])
    width = int(np.prod(shape, dtype=np.int64))
    if isinstance(x, Mapped):
        dtype = torch.from_numpy(np.zeros(0, x.dtype)).dtype
        if not x.stored:
            return Source(torch.zeros((0, width), dtype=dtype), None, shape)
        flat = torch.from_file(str(x.file), shared=False, size=x.stored * width, dtype=dtype)
        return Source(flat.view(x.stored, width), torch.tensor(x.index), shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about arrays that cannot be written to
        flat = torch.from_numpy(np.ascontiguousarray(x))
    return Source(flat.view(len(x), width), None, shape)


class MappedFeed(BlockFeed):
    """Batches gathered from the part where it lies, and sent to the device."""

    kind = "mapped"

    def __init__(
        self, part: Part, *, seed: int, batch_size: int, shuffle: bool, device: torch.device, reason: str = ""
    ) -> None:
        self._x, self._y = source_of(part.x), source_of(part.y)
        self._device = device
        super().__init__(
            len(part.rows),
            (self._x.row_bytes, self._y.row_bytes),
            seed=seed,
            batch_size=batch_size,
            shuffle=shuffle,
            home=torch.device("cpu"),
            reason=reason,
        )
        rows = self._count * (batch_size + self._spare)
        self._buffers = [_Buffer(self._x, self._y, rows) for _ in range(BUFFERS)] if device.type == "cuda" else []
        self._turn = 0

    def _rows(self, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self._buffers:
            self._turn = (self._turn + 1) % len(self._buffers)
            return self._buffers[self._turn].send(self._x, self._y, chosen, self._device)
        x, y = self._x.gather(chosen), self._y.gather(chosen)
        return (x, y) if self._device.type == "cpu" else (x.to(self._device), y.to(self._device))

    def close(self) -> None:
        self._buffers.clear()
        super().close()


class _Buffer:
    """Page-locked memory for one block, so that its copy to the GPU goes on while the next one is gathered."""

    def __init__(self, x: Source, y: Source, rows: int) -> None:
        self._x = torch.empty((rows, x.flat.shape[1]), dtype=x.flat.dtype, pin_memory=True)
        self._y = torch.empty((rows, y.flat.shape[1]), dtype=y.flat.dtype, pin_memory=True)
        self._sent: torch.cuda.Event | None = None

    def send(
        self, x: Source, y: Source, positions: torch.Tensor, device: torch.device
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The rows at these positions on the GPU, as soon as what is asked of it before is done."""
        if self._sent is not None:
            self._sent.synchronize()
        there = (
            x.gather(positions, self._x).to(device, non_blocking=True),
            y.gather(positions, self._y).to(device, non_blocking=True),
        )
        self._sent = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._sent.record(torch.cuda.current_stream(device))
        return there
