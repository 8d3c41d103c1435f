"""The recipe as text: an editor with colours, and its problems marked on their lines.

It opens for reading: arrow keys move the cursor and plain letters are the workbench's keys. Enter or a click begins to
write, escape ends it.

Typing reaches the document after a short rest, so that undo takes back words, not letters; every other change of the
document appears here at once and leaves the cursor on its word.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.document._document import Document as TextDocument
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer
from textual.widgets import TextArea
from textual.widgets.text_area import TextAreaTheme

from engine.recipe.problem import Problem
from tui.keymap import bindings
from tui.views.yaml_style import tokens
from tui.workbench.context import Context, Reveal

REST = 0.3
"""Seconds without a key after which what was typed becomes one change of the document."""
COLOURED = 2000
"""Longest line that is coloured: a longer one is data, not a setting."""


class EditorTheme(TextAreaTheme):
    """The style sheet's colours; the cursor's line changes the ground alone and leaves every word its colour."""

    def apply_css(self, text_area: TextArea) -> None:
        """Take the styles from the sheet."""
        super().apply_css(text_area)
        self.cursor_line_style = text_area.get_component_rich_style("text-area--cursor-line", partial=True)


class RecipeEditor(TextArea):
    """The text area."""

    DEFAULT_CSS = """
    RecipeEditor {
        border: none; padding: 0; background: $surface; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
    }
    RecipeEditor:focus { border: none; background-tint: transparent; }
    RecipeEditor .text-area--cursor-line { background: $line; }
    RecipeEditor .text-area--gutter { color: $text-disabled; }
    RecipeEditor .text-area--cursor-gutter { color: $foreground; background: $line; text-style: none; }
    RecipeEditor:dark.-read-only .text-area--cursor, RecipeEditor:light.-read-only .text-area--cursor {
        background: $selection; color: $foreground;
    }
    RecipeEditor .text-area--matching-bracket { background: $selection-blurred; }
    RecipeEditor > .yaml--key { color: $yaml-key; }
    RecipeEditor > .yaml--part { color: $yaml-part; }
    RecipeEditor > .yaml--number { color: $yaml-number; }
    RecipeEditor > .yaml--word { color: $yaml-word; }
    RecipeEditor > .yaml--text { color: $yaml-text; }
    RecipeEditor > .yaml--comment { color: $yaml-comment; }
    RecipeEditor > .yaml--sign { color: $text-muted; }
    RecipeEditor > .problem--error { color: $error; }
    RecipeEditor > .problem--warning { color: $warning; }
    RecipeEditor > .problem--info { color: $accent; }
    """
    COMPONENT_CLASSES = {
        *(f"yaml--{kind}" for kind in ("key", "part", "number", "word", "text", "comment", "sign")),
        *(f"problem--{severity}" for severity in ("error", "warning", "info")),
    }
    BINDINGS: ClassVar[list[BindingType]] = bindings("editor")
    MARKS: ClassVar[dict[str, str]] = {"error": "✗", "warning": "!", "info": "i"}

    class ModeChanged(Message):
        """Plain letters are text now, or keys again."""

    def __init__(self, text: str) -> None:
        super().__init__(
            text,
            soft_wrap=False,
            tab_behavior="indent",
            show_line_numbers=True,
            read_only=True,
            max_checkpoints=2,
        )
        self.indent_width = 2
        self.cursor_blink = False
        self.register_theme(EditorTheme("goodfit"))
        self.theme = "goodfit"
        self._marked: dict[int, Problem] = {}

    def mark(self, problems: list[Problem]) -> None:
        """Mark lines; the first problem of a line, as they come, is the one that is shown."""
        marked: dict[int, Problem] = {}
        for problem in problems:
            marked.setdefault(problem.line - 1, problem)
        if marked != self._marked:
            self._marked = marked
            self._line_cache.clear()
            self.refresh()

    def problem_at(self, line: int) -> Problem | None:
        """The problem shown on a line (from 0)."""
        return self._marked.get(line)

    def get_line(self, line_index: int) -> Text:
        """One line with its colours."""
        line = super().get_line(line_index)
        if len(line) > COLOURED:
            return line
        for start, end, kind in tokens(line.plain):
            line.stylize(self._tone(f"yaml--{kind}"), start, end)
        problem = self._marked.get(line_index)
        if problem is not None:
            start = min(problem.column - 1, max(0, len(line) - 1))
            end = next((stop for begin, stop, _ in tokens(line.plain) if begin <= start < stop), len(line))
            line.stylize(self._tone(f"problem--{problem.severity}") + Style(underline=True), start, end)
        return line

    def _tone(self, name: str) -> Style:
        return self.get_component_rich_style(name, partial=True)

    def _render_line(self, y: int) -> Strip:
        strip = super()._render_line(y)
        try:
            line, section = self.wrapped_document._offset_to_line_info[y + self.scroll_offset.y]
        except IndexError:
            return strip
        problem = self._marked.get(line)
        if problem is None or section:
            return strip
        width = self.gutter_width
        gutter = next(iter(strip.crop(0, 1)), Segment(" "))
        style = (gutter.style or Style()) + self._tone(f"problem--{problem.severity}") + Style(bold=True)
        mark = Strip([Segment(self.MARKS[problem.severity] + " ", style)])
        return Strip.join([strip.crop(0, width - 2), mark, strip.crop(width)])

    def take(self, text: str) -> None:
        """Show `text`, replacing only what differs, so that the cursor stays where it is."""
        old = self.text
        if text == old:
            return
        start = 0
        shorter = min(len(old), len(text))
        while start < shorter and old[start] == text[start]:
            start += 1
        tail = 0
        while tail < shorter - start and old[-1 - tail] == text[-1 - tail]:
            tail += 1
        document = self.document
        assert isinstance(document, TextDocument)
        self.replace(
            text[start : len(text) - tail],
            document.get_location_from_index(start),
            document.get_location_from_index(len(old) - tail),
            maintain_selection_offset=True,
        )

    def action_undo(self) -> None:
        """Undo is the document's: it knows the changes that panels made too."""
        self.app.run_worker(self.app.run_action("do('recipe.undo')"))

    def action_redo(self) -> None:
        """As undo."""
        self.app.run_worker(self.app.run_action("do('recipe.redo')"))

    def action_write(self) -> None:
        """Enter: letters are text from here on."""
        if self.read_only:
            self.read_only = False
            self.post_message(self.ModeChanged())

    def leave(self) -> None:
        """Letters are keys again."""
        if not self.read_only:
            self.read_only = True
            self.post_message(self.ModeChanged())

    def on_mouse_down(self) -> None:
        """Who clicks into the text means to write."""
        self.action_write()

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "escape" and not self.read_only:
            event.stop()
            event.prevent_default()
            self.leave()

    def on_blur(self) -> None:
        """Coming back by tab means reading."""
        self.leave()


