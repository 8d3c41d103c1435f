"""Many lines in one raster: what a chart of a thousand curves is drawn with."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tui.charts import braille
from tui.charts.braille import Floats, Raster
from tui.charts.grid import Grid


def many(rows: Floats, height: int) -> Raster:
    """Raster (height, columns) of lines given as rows (lines, columns); NaN where a line has no dot.

    Neighbouring columns are joined half way, so that steep lines have no holes. Costs O(lines x columns + dots).
    """
    lines, columns = rows.shape
    if not lines:
        return np.zeros((height, columns), dtype=np.bool_)
    path = np.clip(rows, 0, height - 1)
    middle = (path[:, 1:] + path[:, :-1]) / 2
    gap = np.full((lines, 1), np.nan)
    before = np.concatenate([gap, middle], axis=1)
    after = np.concatenate([middle, gap], axis=1)
    top = np.fmin(path, np.fmin(before, after))
    bottom = np.fmax(path, np.fmax(before, after))
    # A line's own column decides whether there is a dot: half a step beyond its end is no part of it.
    there = np.isfinite(path)
    at = np.broadcast_to(np.arange(columns), rows.shape)[there]
    first = np.floor(top[there] + 0.5).astype(np.int64)
    last = np.floor(bottom[there] + 0.5).astype(np.int64)
    # +1 where a span begins and -1 behind its end: the running sum says how many spans cover a dot.
    covered = np.zeros((height + 1, columns), dtype=np.int32)
    np.add.at(covered, (first, at), 1)
    np.add.at(covered, (last + 1, at), -1)
    found: Raster = np.cumsum(covered[:-1], axis=0) > 0
    return found


def dots(x: npt.NDArray[np.int64], y: npt.NDArray[np.int64], width: int, height: int) -> Raster:
    """Raster (height, width) with single dots."""
    found = np.zeros((height, width), dtype=np.bool_)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    found[y[inside], x[inside]] = True
    return found


def lay(grid: Grid, left: int, top: int, layers: list[tuple[Raster, str]], *, join: bool = False) -> None:
    """Put rasters (4 rows, 2 columns a cell) into a grid at a cell; a cell has the style of the last one with dots.

    It shows that one's dots alone, so that a line is told from what lies below it, or with `join` those of all.
    """
    total: npt.NDArray[np.uint16] | None = None
    owner: npt.NDArray[np.int64] | None = None
    for index, (raster, _) in enumerate(layers):
        bits = braille.cells(raster)
        if total is None or owner is None:
            total, owner = np.zeros_like(bits), np.full(bits.shape, -1, np.int64)
        total = total | bits if join else np.where(bits > 0, bits, total)
        owner[bits > 0] = index
    if total is None or owner is None:
        return
    for y, text in enumerate(braille.text(total)):
        if top + y >= grid.height:
            break
        line, styles = grid.cells[top + y], grid.styles[top + y]
        for x in np.flatnonzero(total[y]).tolist():
            if left + x < grid.width:
                line[left + x], styles[left + x] = text[x], layers[int(owner[y, x])][1]


def place(low: float, high: float, size: int, values: Floats) -> npt.NDArray[np.int64]:
    """Dot columns of values on an axis from `low` to `high` with `size` dots; -1 for what is not on it."""
    with np.errstate(invalid="ignore"):
        share = (values - low) / (high - low) if high > low else np.zeros_like(values)
        inside = np.isfinite(share) & (share >= -1e-9) & (share <= 1 + 1e-9)
        return np.where(inside, np.minimum(np.floor(np.nan_to_num(share) * size), size - 1), -1).astype(np.int64)


def rows_of(shares: Floats, height: int) -> Floats:
    """Dot rows, 0 at the top, of shares of the height; beyond the ends a line runs along the edge; NaN stays."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isnan(shares), np.nan, np.clip((1 - np.clip(shares, -9, 9)) * (height - 1), 0, height - 1))


def shares_of(values: Floats, low: float, high: float, log: bool) -> Floats:
    """Where values stand between `low` and `high`; infinity is beyond every end, NaN nowhere."""
    at = np.asarray(values, dtype=np.float64)
    if log:
        low, high = math.log10(low), math.log10(high)
        at = np.where(np.isnan(at), np.nan, np.where(at > 0, np.log10(np.where(at > 0, at, 1.0)), -np.inf))
    found: Floats = (at - low) / (high - low)
    return found
