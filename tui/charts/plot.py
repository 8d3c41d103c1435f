"""A line chart as cells: lines in braille, round ticks, a legend, marks on the axis. Pure: no screen is needed.

```
loss (log)        train ⠤⠤   val ⠤●⠤   always guessing the average ┄┄   best ◆ 19
  2.3┤┄┄⢣┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   1 ┤   ⠱⡀
  0.1┤    ⠈⠢⣀⡀ ...
     └┬────────▲──┬──────────
      0           10  epoch      ▲ lr 1e-3→3e-4 at 8
```
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tui.charts import braille
from tui.charts.grid import Grid
from tui.charts.picture import GUTTER, Mark, Picture, Trace, Window
from tui.charts.scale import Scale, fit, number

CHROME = 3
"""Rows that are not the plot: title, axis, tick labels. A fourth, at the bottom, tells the newest marks."""
RIGHT = 7
"""Columns of the scale at the right, where there is one."""
ROOMY = 12
"""From this height on there is a row for the words of marks."""


@dataclass
class Drawn:
    """What `draw` found on its way: the scale it used, and the values under every cell of the plot."""

    scale: Scale
    values: dict[str, npt.NDArray[np.float64]]


def draw(
    picture: Picture,
    grid: Grid,
    scale: Scale | None = None,
    cursor: int | None = None,
) -> Drawn:
    """Draw into `grid`; `scale` is the y scale of the last time, which is kept while everything fits."""
    told = [mark for mark in picture.marks if mark.words] if grid.height >= ROOMY else []
    width = max(1, grid.width - GUTTER - (RIGHT if picture.beside is not None or picture.margin else 0))
    height = max(1, grid.height - CHROME - bool(told))
    cursor = None if cursor is None else min(cursor, width - 1)
    dots = 2 * width
    found = [_columns(trace.window, picture, dots) for trace in picture.traces]
    means = [float(v) for columns, _, _, mean in found for v in mean if len(columns)]
    keep = [level.value for level in picture.levels] + ([picture.best[1]] if picture.best else [])
    first = [float(mean[0]) for _, _, _, mean in found if len(mean)]
    scale = fit(means, log=picture.log, keep=keep, first=first, now=scale)
    drawn = Drawn(scale, {})

    for level in picture.levels:
        row = _row(scale.share(level.value), height)
        grid.put(GUTTER, row, "┄" * width, level.style)
    _lines(picture, grid, scale, found, width, height, drawn)
    if picture.beside is not None:
        _beside(picture.beside, picture, grid, width, height, drawn)
    if picture.best is not None:
        x, y, _ = picture.best
        if picture.low <= x <= picture.high:
            grid.put(GUTTER + _cell(x, picture, width), _row(scale.share(y), height), "◆", "chart--best")
    if cursor is not None:
        for row in range(1, height + 1):
            if grid.cells[row][GUTTER + cursor] in " ┄":
                grid.put(GUTTER + cursor, row, "│", "chart--cursor")

    if not _title(picture, grid, drawn, cursor, width):
        _label(picture, grid, scale, width, height)
    _y_axis(grid, scale, height)
    _x_axis(picture, grid, width, height)
    _tell(told, grid)
    return drawn


def _columns(
    window: Window, picture: Picture, dots: int
) -> tuple[npt.NDArray[np.int64], braille.Floats, braille.Floats, braille.Floats]:
    """(dot column, lowest, highest, mean), one entry a column that holds something."""
    xs, low, high, mean = (np.asarray(a, dtype=np.float64) for a in window(picture.low, picture.high, dots))
    inside = (xs >= picture.low) & (xs <= picture.high)
    xs, low, high, mean = xs[inside], low[inside], high[inside], mean[inside]
    if not len(xs):
        return np.zeros(0, np.int64), low, high, mean
    at = np.minimum((xs - picture.low) / (picture.high - picture.low) * dots + 1e-6, dots - 1).astype(np.int64)
    first = np.flatnonzero(np.concatenate([[True], at[1:] != at[:-1]]))
    counts = np.diff(np.concatenate([first, [len(at)]]))
    with np.errstate(invalid="ignore"):
        return (
            at[first],
            np.minimum.reduceat(low, first),
            np.maximum.reduceat(high, first),
            np.add.reduceat(mean, first) / counts,
        )


def _lines(
    picture: Picture,
    grid: Grid,
    scale: Scale,
    found: Sequence[tuple[npt.NDArray[np.int64], braille.Floats, braille.Floats, braille.Floats]],
    width: int,
    height: int,
    drawn: Drawn,
) -> None:
    total = np.zeros((height, width), np.uint16)
    shade = np.zeros((height, width), np.uint16)
    owner = np.full((height, width), -1, np.int64)
    last_row = 4 * height - 1

    def rows(values: braille.Floats) -> braille.Floats:
        shares = np.array([scale.share(float(v)) for v in values], dtype=np.float64)
        # A line beyond the edge runs along it; one cell further is as good as infinitely far.
        return np.where(np.isnan(shares), np.nan, np.clip((1 - np.clip(shares, -9, 9)) * last_row, -4, last_row + 4))

    for index, (trace, (at, low, high, mean)) in enumerate(zip(picture.traces, found, strict=True)):
        drawn.values[trace.label] = _by_cell(at, mean, width)
        if not len(at):
            continue
        raster = braille.line(at, rows(mean), 2 * width, 4 * height)
        if trace.band:
            top, bottom = rows(high), rows(low)
            shade |= braille.cells(braille.dither(braille.between(at, top, bottom, 2 * width, 4 * height)))
        bits = braille.cells(raster)
        total |= bits
        owner[bits > 0] = index
    # A cell has one colour, so the shade keeps out of the cells of lines.
    for y, text in enumerate(braille.text(np.where(total > 0, 0, shade))):
        line, styles = grid.cells[1 + y], grid.styles[1 + y]
        for x in np.flatnonzero((shade[y] > 0) & (total[y] == 0)).tolist():
            line[GUTTER + x], styles[GUTTER + x] = text[x], "chart--shade"
    for y, text in enumerate(braille.text(total)):
        line, styles = grid.cells[1 + y], grid.styles[1 + y]
        for x in np.flatnonzero(total[y]).tolist():
            line[GUTTER + x] = text[x]
            styles[GUTTER + x] = picture.traces[int(owner[y, x])].style
    for trace, (at, _, high, mean) in zip(picture.traces, found, strict=True):
        if trace.marker:
            _markers(trace, grid, scale, at, mean, width, height)
        for column, value, highest in zip(at.tolist(), mean.tolist(), high.tolist(), strict=True):
            if not math.isfinite(value):
                grid.put(GUTTER + column // 2, 1, "!", "chart--bad")
            elif value > scale.high or scale.share(highest) > 1.5:
                grid.put(GUTTER + column // 2, 1, "▴", trace.style)


def _beside(trace: Trace, picture: Picture, grid: Grid, width: int, height: int, drawn: Drawn) -> None:
    """A trace on its own scale, behind the others, and that scale at the right edge."""
    at, _, _, mean = _columns(trace.window, picture, 2 * width)
    scale = fit([float(v) for v in mean], first=[float(v) for v in mean[:1]])
    drawn.values[trace.label] = _by_cell(at, mean, width)
    if len(at):
        shares = np.array([scale.share(float(v)) for v in mean], dtype=np.float64)
        last = 4 * height - 1
        rows = np.where(np.isnan(shares), np.nan, np.clip((1 - np.clip(shares, -9, 9)) * last, -4, last + 4))
        bits = braille.cells(braille.line(at, rows, 2 * width, 4 * height))
        for y, text in enumerate(braille.text(bits)):
            line = grid.cells[1 + y]
            for x in np.flatnonzero(bits[y]).tolist():
                if line[GUTTER + x] in " ┄":
                    grid.put(GUTTER + x, 1 + y, text[x], trace.style)
        _markers(trace, grid, scale, at, mean, width, height)
    edge = GUTTER + width
    for y in range(1, height + 1):
        grid.put(edge, y, "│", "chart--axis")
    taken: set[int] = set()
    for value in scale.ticks(max(2, min(6, height // 2))):
        row = _row(scale.share(value), height)
        if row not in taken:
            taken.add(row)
            grid.put(edge, row, "├", "chart--axis")
            grid.put(edge + 1, row, f" {number(value)}", trace.style)


def _markers(
    trace: Trace,
    grid: Grid,
    scale: Scale,
    at: npt.NDArray[np.int64],
    mean: braille.Floats,
    width: int,
    height: int,
) -> None:
    """The trace's marker on its points, thinned by powers of two so that the line between them can be seen."""
    apart = float(np.median(np.diff(at))) / 2 if len(at) > 1 else width
    every = 1
    while every * apart < 3:
        every *= 2
    for index, (column, value) in enumerate(zip(at.tolist(), mean.tolist(), strict=True)):
        if trace.marker and index % every == 0 and math.isfinite(value):
            grid.put(GUTTER + column // 2, _row(scale.share(value), height), trace.marker, trace.style)


def _by_cell(at: npt.NDArray[np.int64], mean: braille.Floats, width: int) -> npt.NDArray[np.float64]:
    """The last value at or before every cell; NaN before the first one."""
    values = np.full(width, np.nan)
    values[at // 2] = mean
    known = np.where(np.isnan(values), -1, np.arange(width))
    known = np.maximum.accumulate(known)
    if len(at):
        known[int(at[-1]) // 2 + 1 :] = -1
    return np.where(known >= 0, values[np.maximum(known, 0)], np.nan)


def _row(share: float, height: int) -> int:
    """Row of the grid for a share of the scale, kept on the plot."""
    share = 0.0 if math.isnan(share) else min(1.0, max(0.0, share))
    return 1 + math.floor((1 - share) * (4 * height - 1) + 0.5) // 4


def _cell(x: float, picture: Picture, width: int) -> int:
    share = (x - picture.low) / (picture.high - picture.low)
    return min(width - 1, max(0, int(share * width + 1e-6)))


def _label(picture: Picture, grid: Grid, scale: Scale, width: int, height: int) -> None:
    """Where the legend has no room for levels, their words stand at the right end of their lines, if that is free."""
    for level in picture.levels:
        row, words = _row(scale.share(level.value), height), f" {level.label} "
        start = GUTTER + width - len(words) - 1
        if start > GUTTER and all(grid.cells[row][x] == "┄" for x in range(start, start + len(words))):
            grid.put(start, row, words, "chart--dim")


def _title(picture: Picture, grid: Grid, drawn: Drawn, cursor: int | None, width: int) -> bool:
    """Title, legend or the values under the cursor; whether all of it has room."""
    end = grid.put(0, 0, picture.title + (" (log)" if picture.log else ""), "chart--title")
    items: list[list[tuple[str, str]]] = []
    if cursor is not None:
        x = picture.low + (cursor + 0.5) / width * (picture.high - picture.low)
        items.append([(f"{picture.x_name} ", "chart--dim"), (picture.x_text(x), "chart--text")])
        for trace in (*picture.traces, *([picture.beside] if picture.beside is not None else [])):
            value = float(drawn.values[trace.label][cursor])
            shown = "-" if math.isnan(value) else number(value)
            items.append([(f"{trace.label} ", "chart--dim"), (shown, trace.style)])
    else:
        for trace in (*picture.traces, *([picture.beside] if picture.beside is not None else [])):
            if trace.label != picture.title:
                items.append([(f"{trace.label} ", "chart--text"), (f"⠤{trace.marker or '⠤'}⠤", trace.style)])
        if picture.best is not None:
            items.append([("best ", "chart--text"), ("◆", "chart--best"), (f" {picture.best[2]}", "chart--text")])
        for level in picture.levels:
            items.append([(f"{level.label} ", "chart--text"), ("┄┄", level.style)])
    shown_items: list[list[tuple[str, str]]] = []
    room = grid.width - end - 1
    for item in items:
        size = sum(len(text) for text, _ in item) + (3 if shown_items else 1)
        if size > room:
            break
        room -= size
        shown_items.append(item)
    x_at = end + 1 + room
    for index, item in enumerate(shown_items):
        x_at += 3 if index else 1
        for text, style in item:
            x_at = grid.put(x_at, 0, text, style)
    return len(shown_items) == len(items)


def _y_axis(grid: Grid, scale: Scale, height: int) -> None:
    for y in range(1, height + 1):
        grid.put(GUTTER - 1, y, "│", "chart--axis")
    taken: set[int] = set()
    for value in scale.ticks(max(2, min(8, height // 2))):
        row = _row(scale.share(value), height)
        if row in taken:
            continue
        taken.add(row)
        grid.put(0, row, number(value).rjust(GUTTER - 2), "chart--dim")
        grid.put(GUTTER - 1, row, "┤", "chart--axis")


def _x_axis(picture: Picture, grid: Grid, width: int, height: int) -> None:
    axis, labels = height + 1, height + 2
    grid.put(GUTTER - 1, axis, "└" + "─" * width, "chart--axis")
    grid.put(0, labels, picture.x_name.rjust(GUTTER - 2), "chart--dim")
    ticks = Scale(picture.low, picture.high).ticks(max(2, width // 8))
    if picture.whole:
        ticks = [t for t in ticks if abs(t - round(t)) < 1e-9]
    end = GUTTER - 1
    for value in ticks:
        x = GUTTER + _cell(value, picture, width)
        grid.put(x, axis, "┬", "chart--axis")
        text = picture.x_text(value)
        start = min(x - (len(text) - 1) // 2, grid.width - len(text))
        if start > end:
            end = grid.put(start, labels, text, "chart--dim")
    for mark in picture.marks:
        if picture.low <= mark.x <= picture.high:
            grid.put(GUTTER + _cell(mark.x, picture, width), axis, mark.glyph, mark.style)


def _tell(marks: Sequence[Mark], grid: Grid) -> None:
    """The words of the newest marks in the last row, as many as fit, oldest first."""
    room = grid.width - GUTTER
    shown: list[Mark] = []
    for mark in reversed(marks):
        room -= len(mark.words) + 5
        if room < -3:
            break
        shown.insert(0, mark)
    x = GUTTER
    for mark in shown:
        x = grid.put(x, grid.height - 1, mark.glyph, mark.style)
        x = grid.put(x + 1, grid.height - 1, mark.words, "chart--dim") + 3
