"""Folding losses into `steps` rows: a bounded number of them a second, however fast the steps are."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from engine.runs.records import Epoch, Record, Steps
from engine.train.executors.executor import Losses, Rate

INTERVAL = 0.03
"""Seconds between two rows of losses, at the least, and for which an `epoch` row may wait for company: to write many at
a time costs hardly more than to write one."""
SPREAD = 20_000
"""Rows that lie this many to the run's age: the interval grows, so that a run of ten hours has some 110,000 rows."""


class Rows(Protocol):
    """Takes losses as they come and gives rows when it sees fit."""

    def add(self, first: int, losses: Losses, rates: Sequence[Rate], epoch: int) -> Iterator[Record]:
        """Losses of the updates from `first` on, all of one epoch (from 1)."""

    def end(self, epoch: Epoch, step_seconds: float) -> Iterator[Record]:
        """An epoch is over, and a step takes so long."""

    def cut(self) -> None:
        """No row may reach across the last update: a run may be resumed from here."""

    def flush(self) -> Iterator[Record]:
        """What is left, so that no row reaches across a checkpoint or an edit."""


def fold(first: int, losses: Losses, lr: float, epoch: int) -> Steps:
    """One row of these losses."""
    return Steps(
        epoch=epoch,
        step=first + len(losses) - 1,
        first=first,
        count=len(losses),
        loss_mean=float(losses.mean(dtype=np.float64)),
        loss_min=float(losses.min()),
        loss_max=float(losses.max()),
        lr=lr,
        crc=f"{zlib.crc32(losses.astype('<f4').tobytes()):08x}",
    )


class TimedRows:
    """A row every `INTERVAL` seconds, and ever less often as the run grows old."""

    def __init__(self, age: float = 0.0) -> None:
        """`age` is how many seconds of work the run has behind it."""
        self._born = time.monotonic() - age
        self._first, self._epoch, self._lr = 0, 0, 0.0
        self._pending: list[Losses] = []
        self._ended: list[Epoch] = []
        self._cut: tuple[int, float, int] | None = None
        """Pending losses up to the last cut, and the learning rate and epoch there; an earlier cut is void."""
        self._last = -INTERVAL

    def add(self, first: int, losses: Losses, rates: Sequence[Rate], epoch: int) -> Iterator[Record]:
        if not self._pending:
            self._first = first
        self._pending.append(losses)
        self._epoch, self._lr = epoch, rates[-1].lr
        now = time.monotonic()
        if now - self._last >= max(INTERVAL, (now - self._born) / SPREAD):
            yield from self.flush()

    def end(self, epoch: Epoch, step_seconds: float) -> Iterator[Record]:
        self._ended.append(epoch)
        if step_seconds > INTERVAL or time.monotonic() - self._last >= INTERVAL:
            yield from self._tell_ended()

    def flush(self) -> Iterator[Record]:
        yield from self._tell_ended()
        if self._pending:
            losses, cut = np.concatenate(self._pending), self._cut
            self._pending, self._cut = [], None
            self._last = time.monotonic()
            if cut is not None and cut[0] < len(losses):
                count, lr, epoch = cut
                yield fold(self._first, losses[:count], lr, epoch)
                yield fold(self._first + count, losses[count:], self._lr, self._epoch)
            else:
                yield fold(self._first, losses, self._lr, self._epoch)

    def cut(self) -> None:
        if self._pending:
            self._cut = (sum(map(len, self._pending)), self._lr, self._epoch)

    def _tell_ended(self) -> Iterator[Epoch]:
        if self._ended:
            ended, self._ended = self._ended, []
            self._last = time.monotonic()
            yield from ended


class RecordedRows:
    """Rows cut where the rows of another run were, so that the two can be compared one by one."""

    def __init__(self, cuts: Sequence[tuple[int, int]]) -> None:
        """`cuts` holds (first, count) of the rows of the other run, in order."""
        self._cuts = list(reversed(cuts))
        self._losses: dict[int, tuple[np.float32, float, int]] = {}

    def add(self, first: int, losses: Losses, rates: Sequence[Rate], epoch: int) -> Iterator[Steps]:
        for offset, (loss, rate) in enumerate(zip(losses, rates, strict=True)):
            self._losses[first + offset] = (loss, rate.lr, epoch)
        done = first + len(losses) - 1
        while self._cuts and sum(self._cuts[-1]) - 1 <= done:
            start, count = self._cuts.pop()
            held = [self._losses.pop(step) for step in range(start, start + count) if step in self._losses]
            if len(held) == count:
                yield fold(start, np.array([loss for loss, _, _ in held], np.float32), held[-1][1], held[-1][2])

    def end(self, epoch: Epoch, step_seconds: float) -> Iterator[Record]:
        yield epoch

    def cut(self) -> None:
        """The cuts are given."""

    def flush(self) -> Iterator[Record]:
        yield from ()
