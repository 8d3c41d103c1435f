"""The live line chart: the drawing of `plot`, kept still, with a cursor that reads values."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import BindingType

from tui.charts.canvas import Canvas
from tui.charts.grid import Grid
from tui.charts.picture import GUTTER, Picture
from tui.charts.scale import Scale
from tui.keymap import bindings


class LineChart(Canvas, can_focus=True):
    """A chart of a run's series. Left and right move a cursor that shows the values under it; escape hides it."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "chart--title",
        "chart--text",
        "chart--dim",
        "chart--axis",
        "chart--train",
        "chart--validation",
        "chart--metric",
        "chart--shade",
        "chart--level",
        "chart--best",
        "chart--mark",
        "chart--quiet",
        "chart--bad",
        "chart--cursor",
    }
    DEFAULT_CSS = """
    LineChart {
        height: 1fr;
        min-height: 5;
        & > .chart--title { color: $foreground; text-style: bold; }
        & > .chart--text { color: $text-muted; }
        & > .chart--dim { color: $text-muted; }
        & > .chart--axis { color: $grid; }
        & > .chart--train { color: $train; }
        & > .chart--validation { color: $val; text-style: bold; }
        & > .chart--metric { color: $success; }
        & > .chart--shade { color: $train 40%; }
        & > .chart--level { color: $text-muted; }
        & > .chart--best { color: $success; text-style: bold; }
        & > .chart--mark { color: $accent; }
        & > .chart--quiet { color: $text-muted; }
        & > .chart--bad { color: $error; text-style: bold; }
        & > .chart--cursor { color: $text-muted; }
        &:focus > .chart--cursor { color: $accent; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("chart")

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.picture = Picture()
        self.cursor: int | None = None
        self._scale: Scale | None = None

    def show(self, picture: Picture) -> None:
        """Show a picture. The y limits stay while the x range, the scale's kind and the title stay."""
        was = self.picture
        if (was.title, was.log, was.low, was.high) != (picture.title, picture.log, picture.low, picture.high):
            self._scale = None
        self.picture = picture
        self.repaint()

    def paint(self, grid: Grid) -> None:
        """Draw the picture into the grid."""
        from tui.charts.plot import draw  # Numpy comes with it: not before there is something to draw.

        if self.cursor is not None:
            self.cursor = min(self.cursor, max(0, grid.width - GUTTER - 1))
        self._scale = draw(self.picture, grid, self._scale, self.cursor).scale

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is."""
        if event.x >= GUTTER:
            self.cursor = min(event.x - GUTTER, self.content_size.width - GUTTER - 1)
            self.repaint()

    def action_cursor(self, cells: int) -> None:
        """Move the cursor; the first press puts it in the middle, or at the end it was sent to."""
        width = max(1, self.content_size.width - GUTTER)
        start = width // 2 if self.cursor is None else self.cursor + cells
        if self.cursor is None and abs(cells) > width:
            start = cells
        self.cursor = min(width - 1, max(0, start))
        self.repaint()

    def action_hide_cursor(self) -> None:
        """Show the legend again."""
        self.cursor = None
        self.repaint()
