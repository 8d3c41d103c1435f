"""What every panel does: forms that follow the document, help for what has the focus, the way to a setting."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from tui.forms.field import Field
from tui.forms.form import FieldHelp, Form
from tui.keymap import bindings
from tui.workbench.context import LIVE_SEARCH, Context, DocumentChanged, FactsChanged, HistoryChanged, Reveal

LOW = 18
"""Below this height there is no help line."""


class Scroll(VerticalScroll, can_focus=False):
    """A part of a panel that scrolls; the focus goes to what is in it."""

    DEFAULT_CSS = """
    Scroll { scrollbar-size-vertical: 1; }
    """


class Heading(Static):
    """The name of a part of a panel."""

    DEFAULT_CSS = """
    Heading { height: 1; color: $text-muted; text-style: bold; margin-top: 1; }
    Heading.-first { margin-top: 0; }
    """

    def __init__(self, words: str, *, first: bool = False) -> None:
        super().__init__(words.upper(), markup=False, classes="-first" if first else "")


class Panel(Vertical):
    """A panel of forms on one context."""

    DEFAULT_CSS = """
    Panel { padding: 0 1; }
    Panel Scroll { height: 1fr; }
    Panel .panel--note { height: auto; color: $text-muted; }
    Panel.-low FieldHelp { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("panel")

    def __init__(self, context: Context, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.context = context

    def on_mount(self) -> None:
        """Show the document."""
        self.show_document()

    def on_resize(self, event: events.Resize) -> None:
        """Where there is little room, the fields have it all."""
        self.set_class(event.size.height < LOW, "-low")

    def show_document(self) -> None:
        """Everything that depends on the document, its problems or the facts. Subclasses add to it."""
        for form in self.query(Form):
            form.sync()
        for field in self.query(Field):
            if not isinstance(field.parent, Vertical) or not field.parent.has_class("form--body"):
                field.sync()

    def on_document_changed(self, _: DocumentChanged) -> None:
        """The document or its problems changed."""
        self.show_document()

    def on_facts_changed(self, _: FactsChanged) -> None:
        """The data was read."""
        self.show_document()

    def on_history_changed(self, _: HistoryChanged) -> None:
        """The run went on: what matters here is whether it can still be changed."""
        locked = self.context.locked(True, LIVE_SEARCH[0])
        if locked != getattr(self, "_was_locked", None):
            self._was_locked = locked
            self.show_document()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Explain the field."""
        for help_ in self.query(FieldHelp):
            help_.tell(event.widget)

    def on_reveal(self, event: Reveal) -> None:
        """Go to a setting."""
        self.reveal(event.path)

    def reveal(self, path: str) -> bool:
        """Put the focus on the field at `path`; False where the panel has none."""
        for field in self.query(Field):
            if field.path == path:
                return focus_in(field)
        for form in self.query(Form):
            if form.path == path and form.headed:
                return focus_in(form)
        return False


def focus_in(widget: Widget) -> bool:
    for child in widget.query("*"):
        if child.focusable:
            child.focus()
            return True
    return False


def put(widget: Static, words: str) -> None:
    """Show words, unless they are there already; without words the widget takes no room."""
    if str(widget.content) != words:
        widget.update(words)
    if widget.display != bool(words):
        widget.display = bool(words)
