"""One field of a form: its name, a control, and a line for what is wrong with it.

The document holds the truth. A control shows it, the person changes what is shown, Enter makes an edit of the
difference, Escape shows the truth again. While a person is in the middle of typing, a change from elsewhere does not
take the words away.
"""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import Input, Static

from engine.errors import UserError
from engine.parts.part import FieldInfo
from engine.recipe.edits import MISSING, Edit
from engine.recipe.paths import parent
from tui.clean import clean
from tui.forms.choice import Choice
from tui.forms.labelled import Labelled
from tui.forms.values import default_words, parse, show, step
from tui.keymap import bindings
from tui.workbench.context import Context

APPLY = "↵ apply"
"""The note beside a value that is changed and not yet an edit."""


class Line(Input):
    """A text line that gives Escape and the keys for larger and smaller to its field; up and down leave it."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("field")
    DEFAULT_CSS = """
    Line, Line.-textual-compact { background: transparent; width: 1fr; }
    Line:focus { background: $boost; background-tint: transparent; }
    Line > .input--placeholder { color: $text-muted; text-style: none; }
    Line:disabled { color: $text-muted; }
    """

    class Stepped(Message):
        """The person wants a larger or smaller value."""

        def __init__(self, up: bool) -> None:
            super().__init__()
            self.up = up

    class Restored(Message):
        """The person pressed Escape."""

    def action_step(self, by: int) -> None:
        """A larger or smaller value."""
        self.post_message(self.Stepped(by > 0))

    def action_restore(self) -> None:
        """Take the change back; where there is none, leave the field."""
        if not any(node.has_class("-pending") for node in self.ancestors):
            raise SkipAction
        self.post_message(self.Restored())


class Field(Labelled):
    """A field bound both ways to the value at `path`."""

    DEFAULT_CSS = """
    Field .field--message { height: auto; color: $error; padding-left: 2; display: none; }
    Field.-said .field--message { display: block; }
    Field.-said.-warning .field--message { color: $warning; }
    Field.-said.-info .field--message { color: $text-muted; }
    """

    def __init__(self, context: Context, path: str, info: FieldInfo, *, label: str = "", under: str = "") -> None:
        super().__init__(label or info.name)
        self._under = under
        """Type of the part that the field belongs to, to be written out where the recipe leaves the part out."""
        self.context = context
        self.path = path
        self.info = info
        self._shown = ""
        """The document's value as last shown."""
        self._said = ""
        """A complaint about what was typed; it goes before the recipe's problems."""
        self._committed = False
        self._ready = False
        self._why = ""
        """Why it is locked, in a word."""
        self._options = [(value, show(value)) for value in self._choices()]
        # Kept by name: a field may be taken away again while it is being put in place.
        self.control: Choice | Line
        if self.by_choice:
            self.control = Choice(self._options, default_words(info))
        else:
            self.control = Line(placeholder=default_words(info), compact=True, disabled=info.kind == "layers")
        self.control.add_class("row--control")
        self._message = Static("", markup=False, classes="field--message")

    def _choices(self) -> list[Any]:
        if self.info.kind == "boolean":
            values: list[Any] = [False, True]
        else:
            values = list(self.info.choices)
        return [*values, None] if self.info.nullable and self.info.default is not None else values

    @property
    def by_choice(self) -> bool:
        """Whether the field is a choice of words; else it is a line of text."""
        return self.info.kind in ("boolean", "choice")

    def compose(self) -> ComposeResult:
        """The control; a message joins when there is something to say."""
        yield self.control

    def on_mount(self) -> None:
        """Show the document's value."""
        self._ready = True
        self.sync(force=True)

    # What is true

    @property
    def value(self) -> Any:
        """The document's value, or MISSING."""
        return MISSING if self.context.document is None else self.context.document.get(self.path, MISSING)

    @property
    def text(self) -> str:
        """What the control shows; "" stands for the default."""
        if isinstance(self.control, Choice):
            return "" if self.control.index is None else self.control.word
        return self.control.value

    @property
    def pending(self) -> bool:
        """Whether the person has changed what is shown without applying it."""
        return self.text != self._shown

    def sync(self, force: bool = False) -> None:
        """Show the document again: the value, unless the person is changing it; the lock; the problems."""
        if not self._ready:
            return
        now = self._words(self.value)
        if now != self._shown or force:
            keep = self.pending and not self._committed and not force
            self._shown = now
            self._committed = False
            if not keep:
                self._put(now)
        self._lock()
        self._mark()

    def _words(self, value: Any) -> str:
        if self.info.kind == "layers" and isinstance(value, list):
            return "1 layer" if len(value) == 1 else f"{len(value)} layers"
        if self.info.kind == "text" and isinstance(value, str):
            return clean(value)
        return clean(show(value, self.info.log))

    def _put(self, text: str) -> None:
        self._said = ""
        choice = self.control
        if isinstance(choice, Line):
            if choice.value != text:
                choice.value = text
            return
        words = [word for _, word in choice.options]
        if text and text not in words:
            choice.options = [*self._options, (self.value, text)]
            words.append(text)
        choice.show(words.index(text) if text else None)

    def _lock(self) -> None:
        why = self.context.locked(self.info.live, self.path)
        disabled = bool(why) or self.info.kind == "layers"
        if self.control.disabled != disabled:
            self.control.disabled = disabled
        self._why = note_of(why) if why else ""

    def _mark(self) -> None:
        if self.pending != self.has_class("-pending"):
            self.set_class(self.pending, "-pending")
            self.repaint_name()
        self.set_note(self._why or (APPLY if self.pending else ""))
        message, severity = self._said, "error"
        if not message and not self.pending and self.context.checked is not None:
            for problem in self.context.checked.problems:
                if problem.path == self.path:
                    message, severity = problem.message, problem.severity
                    break
        if message and not self._message.is_attached:
            self.mount(self._message)
        if str(self._message.content) != clean(message):
            self._message.update(clean(message))
        self.set_class(bool(message), "-said")
        self.set_class(severity == "warning", "-warning")
        self.set_class(severity == "info", "-info")

    # What the person does

    @on(Input.Changed)
    @on(Choice.Changed)
    def _typed(self, event: Message) -> None:
        event.stop()
        if self._said:
            self._said = ""
        self._mark()

    @on(Line.Stepped)
    def _stepped(self, event: Line.Stepped) -> None:
        event.stop()
        if self.info.kind not in ("number", "integer"):
            return
        line = self.control
        assert isinstance(line, Line)
        try:
            value = parse(self.info, line.value) if line.value.strip() else self._start()
        except UserError:
            return
        line.value = show(step(self.info, value, event.up), self.info.log)

    def _start(self) -> Any:
        """Where stepping begins in an empty field: the default, else the smallest value allowed."""
        if isinstance(self.info.default, int | float):
            return self.info.default
        return 1 if self.info.kind == "integer" else 0.1

    @on(Line.Restored)
    @on(Choice.Restored)
    def _restored(self, event: Message) -> None:
        event.stop()
        self._put(self._shown)
        self._mark()

    @on(Choice.Cleared)
    def _cleared(self, event: Message) -> None:
        event.stop()
        if isinstance(self.control, Choice):
            self.control.show(None)
        self._mark()

    @on(Input.Submitted)
    @on(Choice.Chosen)
    def _enter(self, event: Message) -> None:
        event.stop()
        self.commit()

    def commit(self) -> bool:
        """Make an edit of what is shown; False where it cannot be, with the reason at the field."""
        present = self.value
        if not self.pending:
            return True
        if self.context.locked(self.info.live, self.path):
            return self._refuse(self.context.locked(self.info.live, self.path))
        try:
            edit = self._edit(present)
        except UserError as error:
            return self._refuse(f"{error.message}. {error.hint}".rstrip(". ") if error.hint else error.message)
        self._committed = True
        try:
            done = edit is None or self.context.apply((edit,), self._saying(present, edit))
        except UserError as error:
            self._committed = False
            return self._refuse(error.message)
        if not done:
            self._committed = False
            return self._refuse("not applied")
        self._said = ""
        self.sync()
        return True

    def _edit(self, present: Any) -> Edit | None:
        text = self.text.strip()
        if not text:
            if self.info.required and not self.info.nullable:
                raise UserError("this is needed")
            return None if present is MISSING else Edit("unset", self.path, expect=present)
        if isinstance(self.control, Choice):
            value = self.control.value
        else:
            value = parse(self.info, text)
        holder = parent(self.path)
        document = self.context.document
        if self._under and document is not None and document.get(holder) is None:
            return Edit("set", holder, {"type": self._under, self.info.name: value})
        return Edit("set", self.path, value, expect=present)

    def _saying(self, present: Any, edit: Edit) -> str:
        old = show(present, self.info.log) or default_words(self.info)
        return (
            f"{self.path}: {old} → {show(edit.value, self.info.log) if edit.op == 'set' else default_words(self.info)}"
        )

    def _refuse(self, message: str) -> bool:
        self._said = message
        self._mark()
        return False


def note_of(why: str) -> str:
    """Why a field is locked, in one word beside it."""
    return "fork" if "fork" in why else "locked"