class RecipeView(Vertical):
    """The recipe of a context as an editor tab."""

    class Typed(Message):
        """The person typed: `text` is what the recipe now says."""

        def __init__(self, context: Context, text: str) -> None:
            super().__init__()
            self.context = context
            self.text = text

    class Moved(Message):
        """The cursor moved."""

        def __init__(self, context: Context) -> None:
            super().__init__()
            self.context = context

    def __init__(self, context: Context, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.context = context
        self._rest: Timer | None = None

    def compose(self) -> ComposeResult:
        """The editor alone: lists and bars are the workbench's."""
        document = self.context.document
        yield RecipeEditor(document.text if document else "")

    @property
    def editor(self) -> RecipeEditor:
        """The text area."""
        return self.query_one(RecipeEditor)

    def on_mount(self) -> None:
        """Marks at once."""
        self.on_document_changed()

    def on_document_changed(self) -> None:
        """Show the document and its problems."""
        document, checked = self.context.document, self.context.checked
        if document is None:
            return
        if self._rest is None:
            # While a person types, what they typed is newer than the document.
            self.editor.take(document.text)
        order = {"error": 0, "warning": 1, "info": 2}
        problems = sorted(checked.problems, key=lambda problem: order[problem.severity]) if checked else []
        self.editor.mark(problems)

    def on_text_area_changed(self) -> None:
        """Wait for a rest, then tell the document."""
        document = self.context.document
        if document is None or self.editor.text == document.text:
            return
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(REST, self.flush)

    def flush(self) -> None:
        """The rest is over."""
        text = self.unsent()
        if text is not None:
            self.post_message(self.Typed(self.context, text))

    def unsent(self) -> str | None:
        """What was typed and not told yet, or None; whoever asks tells it."""
        if self._rest is None:
            return None
        self._rest.stop()
        self._rest = None
        return self.editor.text

    def on_text_area_selection_changed(self) -> None:
        """The status bar shows where the cursor is."""
        self.post_message(self.Moved(self.context))

    @property
    def place(self) -> tuple[int, int]:
        """Line and column of the cursor, from 1."""
        row, column = self.editor.cursor_location
        return row + 1, column + 1

    def go_to(self, line: int, column: int) -> None:
        """Put the cursor at a place (from 1) and the focus on the text, as it is: reading or writing."""
        self.editor.move_cursor((max(0, line - 1), max(0, column - 1)), center=True)
        self.editor.focus()

    def on_reveal(self, message: Reveal) -> None:
        """Go to a setting."""
        if self.context.document is not None:
            self.go_to(*self.context.document.position(message.path))
