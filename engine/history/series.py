"""One curve, however long: its points, and over them a pyramid of ever coarser bins with minimum, maximum and mean.

Level k holds bins of 2**k neighbouring points. Bins are aligned to the point's number, so a full bin never changes
again, and drawing a window reads at most two bins a column whatever the curve's length. Numpy buffers that double in
size; adding m points costs O(m + levels).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[tuple[int], np.dtype[np.float64]]

Axis = Literal["step", "epoch", "time"]
AXES: tuple[Axis, ...] = ("step", "epoch", "time")


class Bins(NamedTuple):
    """What to draw: one entry a bin, in order of x. Where a bin has no finite number, `mean` is nan."""

    x: Array
    """Where the bin ends on the axis asked for."""
    low: Array
    high: Array
    mean: Array


class _Level:
    """Columns of one level: low, high, sum, weight."""

    def __init__(self) -> None:
        self.size = 0
        self.data = np.empty((4, 64))

    def reserve(self, size: int) -> None:
        if size > self.data.shape[1]:
            grown = np.empty((4, max(size, 2 * self.data.shape[1])))
            grown[:, : self.size] = self.data[:, : self.size]
            self.data = grown


class Series:
    """Values over the steps of a run. Steps never fall; `truncate` takes back what a resume superseded."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._x = np.empty((3, 64))
        self._levels = [_Level()]

    def __len__(self) -> int:
        return self._levels[0].size

    def append(self, step: float, epoch: float, time: float, value: float) -> None:
        """Add one point."""
        self.extend([(step, epoch, time)], [(value, value, value, 1.0)])

    def extend(
        self, points: Sequence[tuple[float, float, float]], values: Sequence[tuple[float, float, float, float]]
    ) -> None:
        """Add points `(step, epoch, time)` with `(low, high, mean, weight)` each: a value, or a fold of several."""
        if not points:
            return
        start = len(self)
        end = start + len(points)
        if end > self._x.shape[1]:
            grown = np.empty((3, max(end, 2 * self._x.shape[1])))
            grown[:, :start] = self._x[:, :start]
            self._x = grown
        self._x[:, start:end] = np.asarray(points, dtype=np.float64).T
        low, high, mean, weight = np.asarray(values, dtype=np.float64).T
        base = self._levels[0]
        base.reserve(end)
        finite = np.isfinite(mean)
        base.data[0, start:end] = low
        base.data[1, start:end] = high
        base.data[2, start:end] = np.where(finite, mean * weight, 0.0)
        base.data[3, start:end] = np.where(finite, weight, 0.0)
        base.size = end
        self._rebuild(start)

    def truncate(self, step: float) -> None:
        """Drop all points after `step`."""
        keep = int(np.searchsorted(self._x[0, : len(self)], step, side="right"))
        if keep < len(self):
            self._levels[0].size = keep
            self._rebuild(keep)

    def _rebuild(self, start: int) -> None:
        """Bring the coarser levels up to date from point `start` on."""
        depth = 0
        below = self._levels[0]
        while below.size > 1:
            depth += 1
            if depth == len(self._levels):
                self._levels.append(_Level())
            level = self._levels[depth]
            start = min(start, below.size - 1) // 2
            size = (below.size + 1) // 2
            level.reserve(size)
            left = below.data[:, 2 * start : below.size : 2]
            right = below.data[:, 2 * start + 1 : below.size : 2]
            n = right.shape[1]
            out = level.data[:, start:size]
            out[:] = left
            np.fmin(left[0, :n], right[0], out=out[0, :n])
            np.fmax(left[1, :n], right[1], out=out[1, :n])
            out[2:, :n] += right[2:]
            level.size = size
            below = level
        del self._levels[depth + 1 :]

    def window(self, low: float | None = None, high: float | None = None, columns: int = 80, x: Axis = "step") -> Bins:
        """The bins between `low` and `high` on the axis `x`, and one on either side so that lines reach the edges.

        At most `2 * columns` of them; full bins stay the same while the curve grows.
        """
        n = len(self)
        axis = self._x[AXES.index(x), :n]
        first = 0 if low is None else max(0, int(np.searchsorted(axis, low, side="left")) - 1)
        last = n if high is None else min(n, int(np.searchsorted(axis, high, side="right")) + 1)
        if first >= last:
            empty = np.empty(0)
            return Bins(empty, empty, empty, empty)
        k = 0
        while ((last - 1) >> k) - (first >> k) + 1 > max(2, 2 * columns):
            k += 1
        begin, end = first >> k, ((last - 1) >> k) + 1
        data = self._levels[k].data[:, begin:end]
        ends = np.minimum((np.arange(begin, end) + 1) << k, n) - 1
        mean = np.full(end - begin, np.nan)
        np.divide(data[2], data[3], out=mean, where=data[3] > 0)
        return Bins(axis[ends].copy(), data[0].copy(), data[1].copy(), mean)

    def span(self, x: Axis = "step") -> tuple[float, float] | None:
        """First and last position on an axis; None while empty."""
        n = len(self)
        row = self._x[AXES.index(x)]
        return (float(row[0]), float(row[n - 1])) if n else None

    def at(self, position: float, x: Axis = "step") -> tuple[float, float] | None:
        """The point nearest to a position: (its position, its mean); None while empty."""
        n = len(self)
        if not n:
            return None
        axis = self._x[AXES.index(x), :n]
        right = min(int(np.searchsorted(axis, position)), n - 1)
        left = max(right - 1, 0)
        index = left if abs(axis[left] - position) <= abs(axis[right] - position) else right
        return float(axis[index]), self._mean(index)

    def last(self) -> float | None:
        """The latest value; None while empty."""
        return self._mean(len(self) - 1) if len(self) else None

    def _mean(self, index: int) -> float:
        low, _, total, weight = self._levels[0].data[:, index]
        return float(total / weight) if weight > 0 else float(low)
