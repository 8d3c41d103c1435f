"""A form: the fields of a part or of a section of the recipe, made from their declarations.

A part's form begins with its type; another type brings other fields. What may be absent altogether (a schedule, early
stopping) has `none` or a switch. Sections inside are forms inside.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from engine.errors import UserError
from engine.parts import catalog
from engine.parts.part import FieldInfo, find, names
from engine.recipe.edits import MISSING, Edit
from engine.recipe.paths import child
from engine.recipe.retype import change_type
from tui.clean import clean
from tui.forms.choice import Choice
from tui.forms.field import APPLY, Field, note_of
from tui.forms.fields import fields_of
from tui.forms.labelled import Labelled
from tui.forms.starting import starting_part, starting_section, starting_value
from tui.forms.values import bounds_words
from tui.workbench.context import Context

NONE = "none"
_LAST = ("init", "name", "warmup")


class Form(Labelled):
    """The fields at `path`, bound both ways.

    `family`: a part of that family stands there. `fields`: a section with those fields does. `optional`: it may be
    absent; `default` is the word for that. `skip` leaves fields out, `only` picks some and their order;
    `titled` puts the label over a section that is always there.
    """

    DEFAULT_CSS = """
    Form .form--message { height: auto; color: $error; padding-left: 2; }
    Form .form--message.-warning { color: $warning; }
    Form .form--body { height: auto; }
    Form.-titled > .form--body { margin-top: 1; }
    Form Form .form--body { padding-left: 2; }
    Form Form .form--body .row--control { margin: 0 0 0 14; }
    """

    def __init__(
        self,
        context: Context,
        path: str,
        *,
        family: str = "",
        fields: Sequence[FieldInfo] = (),
        optional: bool = False,
        default: str = NONE,
        label: str = "type",
        skip: Collection[str] = (),
        only: Sequence[str] = (),
        live: bool = False,
        titled: bool = False,
        help: str = "",
    ) -> None:
        headed = bool(family) or optional
        super().__init__(label if headed or titled else "")
        self.set_class(titled and not headed, "-titled")
        self.help_words = help
        self.context = context
        self.path = path
        self.family = family
        self.optional = optional
        self.default = default
        self.name_ = label
        """The field's name, shown or not."""
        self.live = live
        self._section = list(fields)
        self._skip = skip
        self._only = only
        self._type: str | None = None
        self._ready = False
        if family:
            self._options: list[tuple[Any, str]] = [(name, name) for name in names(family)]
        else:
            self._options = [(True, "on")]
        if optional:
            self._options.insert(0, (NONE, default if family else "off"))
        # Kept by name: a form may be taken away again while it is being put in place.
        self.choice = Choice(self._options, default if family else "off")
        self.choice.add_class("row--control")
        self.body = Vertical(classes="form--body")
        self._message = Static("", markup=False, classes="form--message")

    @property
    def headed(self) -> bool:
        """Whether the form begins with a type or a switch."""
        return bool(self.family) or self.optional

    def compose(self) -> ComposeResult:
        """Type or switch, its message, the fields."""
        if self.headed:
            yield self.choice
        self._type = self._present_type()
        with self.body:
            yield from self._widgets()

    def on_mount(self) -> None:
        """Show the document."""
        self._ready = True
        self.sync()

    @property
    def value(self) -> Any:
        """What the document holds at the path, or MISSING."""
        document = self.context.document
        if document is None:
            return MISSING
        return document.get(self.path, MISSING) if self.path else document.data

    def _present_type(self) -> str | None:
        """The type of the part that stands there; for a section "on"; None where nothing does."""
        value = self.value
        if not self.family:
            return "on" if not self.optional or value not in (MISSING, None) else None
        if isinstance(value, dict):
            value = value.get("type")
        return value if isinstance(value, str) else None

    def infos(self) -> list[FieldInfo]:
        """The fields of what stands there now."""
        if self._type is None:
            return []
        if self.family:
            cls = find(self.family, self._type)
            found = fields_of(cls) if cls is not None else []
        else:
            found = self._section
        if self._only:
            by_name = {info.name: info for info in found}
            return [by_name[name] for name in self._only if name in by_name]
        # What a part says of itself comes before what every part of its family has.
        return sorted((info for info in found if info.name not in self._skip), key=lambda info: info.name in _LAST)

    def _widgets(self) -> list[Widget]:
        return [self._widget(info) for info in self.infos()]

    def _widget(self, info: FieldInfo) -> Widget:
        path = child(self.path, info.name)
        if info.kind == "part" and info.family:
            return Form(
                self.context,
                path,
                family=info.family,
                optional=not info.required,
                label=info.name,
                live=info.live,
                help=info.help,
            )
        if info.kind == "mapping" and info.fields:
            return Form(
                self.context,
                path,
                fields=info.fields,
                optional=info.nullable,
                label=info.name,
                live=info.live,
                titled=True,
                help=info.help,
            )
        return Field(self.context, path, info)

    @property
    def fields(self) -> dict[str, Widget]:
        """The form's own rows by field name: fields, and forms of what is inside."""
        return {
            row.info.name if isinstance(row, Field) else row.name_: row
            for row in self.body.children
            if isinstance(row, Field | Form)
        }

    def sync(self) -> None:
        """Show the document again; fields that the present type lacks go, its own come."""
        if not self._ready:
            return
        now = self._present_type()
        if now != self._type:
            self._type = now
            self.body.remove_children()
            self.body.mount(*self._widgets())
        else:
            for row in self.body.children:
                if isinstance(row, Field | Form):
                    row.sync()
        if self.headed:
            self._show_type()

    def _show_type(self) -> None:
        choice = self.choice
        word = self._type
        words = [text for _, text in choice.options]
        if word is not None and word not in words:
            choice.options = [*self._options, (word, word)]
            words.append(word)
        choice.show(words.index(word) if word is not None else None)
        self._mark_pending(choice)
        why = self.context.locked(self.live, self.path)
        if choice.disabled != bool(why):
            choice.disabled = bool(why)
        self._say("")

    def _say(self, said: str) -> None:
        message, severity = said, "error"
        here = (self.path, child(self.path, "type"))
        if not message and self.context.checked is not None:
            for problem in self.context.checked.problems:
                if problem.path in here:
                    message, severity = problem.message, problem.severity
                    break
        static = self._message
        if bool(message) != static.is_attached:
            if message:
                self.mount(static, after=self.choice)
            else:
                static.remove()
                static = self._message = Static("", markup=False, classes="form--message")
        if str(static.content) != clean(message):
            static.update(clean(message))
        static.set_class(severity != "error", "-warning")

    def _mark_pending(self, choice: Choice) -> None:
        shown = choice.word if choice.index is not None and choice.value != NONE else None
        pending = shown != self._type
        if pending != self.has_class("-pending"):
            self.set_class(pending, "-pending")
            self.repaint_name()
        why = self.context.locked(self.live, self.path)
        self.set_note(note_of(why) if why else APPLY if pending else "")

    def _own(self, choice: Choice) -> bool:
        return choice is self.choice

    @on(Choice.Restored)
    def _restored(self, event: Choice.Restored) -> None:
        if self._own(event.choice):
            event.stop()
            self._show_type()

    @on(Choice.Changed)
    def _changed(self, event: Choice.Changed) -> None:
        if self._own(event.choice):
            event.stop()
            self._mark_pending(event.choice)

    @on(Choice.Cleared)
    def _cleared(self, event: Choice.Cleared) -> None:
        if self._own(event.choice):
            event.stop()
            if self.optional:
                event.choice.show(None)

    @on(Choice.Chosen)
    def _chosen(self, event: Choice.Chosen) -> None:
        if self._own(event.choice):
            event.stop()
            value = event.choice.value
            self.choose(None if value in (None, NONE) else value if self.family else "on")

    def choose(self, name: str | None) -> bool:
        """Make what stands here a part called `name`, or nothing; False where it was refused."""
        if name == self._type:
            return True
        words = f"{self.path}: {self._type or self.default} → {name or self.default}"
        try:
            edits, dropped = self._change(name)
        except UserError as error:
            self._say(error.message)
            return False
        if dropped:
            words += f" ({name} has no {', '.join(dropped)})"
        try:
            done = self.context.apply(edits, words)
        except UserError as error:
            self._say(error.message)
            return False
        self.sync()
        if not done:
            self._say("not applied")
        elif dropped:
            self.context.say(f"{name} has no {', '.join(dropped)}: dropped", "information")
        return done

    def _change(self, name: str | None) -> tuple[tuple[Edit, ...], list[str]]:
        """The edits that make what stands here a part called `name`, and the fields that are lost."""
        value, document = self.value, self.context.document
        if name is None:
            return (Edit("unset", self.path, expect=value),), []
        if not self.family:
            return (Edit("set", self.path, starting_section(self._section), expect=value),), []
        cls = find(self.family, name)
        if self._type is None or not isinstance(value, dict) or document is None or cls is None:
            return (Edit("set", self.path, starting_part(self.family, name), expect=value),), []
        edits, dropped = change_type(document, self.path, name)
        kept = value.keys() - set(dropped)
        needed = [info for info in fields_of(cls) if info.required and info.name not in kept]
        more = (Edit("set", child(self.path, info.name), starting_value(info)) for info in needed)
        return (*edits, *more), dropped


