"""A list of lines that grows at its end: laid out to the width, scrolled by keys, and written cell by cell.

It follows its end until a person scrolls up, as `tail -f` in a pager does. A line that is longer than the list is wide
goes on below, indented: nothing is cut, and nothing scrolls sideways.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from textual import events
from textual.binding import BindingType
from textual.timer import Timer

from tui.charts.canvas import Canvas
from tui.charts.grid import Grid
from tui.keymap import bindings
from tui.workbench.words import HARD

MOST = 2000
"""Most lines that are kept."""
REST = 0.5
"""Seconds between two paintings of new lines: every row moves with each of them, and nobody reads faster."""


class Log(Canvas, can_focus=True):
    """The lines. `indent` is where a line's continuation begins."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--text", "log--more", "log--thumb", "log--note"}
    DEFAULT_CSS = """
    Log {
        padding: 0 0 0 1;
        & > .log--text { color: $foreground; }
        & > .log--more { color: $text-muted; }
        & > .log--thumb { color: $border; }
        & > .log--note { color: $text-muted; }
        &:focus > .log--thumb { color: $accent; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("log")

    def __init__(self, empty: str, indent: int = 2, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines: list[str] = []
        self._empty = empty
        self._indent = indent
        self._rows: list[tuple[str, bool]] = []
        """What is painted: text, and whether it goes on from the row above."""
        self._laid = (0, 0)
        """Width and number of lines that the rows are made from."""
        self._back = 0
        """Rows between the last row shown and the end."""
        self._painted = 0.0
        self._due: Timer | None = None

    def clear(self) -> None:
        """Forget every line."""
        self.lines.clear()
        self._rows.clear()
        self._laid = (0, 0)
        self._back = 0
        self.repaint()

    def extend(self, lines: Iterable[str]) -> None:
        """Add lines at the end. Who reads further up keeps the place."""
        new = list(lines)
        if not new:
            return
        before = len(self._rows)
        self.lines += new
        if len(self.lines) > MOST:
            del self.lines[:-MOST]
            self._laid = (0, 0)
            self._rows.clear()
        else:
            self._lay()
            if self._back:
                self._back += len(self._rows) - before
        if self._due is None:
            wait = self._painted + REST - time.monotonic()
            if wait > 0:
                self._due = self.set_timer(wait, self._paint_new)
            else:
                self._paint_new()

    def _paint_new(self) -> None:
        self._due = None
        self._painted = time.monotonic()
        self.repaint()

    def _lay(self) -> None:
        """Lay out the lines that are not yet, or all of them for another width."""
        width = max(8, self.content_size.width - 2)
        if self._laid[0] != width:
            self._rows.clear()
            self._laid = (width, 0)
        for line in self.lines[self._laid[1] :]:
            self._rows += fold(line, width, min(self._indent, width // 3))
        self._laid = (width, len(self.lines))

    def paint(self, grid: Grid) -> None:
        """The rows that fit, and at the right how far down they are."""
        if not self.lines:
            grid.put(0, 0, self._empty, "log--note")
            return
        self._lay()
        rows, height = len(self._rows), grid.height
        self._back = min(self._back, max(0, rows - height))
        first = max(0, rows - height - self._back)
        for y, (text, more) in enumerate(self._rows[first : first + height]):
            grid.put(0, y, text, "log--more" if more else "log--text")
        if rows > height and grid.width > 8:
            length = max(1, round(height * height / rows))
            start = round((height - length) * first / (rows - height))
            for y in range(start, start + length):
                grid.put(grid.width - 1, y, "▐", "log--thumb")

    def action_scroll(self, rows: int) -> None:
        """Up (negative) or down; beyond the end is the end, where new lines are followed."""
        self._back = max(0, min(self._back - rows, max(0, len(self._rows) - self.content_size.height)))
        self.repaint()

    def action_page(self, pages: int) -> None:
        """A screen up or down."""
        self.action_scroll(pages * max(1, self.content_size.height - 1))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self.action_scroll(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self.action_scroll(3)


def fold(line: str, width: int, indent: int) -> list[tuple[str, bool]]:
    """A line as rows of at most `width` cells, broken between words; rows after the first are indented."""
    if cell_len(line) <= width:
        return [(line.replace(HARD, " "), False)]
    rows: list[str] = []
    now = ""
    for word in _words(line, width - indent):
        if now.strip() and cell_len(now) + cell_len(word.rstrip()) > width:
            rows.append(now.rstrip())
            now = " " * indent + word.lstrip()
        else:
            now += word
    rows.append(now.rstrip())
    return [(row.replace(HARD, " "), at > 0) for at, row in enumerate(rows)]


def _words(line: str, most: int) -> list[str]:
    """Words with the blanks before them; one longer than `most` cells in pieces."""
    found: list[str] = []
    blank = ""
    for piece in line.split(" "):
        if not piece:
            blank += " "
            continue
        pieces = chop_cells(piece, max(1, most)) if cell_len(piece) > most else [piece]
        found.append(blank + pieces[0])
        found += pieces[1:]
        blank = " "
    return found
