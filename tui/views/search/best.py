"""The best value so far over the trials that are over, and each trial's own."""

from __future__ import annotations

import math

import numpy as np

from tui.charts.grid import Grid
from tui.charts.picture import GUTTER
from tui.charts.scale import Scale, number
from tui.views.search import lines
from tui.views.search.sheet import (
    BEST,
    CHOSEN,
    OTHER,
    Sheet,
    extent,
    legend,
    outstanding,
    row_of,
    say,
    title,
    whole_ticks,
    x_axis,
    y_axis,
)

SIGNS = {"completed": "•", "pruned": "×"}


def draw(sheet: Sheet, grid: Grid, now: Scale | None) -> Scale | None:
    """Draw into `grid`; returns the scale, to be given again."""
    trials = sheet.trials
    rows = trials.ended()
    if not rows:
        title(grid, f"best {sheet.series} so far", ())
        say(grid, "No trial is over yet.")
        return now
    left, width, height = GUTTER, max(1, grid.width - GUTTER), max(1, grid.height - 3)
    scale = sheet.scale(rows, now)
    numbers = np.array([row.number for row in rows])
    end = extent(int(numbers.max()) + 1, sheet.planned)
    y_axis(grid, scale, 1, height)
    ticks = [((tick + 0.5) / end, number(tick)) for tick in whole_ticks(end - 1, width)]
    x_axis(grid, 1 + height, left, width, ticks, "trial")

    dots = 2 * width
    line = np.full((1, dots), np.nan)
    best = np.asarray(trials.best_so_far())
    at = np.floor((np.arange(dots) + 0.5) / dots * end).astype(np.int64)
    known = at < len(best)
    line[0, known] = lines.rows_of(lines.shares_of(best[at[known]], scale.low, scale.high, scale.log), 4 * height)

    roomy = end <= width
    shares = lines.shares_of(np.array([row.value for row in rows]), scale.low, scale.high, scale.log)
    points = np.zeros((4 * height, dots), dtype=np.bool_)
    if not roomy:
        there = ~np.isnan(shares)
        across = np.minimum((numbers[there] + 0.5) / end * dots, dots - 1).astype(np.int64)
        down = np.floor(lines.rows_of(shares[there], 4 * height) + 0.5).astype(np.int64)
        points = lines.dots(across, down, dots, 4 * height)
    lines.lay(grid, left, 1, [(points, OTHER), (lines.many(line, 4 * height), BEST)], join=True)

    for index, row in enumerate(rows):
        x = left + min(width - 1, int((row.number + 0.5) / end * width))
        if math.isnan(row.value):
            grid.put(x, 1 + height, "!", CHOSEN if sheet.special(row) else "chart--bad")
        elif roomy and not sheet.special(row):
            share = float(shares[index])
            sign = "▴" if share > 1.001 else "▾" if share < -0.001 else SIGNS.get(row.state, "!")
            grid.put(x, 1 + row_of(share, height), sign, OTHER)
    for chosen, style, sign in outstanding(sheet):
        x = left + min(width - 1, int((chosen.number + 0.5) / end * width))
        grid.put(x, 1 + row_of(scale.share(chosen.value), height), sign, style)
    items = legend(sheet, "◆", "○")
    items.append(("so far", "⠤⠤", BEST))
    items.append(("each", "•" if roomy else "⠂", OTHER))
    items += [("pruned", "×", OTHER)] if roomy and trials.count("pruned") else []
    items += [("failed", "!", "chart--bad")] if trials.count("failed") else []
    title(grid, f"best {sheet.series} so far{' (log)' if sheet.log else ''}", items)
    return scale
