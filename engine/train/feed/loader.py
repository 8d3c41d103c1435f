"""A feed whose batches are gathered by processes beside the training one: torch's DataLoader.

Order, batches and bits are those of the resident feed. Data in memory is gathered faster without it; it is here for
`num_workers`, and for what later takes long to read a row.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from engine.data.prepared import Part
from engine.data.samples import Mapped
from engine.train.feed.feed import Batch, one_by_one
from engine.train.feed.mapped import Source, source_of
from engine.train.feed.order import order, steps_per_epoch

Pair = tuple[torch.Tensor, torch.Tensor]


class Rows(Dataset[Pair]):
    """Whole batches by their positions; the rows lie in a file, or in memory that the processes share."""

    def __init__(self, part: Part) -> None:
        shared = None if isinstance(part.x, Mapped) else torch.tensor(part.x).share_memory_()  # type: ignore[no-untyped-call]
        self._file = part.x if isinstance(part.x, Mapped) else None
        self._x: Source | None = None if shared is None else _whole_of(shared)
        self._y = _whole_of(torch.tensor(part.y).share_memory_())  # type: ignore[no-untyped-call]

    def __getitems__(self, positions: npt.NDArray[np.int64]) -> Pair:
        if self._x is None:
            assert self._file is not None
            self._x = source_of(self._file)
        chosen = torch.from_numpy(positions)
        return self._x.gather(chosen), self._y.gather(chosen)

    def __getitem__(self, position: int) -> Pair:
        x, y = self.__getitems__(np.array([position]))
        return x[0], y[0]


def _whole_of(tensor: torch.Tensor) -> Source:
    return Source(tensor.flatten(1) if tensor.ndim > 1 else tensor[:, None], None, tuple(tensor.shape[1:]))


class Batches:
    """The positions of one batch after another, from where the feed was asked to begin."""

    def __init__(self) -> None:
        self.order: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.batch_size = 1
        self.first = 0
        self.count = 0

    def __iter__(self) -> Iterator[npt.NDArray[np.int64]]:
        for index in range(self.first, self.count):
            yield self.order[index * self.batch_size : (index + 1) * self.batch_size]

    def __len__(self) -> int:
        return self.count - self.first


class LoaderFeed:
    """Batches from `workers` processes, in the order in which they are asked for."""

    kind = "workers"

    def __init__(
        self,
        part: Part,
        *,
        seed: int,
        batch_size: int,
        shuffle: bool,
        drop_last: bool,
        device: torch.device,
        workers: int,
        pin_memory: bool,
    ) -> None:
        self.reason = f"{workers} process{'es' if workers > 1 else ''} gather, as data.num_workers says"
        self._seed, self._shuffle, self._device, self._length = seed, shuffle, device, len(part.rows)
        self._steps = steps_per_epoch(self._length, batch_size, drop_last)
        self._batches = Batches()
        self._batches.batch_size = batch_size
        self._pin = pin_memory and device.type == "cuda"
        # A generator of its own: the loader draws from it at every start, and dropout's must stay untouched.
        self._loader: DataLoader[Pair] = DataLoader(
            Rows(part),
            batch_sampler=self._batches,  # type: ignore[arg-type]
            num_workers=workers,
            collate_fn=_whole,  # type: ignore[arg-type]
            pin_memory=self._pin,
            multiprocessing_context="spawn",
            worker_init_fn=_die_with_parent,
            persistent_workers=True,
            generator=torch.Generator(),
        )
        self._iterator: Iterator[Pair] | None = None
        self._epoch, self._next = -1, 0

    def batch(self, epoch: int, index: int) -> Batch:
        positions = self.positions(epoch, index)
        if self._iterator is None or index != self._next:
            self._batches.first, self._batches.count = index, self._steps
            self._iterator = iter(self._loader)
        x, y = next(self._iterator)
        self._next = index + 1
        if self._device.type != "cpu":
            x, y = x.to(self._device, non_blocking=self._pin), y.to(self._device, non_blocking=self._pin)
        return Batch(x, y, torch.from_numpy(positions))

    def batches(self, epoch: int, first: int, count: int) -> Sequence[Batch]:
        return one_by_one(self, epoch, first, count)

    def positions(self, epoch: int, index: int) -> npt.NDArray[np.int64]:
        if epoch != self._epoch:
            self._batches.order = order(self._seed, epoch, self._length, self._shuffle)
            self._epoch, self._iterator = epoch, None
        size = self._batches.batch_size
        return self._batches.order[index * size : (index + 1) * size]

    def close(self) -> None:
        self._iterator = None
        iterator = self._loader._iterator
        if iterator is not None:
            iterator._shutdown_workers()  # type: ignore[attr-defined]
            self._loader._iterator = None


def _whole(pair: Pair) -> Pair:
    """The rows come as a batch already."""
    return pair


def _die_with_parent(number: int) -> None:
    """Ask the kernel to end this process with the one that trains, however that ends (Linux; elsewhere the loader's
    own watch does it within seconds)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        death = 1  # PR_SET_PDEATHSIG of prctl(2)
        ctypes.CDLL(None, use_errno=True).prctl(death, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == 1:
            os._exit(1)
