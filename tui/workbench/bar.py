"""A bar: one line of labelled cells that can be clicked. No layout, and only the cells that changed are written."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.message import Message

from tui.charts.canvas import Canvas
from tui.charts.grid import Grid


@dataclass(frozen=True)
class Cell:
    """A piece of a bar."""

    text: str
    """One line, as wide as it will be."""
    tone: str = "plain"
    """A component class of the bar, without its prefix."""
    does: str = ""
    """What a click means: sent with `Bar.Chosen`."""


class Bar(Canvas):
    """A row of cells at the left and one at the right; where there is no room for both, the right one loses its end."""

    DEFAULT_CSS = """
    Bar { height: 1; }
    Bar > .bar--plain { color: $text-muted; }
    Bar > .bar--strong { color: $foreground; }
    Bar > .bar--title { color: $foreground; text-style: bold; }
    Bar > .bar--faint { color: $text-disabled; }
    Bar > .bar--key { color: $accent; }
    Bar > .bar--active { color: $foreground; background: $surface; }
    Bar > .bar--mark { color: $accent; background: $surface; }
    Bar > .bar--underlined { color: $foreground; text-style: underline; }
    Bar > .bar--good { color: $success; }
    Bar > .bar--warning { color: $warning; }
    Bar > .bar--error { color: $error; }
    Bar > .bar--live { color: $accent; text-style: bold; }
    """
    COMPONENT_CLASSES = {
        f"bar--{tone}"
        for tone in (
            "plain",
            "strong",
            "title",
            "faint",
            "key",
            "active",
            "mark",
            "underlined",
            "good",
            "warning",
            "error",
            "live",
        )
    }

    class Chosen(Message):
        """A cell was clicked."""

        def __init__(self, bar: Bar | None, does: str) -> None:
            super().__init__()
            self.bar = bar
            self.does = does

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._left: tuple[Cell, ...] = ()
        self._right: tuple[Cell, ...] = ()

    def show(self, left: list[Cell], right: list[Cell] | None = None) -> None:
        """Put cells in the bar."""
        cells = tuple(left), tuple(right or ())
        if cells != (self._left, self._right):
            self._left, self._right = cells
            self.repaint()

    def _placed(self) -> list[tuple[int, Cell]]:
        """Cells with the column each begins at, as many as fit."""
        placed: list[tuple[int, Cell]] = []
        x = 0
        for cell in self._left:
            if x and x + cell_len(cell.text.rstrip()) > self.size.width and len(placed) > 2:
                break  # half a figure is worse than none
            placed.append((x, cell))
            x += cell_len(cell.text)
        right = list(self._right)
        while right and sum(cell_len(cell.text) for cell in right) > self.size.width - x - 2:
            right.pop()
            if right and right[-1].tone == "key":
                right.pop()  # a key without its word says nothing
        x = self.size.width - sum(cell_len(cell.text) for cell in right)
        for cell in right:
            placed.append((x, cell))
            x += cell_len(cell.text)
        return placed

    def paint(self, grid: Grid) -> None:
        """The cells, with the bar's ground between them."""
        grid.put(0, 0, " " * grid.width, "bar--plain")
        for start, cell in self._placed():
            grid.put(start, 0, cell.text, f"bar--{cell.tone}")

    def on_click(self, event: events.Click) -> None:
        """Send what the clicked cell does."""
        for start, cell in self._placed():
            if cell.does and start <= event.x < start + cell_len(cell.text):
                self.post_message(self.Chosen(self, cell.does))
