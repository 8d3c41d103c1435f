"""Parallel coordinates: one axis a setting and one for the result; a line a trial."""

from __future__ import annotations

import math

import numpy as np
from rich.cells import cell_len, set_cell_size

from engine.history.trials import TrialRow
from tui.charts.braille import Floats
from tui.charts.grid import Grid
from tui.charts.scale import Scale, number
from tui.views.search import lines
from tui.views.search.axes import Axis
from tui.views.search.sheet import BEST, CHOSEN, GOOD, OTHER, Sheet, good, legend, outstanding, row_of, say, title

APART = 13
"""Cells between two axes at the least."""


def draw(sheet: Sheet, grid: Grid, now: Scale | None) -> Scale | None:
    """Draw into `grid`; returns the scale of the result, to be given again."""
    rows = sheet.drawn([row for row in sheet.trials.rows.values() if row.params])
    if not rows or not sheet.axes:
        title(grid, "settings and result", ())
        say(grid, "No trial has begun yet.")
        return now
    scale = sheet.scale(sheet.trials.ended() or rows, now)
    axes, more = shown(sheet, max(1, (grid.width - 12) // APART))
    top, height = 3, max(1, grid.height - 4)
    margin = 5
    columns = [margin + round(i * (grid.width - 2 * margin - 2) / len(axes)) for i in range(len(axes) + 1)]

    shares = np.full((len(rows), len(axes) + 1), np.nan)
    for at, row in enumerate(rows):
        for place, axis in enumerate(axes):
            if axis.path in row.params:
                shares[at, place] = axis.share(row.params[axis.path])
        if row.over:
            share = scale.share(row.value)
            shares[at, -1] = min(1.0, max(0.0, share)) if not math.isnan(share) else math.nan
    table = _across(lines.rows_of(shares, 4 * height), columns, 2 * grid.width)
    quarter = good(sheet.trials)
    kinds = [sheet.special(row) or (GOOD if row.number in quarter else OTHER) for row in rows]
    layers = []
    for style in (OTHER, GOOD, BEST, CHOSEN):
        mine = [at for at, kind in enumerate(kinds) if kind == style]
        if mine:
            layers.append((lines.many(table[mine], 4 * height), style))
    lines.lay(grid, 0, top, layers)

    chosen = sheet.trials.rows.get(sheet.chosen) if sheet.chosen is not None else None
    for place, axis in enumerate(axes):
        room = min(columns[1] - columns[0], 24) - 2
        _axis(grid, columns[place], top, height, axis, room)
        if chosen is not None and axis.path in chosen.params and not axis.keys:
            _value(grid, columns[place], top, height, axis, chosen)
    _result(grid, columns[-1], top, height, sheet, scale)
    items = legend(sheet, "⠤⠤")
    items += [("best quarter", "⠤⠤", GOOD)] if GOOD in kinds else []
    note = f", {more}" if more else ""
    title(grid, f"settings and result{note}", items)
    return scale


def shown(sheet: Sheet, most: int) -> tuple[list[Axis], str]:
    """The axes that have room, from the sheet's page on, and in words that there are more."""
    axes = list(sheet.axes)
    if len(axes) <= most:
        return axes, ""
    pages = -(-len(axes) // most)
    first = sheet.page % pages * most
    return axes[first : first + most], f"{first + 1} to {min(len(axes), first + most)} of {len(axes)} (h)"


def _across(rows: Floats, columns: list[int], dots: int) -> Floats:
    """Lines through points (lines, axes) in dot rows at cell `columns`, as rows (lines, dots)."""
    found = np.full((len(rows), dots), np.nan)
    for place in range(len(columns) - 1):
        first, last = 2 * columns[place], 2 * columns[place + 1]
        part = (np.arange(first, last + 1) - first) / max(1, last - first)
        start, rise = rows[:, place], rows[:, place + 1] - rows[:, place]
        found[:, first : last + 1] = start[:, None] + part[None, :] * rise[:, None]
    return found


def _centred(grid: Grid, x: int, y: int, words: str, style: str, room: int) -> None:
    if cell_len(words) > room:
        words = set_cell_size(words, max(1, room - 1)).rstrip() + "…"
    start = min(max(0, x - (cell_len(words) - 1) // 2), max(0, grid.width - cell_len(words)))
    grid.put(start, y, words, style)


def _axis(grid: Grid, x: int, top: int, height: int, axis: Axis, room: int) -> None:
    for y in range(top, top + height):
        grid.put(x, y, "│", "chart--axis")
    _centred(grid, x, 1, axis.label, "chart--text", room)
    if not axis.keys:
        low, high = axis.ends
        _centred(grid, x, top - 1, high, "chart--dim", room)
        _centred(grid, x, top + height, low, "chart--dim", room)
        return
    taken: set[int] = set()
    for place, word in enumerate(axis.words):
        y = top + row_of((place + 0.5) / len(axis.words), height)
        if y in taken:
            continue  # more words than rows
        taken.add(y)
        short = word if cell_len(word) <= room - 1 else set_cell_size(word, max(1, room - 2)).rstrip() + "…"
        grid.put(x, y, "┤", "chart--axis")
        grid.put(x + 1, y, f"{short}", "chart--dim")


def _value(grid: Grid, x: int, top: int, height: int, axis: Axis, row: TrialRow) -> None:
    """The chosen trial's value beside the axis."""
    share = axis.share(row.params[axis.path])
    if not math.isnan(share):
        y = top + row_of(share, height)
        grid.put(x, y, "○", CHOSEN)
        grid.put(x + 1, y, axis.shown(row.params[axis.path]), CHOSEN)


def _result(grid: Grid, x: int, top: int, height: int, sheet: Sheet, scale: Scale) -> None:
    for y in range(top, top + height):
        grid.put(x, y, "│", "chart--axis")
    _centred(grid, x, 1, sheet.series + (" (log)" if sheet.log else ""), "chart--title", 16)
    _centred(grid, x, top - 1, number(scale.high), "chart--dim", 8)
    _centred(grid, x, top + height, number(scale.low), "chart--dim", 8)
    for row, style, sign in outstanding(sheet):
        y = top + row_of(scale.share(row.value), height)
        grid.put(x, y, sign, style)
        words = number(row.value)
        grid.put(min(x + 1, grid.width - len(words)), y, words, style)
