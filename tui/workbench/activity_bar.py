"""The activity bar: one letter a room, the open one marked."""

from __future__ import annotations

from rich.segment import Segment
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from tui.workbench.bar import Bar
from tui.workbench.side_bar import LETTERS


class ActivityBar(Widget):
    """A column of letters, a blank line between them where there is room."""

    DEFAULT_CSS = """
    ActivityBar { width: 3; }
    ActivityBar > .activity--room { color: $text-muted; }
    ActivityBar > .activity--open { color: $foreground; text-style: bold; }
    ActivityBar > .activity--mark { color: $accent; }
    """
    COMPONENT_CLASSES = {"activity--room", "activity--open", "activity--mark"}

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._open = "explorer"

    def show(self, room: str) -> None:
        """Mark the room that is open; "" for none."""
        if room != self._open:
            self._open = room
            self.refresh()

    def _room(self, y: int) -> str | None:
        rooms = list(LETTERS)
        return rooms[y // 2] if y % 2 == 0 and y // 2 < len(rooms) else None

    def render_line(self, y: int) -> Strip:
        """Textual's line API."""
        room = self._room(y)
        ground = self.rich_style
        if room is None:
            return Strip.blank(self.size.width, ground)
        is_open = room == self._open
        letter = ground + self.get_component_rich_style("activity--open" if is_open else "activity--room", partial=True)
        mark = ground + self.get_component_rich_style("activity--mark", partial=True)
        return Strip([Segment("▌" if is_open else " ", mark), Segment(LETTERS[room] + " ", letter)])

    def on_click(self, event: events.Click) -> None:
        """A click opens the room."""
        room = self._room(event.y)
        if room is not None:
            self.post_message(Bar.Chosen(None, f"view.{room}"))
