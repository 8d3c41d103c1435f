"""A row that paints its own name and note beside what it holds: few widgets make a form that opens at once."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.containers import Vertical
from textual.geometry import Region
from textual.strip import Strip

from tui.forms.tones import tone


class Labelled(Vertical):
    """Holds a control of one line; its first line shows a name at the left and a note at the right of it."""

    DEFAULT_CSS = """
    Labelled {
        height: auto;
        & > .row--control { margin: 0 0 0 16; }
    }
    """

    def __init__(self, label: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.label = label
        self.note = ""
        """A word at the right end: why the control is locked."""

    def set_note(self, note: str) -> None:
        """Show a note, or none."""
        if note != self.note:
            self.note = note
            for control in self.query_children(".row--control"):
                left = control.styles.margin.left
                control.styles.margin = (0, cell_len(note) + 1 if note else 0, 0, left)
            self.repaint_name()

    def repaint_name(self) -> None:
        """The first line's name or note changed, or its colour."""
        self.refresh(Region(0, 0, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """Name, room for the control, note."""
        width = self.size.width
        ground = self.rich_style
        if y != 0 or not self.label:
            return Strip.blank(width, ground)
        colour = "accent" if self.has_class("-pending") else "foreground" if self._inside else "text-muted"
        controls = self.query_children(".row--control")
        room = controls.first().styles.margin.left - 1 if controls else width
        name = self.label if cell_len(self.label) <= room else set_cell_size(self.label, room - 1) + "…"
        pieces = [Segment(name, tone(self, colour))]
        left = width - cell_len(name) - cell_len(self.note)
        pieces.append(Segment(" " * max(0, left), ground))
        if self.note:
            pieces.append(Segment(self.note, tone(self, "text-disabled")))
        return Strip(pieces).adjust_cell_length(width, ground)

    @property
    def _inside(self) -> bool:
        """Whether the focus is on the control of this row, not on one of a row inside."""
        focused = self.screen.focused if self.is_attached else None
        return focused is not None and focused.parent is self

    def on_descendant_focus(self) -> None:
        """The name brightens."""
        self.repaint_name()

    def on_descendant_blur(self) -> None:
        """The name dims."""
        self.repaint_name()
