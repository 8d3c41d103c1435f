"""Every trial's curve on one chart: those at work, the best and the chosen one stand out."""

from __future__ import annotations

import numpy as np

from engine.history.trials import Curve
from tui.charts.braille import Floats
from tui.charts.grid import Grid
from tui.charts.picture import GUTTER
from tui.charts.scale import Scale, fit, number
from tui.views.search import lines
from tui.views.search.sheet import (
    BEST,
    CHOSEN,
    OTHER,
    WORK,
    Sheet,
    extent,
    legend,
    say,
    title,
    whole_ticks,
    x_axis,
    y_axis,
)


def draw(sheet: Sheet, grid: Grid, now: Scale | None) -> Scale | None:
    """Draw into `grid`; returns the scale, to be given again."""
    trials = sheet.trials
    rows = sheet.drawn([row for row in trials.rows.values() if len(row.curve)])
    words = f"{sheet.series} of every trial{' (log)' if sheet.log else ''}"
    if not rows:
        title(grid, words, ())
        say(grid, "No trial has finished an epoch yet.")
        return now
    left, width, height = GUTTER, max(1, grid.width - GUTTER), max(1, grid.height - 3)
    longest = max(row.curve.epoch for row in rows)
    high = float(max(2, extent(longest, sheet.epochs)))
    dots = 2 * width
    table = np.stack([sampled(row.curve, high, dots) for row in rows])
    # Where a curve begins it may lie far above the rest: it is no outlier, but need not be on the chart either.
    ends = [row.curve.last for row in rows]
    firsts = [row.curve.values[0] for row in rows]
    keep = [trials.best.value] if trials.best is not None else []
    scale = fit([*_few(table), *ends], log=sheet.log, keep=keep, first=firsts, now=now)
    y_axis(grid, scale, 1, height)
    ticks = [((tick - 1) / (high - 1), number(tick)) for tick in whole_ticks(high, width, 1.0)]
    x_axis(grid, 1 + height, left, width, ticks, "epoch")

    at = lines.rows_of(lines.shares_of(table, scale.low, scale.high, scale.log), 4 * height)
    kinds = [sheet.special(row) or (WORK if row.state == "running" else OTHER) for row in rows]
    layers = []
    for style in (OTHER, WORK, BEST, CHOSEN):
        mine = [index for index, kind in enumerate(kinds) if kind == style]
        if mine:
            layers.append((lines.many(at[mine], 4 * height), style))
    lines.lay(grid, left, 1, layers)
    items = legend(sheet, "⠤⠤")
    items += [("at work", "⠤⠤", WORK)] if WORK in kinds else []
    items += [("others", "⠤⠤", OTHER)] if OTHER in kinds else []
    title(grid, words, items)
    return scale


def sampled(curve: Curve, high: float, dots: int) -> Floats:
    """The curve at every dot column between epoch 1 and epoch `high`; NaN where it has not been."""
    epochs, values = np.frombuffer(curve.epochs), np.frombuffer(curve.values).copy()
    values[~np.isfinite(values)] = np.nan
    column = np.minimum(np.floor((epochs - 1) / (high - 1) * dots), dots - 1)
    found = np.full(dots, np.nan)
    first, last = int(column[0]), int(column[-1])
    at = np.arange(first, last + 1)
    found[at] = np.interp(at, column, values) if len(values) > 1 else values[0]
    return found


def _few(table: Floats) -> list[float]:
    """About 4000 of the values: enough to see between which bounds they lie."""
    flat = table[np.isfinite(table)]
    return [float(value) for value in flat[:: max(1, len(flat) // 4000)]]
