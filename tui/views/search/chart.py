"""The chart of a search: one of five drawings, repainted where its cells change."""

from __future__ import annotations

import importlib
from typing import ClassVar

from tui.charts.canvas import Canvas
from tui.charts.grid import Grid
from tui.charts.scale import Scale
from tui.views.search.sheet import Sheet

CHARTS = {
    "best": "best so far",
    "curves": "curves",
    "parallel": "parallel",
    "importance": "importance",
    "marginals": "marginals",
}
"""The charts in the order of their keys, 1 to 5."""
_MODULES = {"curves": "every"}


class TrialChart(Canvas):
    """One chart at a time; each keeps its own scale while it is away."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "chart--title",
        "chart--text",
        "chart--dim",
        "chart--axis",
        "chart--other",
        "chart--good",
        "chart--work",
        "chart--best",
        "chart--chosen",
        "chart--bar",
        "chart--bad",
    }
    DEFAULT_CSS = """
    TrialChart {
        height: 3fr;
        & > .chart--title { color: $foreground; text-style: bold; }
        & > .chart--text { color: $text-muted; }
        & > .chart--dim { color: $text-muted; }
        & > .chart--axis { color: $grid; }
        & > .chart--other { color: $text-disabled; }
        & > .chart--good { color: $train; }
        & > .chart--work { color: $train; }
        & > .chart--best { color: $success; text-style: bold; }
        & > .chart--chosen { color: $val; text-style: bold; }
        & > .chart--bar { color: $accent; }
        & > .chart--bad { color: $error; text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.kind = "best"
        self.sheet = Sheet()
        self._monitor = ""
        self._scales: dict[tuple[str, bool], Scale | None] = {}
        self._drawn: tuple[object, ...] = ()

    def show(self, sheet: Sheet, kind: str) -> None:
        """Show a search. Scales stay while everything fits on them."""
        trials = sheet.trials
        if trials is not self.sheet.trials or trials.monitor != self._monitor:
            self._scales.clear()
            self._monitor = trials.monitor
        # Of what happens between a trial's begin and its end only its curve tells.
        turns = trials.version if kind == "curves" else trials.turns
        drawn = (sheet, kind, turns, id(trials), self.content_size)
        self.sheet, self.kind = sheet, kind
        if drawn != self._drawn:
            self._drawn = drawn
            self.repaint()

    def paint(self, grid: Grid) -> None:
        """Draw the chart that is shown."""
        # Numpy comes with it: not before there is something to draw.
        drawing = importlib.import_module(f"tui.views.search.{_MODULES.get(self.kind, self.kind)}")
        key = (self.kind, self.sheet.log)
        self._scales[key] = drawing.draw(self.sheet, grid, self._scales.get(key))
