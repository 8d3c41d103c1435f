"""A bar: one line (or column) of labelled cells that can be clicked. No layout, repainted only when it changed."""

from __future__ import annotations

from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget


@dataclass(frozen=True)
class Cell:
    """A piece of a bar."""

    text: str
    """One line, as wide as it will be."""
    tone: str = "plain"
    """A component class of the bar, without its prefix."""
    does: str = ""
    """What a click means: sent with `Bar.Chosen`."""


class Bar(Widget):
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
            self.refresh()

    def _placed(self) -> list[tuple[int, Cell]]:
        """Cells with the column each begins at, as many as fit."""
        from rich.cells import cell_len

        placed = []
        x = 0
        for cell in self._left:
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

    def render_line(self, y: int) -> Strip:
        """Textual's line API: the bar's one line."""
        ground = self.rich_style
        if y != 0:
            return Strip.blank(self.size.width, ground)
        strips = []
        x = 0
        for start, cell in self._placed():
            if start > x:
                strips.append(Strip([Segment(" " * (start - x), ground)]))
            piece = Strip([Segment(cell.text, self._style(cell.tone))])
            strips.append(piece)
            x = start + piece.cell_length
        return Strip.join(strips).adjust_cell_length(self.size.width, ground)

    def _style(self, tone: str) -> Style:
        return self.rich_style + self.get_component_rich_style(f"bar--{tone}", partial=True)

    def on_click(self, event: events.Click) -> None:
        """Send what the clicked cell does."""
        for start, cell in self._placed():
            if cell.does and start <= event.x < start + len(cell.text):
                self.post_message(self.Chosen(self, cell.does))
