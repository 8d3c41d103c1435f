"""What the charts of a search are drawn from, and the frame that they share. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len

from engine.history.trials import TrialRow, Trials
from tui.charts.grid import Grid
from tui.charts.picture import GUTTER
from tui.charts.scale import Scale, fit, number
from tui.views.curves import TITLES
from tui.views.search.axes import Axis

LINES = 200
"""Most lines that a chart draws: more would be one block of dots."""
POINTS = 2000
"""Most points."""
FEW = 32
"""Up to this many planned trials all have their place on the axis from the start."""
OTHER, GOOD, WORK, BEST, CHOSEN = "chart--other", "chart--good", "chart--work", "chart--best", "chart--chosen"


@dataclass(frozen=True)
class Sheet:
    """A search as it stands, and how it is looked at."""

    trials: Trials = field(default_factory=Trials)
    axes: Sequence[Axis] = ()
    planned: int | None = None
    """Trials in all."""
    epochs: int | None = None
    """Planned epochs of a trial."""
    chosen: int | None = None
    """Number of the trial under the cursor."""
    log: bool = False
    page: int = 0
    """Which settings are shown, where they do not all have room."""

    @property
    def series(self) -> str:
        """The monitored series in words: `val loss`, `val accuracy`."""
        return TITLES.get(self.trials.monitor) or self.trials.monitor.replace("_", " ")

    def scale(self, rows: Sequence[TrialRow], now: Scale | None) -> Scale:
        """A scale for the values of trials; single ones far off the rest do not count, the best always does."""
        keep = [self.trials.best.value] if self.trials.best is not None else []
        return fit((row.value for row in rows), log=self.log, keep=keep, now=now)

    def special(self, row: TrialRow) -> str:
        """The style of a trial that stands out; "" for the others."""
        if row is self.trials.best:
            return BEST
        return CHOSEN if row.number == self.chosen else ""

    def drawn(self, rows: Sequence[TrialRow], most: int = LINES) -> list[TrialRow]:
        """At most about `most` of the trials, evenly; those that stand out or train are always among them."""
        if len(rows) <= most:
            return list(rows)
        every = math.ceil(len(rows) / most)
        return [row for at, row in enumerate(rows) if at % every == 0 or self.special(row) or row.state == "running"]


def good(trials: Trials) -> set[int]:
    """Numbers of the best quarter of the completed trials, from four trials on."""
    done = [row for row in trials.ended() if row.state == "completed" and not math.isnan(row.value)]
    if len(done) < 4:
        return set()
    done.sort(key=lambda row: row.value, reverse=not trials.lower_is_better)
    return {row.number for row in done[: len(done) // 4]}


def extent(now: int, planned: int | None) -> int:
    """The right end of an axis that counts: `planned` where that is near; else it doubles when it is reached."""
    if planned is not None and planned <= FEW:
        return max(1, planned, now)
    end = float(FEW) if planned is None else planned / 8
    while end < now:
        end *= 2
    return math.ceil(end)


def title(grid: Grid, words: str, items: Sequence[tuple[str, str, str]], y: int = 0) -> None:
    """A title at the left, and at the right as many of the legend's (word, sign, style) as have room."""
    end = grid.put(0, y, words, "chart--title")
    room = grid.width - end - 2
    shown: list[tuple[str, str, str]] = []
    for item in items:
        size = cell_len(item[0]) + cell_len(item[1]) + 1 + (3 if shown else 0)
        if size > room:
            break
        room -= size
        shown.append(item)
    x = end + 2 + room
    for index, (word, sign, style) in enumerate(shown):
        x = grid.put(x + (3 if index else 0), y, f"{word} ", "chart--text")
        x = grid.put(x, y, sign, style)


def legend(sheet: Sheet, sign: str, other: str = "") -> list[tuple[str, str, str]]:
    """The best and the chosen trial, for a legend; `other` is the chosen one's sign, if it is not the same."""
    items = []
    best = sheet.trials.best
    if best is not None:
        items.append((f"best: trial {best.number}", sign, BEST))
    if sheet.chosen is not None and (best is None or sheet.chosen != best.number):
        items.append((f"trial {sheet.chosen}", other or sign, CHOSEN))
    return items


def outstanding(sheet: Sheet) -> list[tuple[TrialRow, str, str]]:
    """The best and the chosen trial with style and sign, for a chart of points; the one on top last."""
    found = []
    best = sheet.trials.best
    if best is not None:
        found.append((best, BEST, "◆"))
    chosen = sheet.trials.rows.get(sheet.chosen) if sheet.chosen is not None else None
    if chosen is not None and chosen is not best and chosen.over and not math.isnan(chosen.value):
        found.append((chosen, CHOSEN, "○"))
    return found


def say(grid: Grid, words: str) -> None:
    """Words where there is nothing to draw yet."""
    for y, line in enumerate(words.split("\n")):
        grid.put(2, min(2 + y, grid.height - 1), line, "chart--text")


def y_axis(grid: Grid, scale: Scale, top: int, height: int, left: int = 0, ticks: bool = True) -> None:
    """The y axis of a plot whose first column is `left + GUTTER`."""
    at = left + GUTTER - 1
    for y in range(top, top + height):
        grid.put(at, y, "│", "chart--axis")
    taken: set[int] = set()
    for value in scale.ticks(max(2, min(8, height // 2))) if ticks else ():
        row = top + row_of(scale.share(value), height)
        if row not in taken:
            taken.add(row)
            grid.put(left, row, number(value).rjust(GUTTER - 2), "chart--dim")
            grid.put(at, row, "┤", "chart--axis")


def x_axis(
    grid: Grid, y: int, left: int, width: int, ticks: Sequence[tuple[float, str]], name: str = "", corner: bool = True
) -> None:
    """The x axis in row `y`, its labels in the row below: (share of the width, words) each."""
    if corner:
        grid.put(left - 1, y, "└", "chart--axis")
    grid.put(left, y, "─" * width, "chart--axis")
    if name:
        grid.put(max(0, left - 2 - len(name)), y + 1, name, "chart--dim")
    end = left - 1
    for share, words in ticks:
        x = left + min(width - 1, int(share * width + 1e-6))
        grid.put(x, y, "┬", "chart--axis")
        start = max(left, min(x - (cell_len(words) - 1) // 2, left + width - cell_len(words)))
        if start > end:
            end = grid.put(start, y + 1, words, "chart--dim")


def row_of(share: float, height: int) -> int:
    """Row, from 0 at the top, of a share of the scale; kept on the plot."""
    share = 0.0 if math.isnan(share) else min(1.0, max(0.0, share))
    return math.floor((1 - share) * (4 * height - 1) + 0.5) // 4


def whole_ticks(high: float, width: int, low: float = 0.0) -> list[float]:
    """Whole numbers for an axis that counts."""
    return [tick for tick in Scale(low, high).ticks(max(2, width // 8)) if abs(tick - round(tick)) < 1e-9]
