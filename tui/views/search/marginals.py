"""The result against each setting: a dot a trial, and the middle of those that lie close together."""

from __future__ import annotations

import math

import numpy as np
from rich.cells import cell_len, set_cell_size

from engine.history.trials import TrialRow
from tui.charts.grid import Grid
from tui.charts.picture import GUTTER
from tui.charts.scale import Scale
from tui.views.search import lines
from tui.views.search.axes import Axis, value_words
from tui.views.search.sheet import (
    GOOD,
    OTHER,
    POINTS,
    WORK,
    Sheet,
    good,
    legend,
    outstanding,
    row_of,
    say,
    title,
    x_axis,
    y_axis,
)

WIDE, HIGH = 17, 9
"""Least cells of a panel."""
BINS = 8
"""Most bins of a setting's range, each with the middle of its results."""
ENOUGH = 12
"""Trials from which on bins say something."""


def draw(sheet: Sheet, grid: Grid, now: Scale | None) -> Scale | None:
    """Draw into `grid`; returns the scale of the result, to be given again."""
    rows = sheet.drawn([row for row in sheet.trials.ended() if not math.isnan(row.value)], POINTS)
    words = f"{sheet.series} by setting{' (log)' if sheet.log else ''}"
    if not rows or not sheet.axes:
        title(grid, words, ())
        say(grid, "No trial with a result yet.")
        return now
    scale = sheet.scale(rows, now)
    axes = list(sheet.axes)
    across = max(1, min(len(axes), (grid.width - GUTTER) // WIDE))
    down = max(1, min(-(-len(axes) // across), (grid.height - 1) // HIGH))
    each = across * down
    pages = -(-len(axes) // each)
    first = sheet.page % pages * each
    here = axes[first : first + each]
    across = min(across, len(here))
    down = -(-len(here) // across)
    width = (grid.width - GUTTER) // across
    height = (grid.height - 1) // down
    quarter = good(sheet.trials)
    for place, axis in enumerate(here):
        column, line = place % across, place // across
        _panel(sheet, grid, axis, rows, scale, quarter, GUTTER + column * width, 1 + line * height,
               width - 2, height, column == 0)  # fmt: skip
    more = f", {first + 1} to {first + len(here)} of {len(axes)} (h)" if pages > 1 else ""
    items = legend(sheet, "◆", "○")
    items += [("middle", "⠤⠤", WORK)] if len(rows) >= ENOUGH else []
    title(grid, words + more, items)
    return scale


def _panel(
    sheet: Sheet,
    grid: Grid,
    axis: Axis,
    rows: list[TrialRow],
    scale: Scale,
    quarter: set[int],
    left: int,
    top: int,
    width: int,
    height: int,
    ticks: bool,
) -> None:
    plot = max(1, height - 3)
    name = axis.label if cell_len(axis.label) <= width else set_cell_size(axis.label, width - 1) + "…"
    grid.put(left, top, name, "chart--text")
    y_axis(grid, scale, top + 1, plot, left - GUTTER, ticks)
    if axis.keys:
        many = len(axis.words)
        marks = [((at + 0.5) / many, _cut(word, width // many)) for at, word in enumerate(axis.words)]
    else:
        marks = [(0.0, axis.ends[0]), (1.0, axis.ends[1])]
        inside = Scale(axis.low, axis.high, axis.log).ticks(max(2, width // 10))
        between = [(axis.share(tick), value_words(float(tick), axis.log)) for tick in inside]
        gap = max(cell_len(words) for words in axis.ends) + 2
        between = [mark for mark in between if gap / width < mark[0] < 1 - gap / width]
        marks[1:1] = between
    x_axis(grid, top + 1 + plot, left, width, marks)

    x = np.array([axis.share(row.params.get(axis.path)) for row in rows])
    if axis.keys:
        # Trials of one word stand beside each other, each always at its own place.
        x += np.array([((row.number * 0.618034) % 1 - 0.5) * 0.6 / len(axis.keys) for row in rows])
    y = lines.shares_of(np.array([row.value for row in rows]), scale.low, scale.high, scale.log)
    there = np.isfinite(x) & ~np.isnan(y)
    across = np.minimum(np.floor(np.nan_to_num(x) * 2 * width), 2 * width - 1).astype(np.int64)
    down = np.floor(lines.rows_of(np.nan_to_num(y), 4 * plot) + 0.5).astype(np.int64)
    is_good = np.array([row.number in quarter for row in rows])
    layers = []
    for style, mask in ((OTHER, there & ~is_good), (GOOD, there & is_good)):
        layers.append((lines.dots(across[mask], down[mask], 2 * width, 4 * plot), style))
    lines.lay(grid, left, top + 1, layers, join=True)
    if len(rows) >= ENOUGH:
        _middles(axis, grid, x[there], y[there], left, top + 1, width, plot)
    for row, style, sign in outstanding(sheet):
        share = axis.share(row.params.get(axis.path))
        if not math.isnan(share):
            at = left + min(width - 1, int(share * width))
            grid.put(at, top + 1 + row_of(scale.share(row.value), plot), sign, style)


def _middles(
    axis: Axis, grid: Grid, x: np.ndarray, y: np.ndarray, left: int, top: int, width: int, height: int
) -> None:
    """The median of each bin: a dash for a choice's word, a line through them for a range."""
    bins = len(axis.keys) or min(BINS, max(2, len(x) // 6))
    at = np.minimum((x * bins).astype(np.int64), bins - 1)
    centres = [(b, float(np.median(y[at == b]))) for b in range(bins) if (at == b).any()]
    if axis.keys:
        for b, middle in centres:
            first, last = int(b / bins * width), max(int((b + 1) / bins * width) - 1, int(b / bins * width) + 1)
            grid.put(left + first, top + row_of(middle, height), "╌" * (last - first), WORK)
        return
    line = np.full((1, 2 * width), np.nan)
    columns = np.array([(b + 0.5) / bins * 2 * width for b, _ in centres])
    reach = np.arange(int(columns[0]), int(columns[-1]) + 1)
    rows = lines.rows_of(np.array([middle for _, middle in centres]), 4 * height)
    line[0, reach] = np.interp(reach, columns, rows)
    lines.lay(grid, left, top, [(lines.many(line, 4 * height), WORK)])


def _cut(word: str, room: int) -> str:
    return word if cell_len(word) < room else set_cell_size(word, max(1, room - 2)).rstrip() + "…"