class FieldHelp(Static):
    """What the field with the focus means: its help, its bounds, what a smaller and a larger value do."""

    DEFAULT_CSS = """
    FieldHelp {
        height: auto; min-height: 4; max-height: 9; padding: 0 1;
        color: $text-muted; border-top: solid $border-blurred;
    }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)

    def tell(self, widget: Widget | None) -> None:
        """Explain the field that `widget` is in."""
        self.say(help_of(widget))

    def say(self, text: str) -> None:
        """Show words."""
        if text != str(self.content):
            self.update(text)


def help_of(widget: Widget | None) -> str:
    """The help of the field, or of the part whose type is chosen, that a widget belongs to."""
    while widget is not None and not isinstance(widget, Field | Form):
        widget = widget.parent if isinstance(widget.parent, Widget) else None
    if isinstance(widget, Field):
        info = widget.info
        lines = [f"{info.help} ({bounds})" if (bounds := bounds_words(info)) else info.help]
        if info.smaller:
            lines.append(f"smaller: {info.smaller}; larger: {info.larger}")
        if info.kind in ("number", "integer"):
            lines.append("PgUp, PgDn: step")
        return "\n".join(map(clean, lines))
    if isinstance(widget, Form) and widget.family and widget._type is not None:
        cls = find(widget.family, widget._type)
        return clean(catalog.summary(cls)) if cls is not None else ""
    return widget.help_words if isinstance(widget, Form) else ""
