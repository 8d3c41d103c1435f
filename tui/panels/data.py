"""The data panel: where the rows come from, what they hold, how they are split and scaled."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.data.facts import Facts
from engine.recipe.edits import MISSING, Edit
from engine.recipe.paths import child
from engine.recipe.schema import Data
from tui.charts.scale import number
from tui.clean import clean
from tui.forms.fields import fields_of
from tui.forms.form import FieldHelp, Form
from tui.keymap import bindings
from tui.panels.model import shape_words
from tui.panels.panel import Heading, Panel, Scroll, put
from tui.workbench.context import Context

TYPES = ("number", "category", "image", "ignore")
BAR = 10
MOST = 200
"""Columns that are listed; more would be slow to lay out, and nobody reads them."""


class Features(OptionList):
    """The columns of the source. Enter chooses a column's type."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("columns")
    DEFAULT_CSS = """
    Features { height: auto; border: none; padding: 0; background: transparent; }
    Features:focus { border: none; background-tint: transparent; }
    Features > .option-list--option { padding: 0; }
    """

    def __init__(self, context: Context) -> None:
        super().__init__(markup=False)
        self.context = context
        self.names: list[str] = []
        self._drawn: list[Text] = []

    def sync(self, width: int) -> None:
        """Show the facts, and what the recipe says otherwise."""
        facts, document = self.context.facts, self.context.document
        features = facts.features[:MOST] if facts is not None else []
        said = document.get("data.columns", {}) if document is not None else {}
        said = said if isinstance(said, dict) else {}
        colors = self.app.theme_variables
        dim, accent, warn = (colors.get(name, "") for name in ("text-muted", "accent", "warning"))
        room = max(8, width - 19)
        rows = []
        for feature in features:
            name = str(feature.get("name", ""))
            line = Text(set_cell_size(clean(name), room), no_wrap=True)
            kind = str(said.get(name, feature.get("type", "?")))
            line.append(f" {clean(kind):<9}", accent if name in said else dim)
            missing = feature.get("missing") or 0
            words = f"{number(missing)} gone" if missing else "constant" if feature.get("constant") else ""
            line.append(f"{words:>9}"[:9], warn)
            rows.append(line)
        names = [str(feature.get("name", "")) for feature in features]
        if names == self.names and len(rows) == len(self._drawn):
            for index, row in enumerate(rows):
                if row != self._drawn[index] or row.spans != self._drawn[index].spans:
                    self.replace_option_prompt_at_index(index, row)
        else:
            self.clear_options()
            self.add_options(Option(row) for row in rows)
        self.names, self._drawn = names, rows

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Choose the column's type."""
        from tui.workbench.picker import Picker, Row

        event.stop()
        name = self.names[event.option_index]
        rows = [Row("", "automatic", "as the reader infers it"), *(Row(word, word) for word in TYPES)]

        def picked(answer: str | None) -> None:
            if answer is not None:
                self.retype(name, answer)

        if not self._locked():
            self.app.push_screen(Picker(lambda: rows, columns=True, placeholder=f"What is {clean(name)}?"), picked)

    def action_automatic(self) -> None:
        """Let the reader infer the type again."""
        if self.highlighted is not None and not self._locked():
            self.retype(self.names[self.highlighted], "")

    def _locked(self) -> bool:
        why = self.context.locked(False)
        if why:
            self.context.say(f"Columns cannot be changed here: {why}.", "warning")
        return bool(why)

    def retype(self, name: str, kind: str) -> None:
        """Set a column's type; "" leaves it to the reader."""
        document = self.context.document
        path = child("data.columns", name)
        present = document.get(path, MISSING) if document is not None else MISSING
        if kind:
            self.context.apply((Edit("set", path, kind, expect=present),), f"column {name}: {kind}")
        elif present is not MISSING:
            self.context.apply((Edit("unset", path, expect=present),), f"column {name}: automatic")


class DataPanel(Panel):
    """The data of the recipe, bound both ways to the document."""

    DEFAULT_CSS = """
    DataPanel .data--warnings { height: auto; color: $warning; }
    DataPanel .data--bars { height: auto; }
    """

    def compose(self) -> ComposeResult:
        """What the data is; then the settings; then the columns and classes."""
        fields = fields_of(Data)
        split = next(info for info in fields if info.name == "split")
        with Scroll():
            yield Static("", markup=False, classes="data--summary")
            yield Static("", markup=False, classes="data--warnings")
            yield Heading("source")
            yield Form(self.context, "data.source", family="source")
            yield Heading("batches")
            yield Form(self.context, "data", fields=fields, only=("batch_size",))
            yield Static("", markup=False, classes="panel--note data--steps")
            yield Form(self.context, "data", fields=fields, only=("shuffle", "drop_last", "limit"))
            yield Heading("preparation")
            yield Form(self.context, "data", fields=fields, only=("missing", "normalize", "target_scale", "reshape"))
            yield Heading("split")
            yield Form(self.context, "data.split", fields=split.fields)
            yield Heading("classes", first=False)
            yield Static("", markup=False, classes="data--bars")
            yield Heading("columns")
            yield Features(self.context)
            yield Static("", markup=False, classes="panel--note data--columns")
            yield Heading("loading")
            yield Form(self.context, "data", fields=fields, only=("num_workers", "pin_memory"))
        yield FieldHelp()

    def show_document(self) -> None:
        """The facts, the steps in an epoch, and the forms."""
        facts = self.context.facts
        width = max(20, (self.query_one(Scroll).size.width or self.size.width or 36) - 3)
        put(self.query_one(".data--summary", Static), self._summary(facts))
        put(self.query_one(".data--warnings", Static), "\n".join(_warnings(facts)))
        put(self.query_one(".data--steps", Static), self._steps(facts))
        bars = self.query_one(".data--bars", Static)
        bars.update(self._bars(facts, width))
        self.query_one(Features).sync(width)
        more = len(facts.features) - MOST if facts is not None else 0
        note = f"and {more} more" if more > 0 else "Enter sets a column's type." if facts and facts.features else ""
        put(self.query_one(".data--columns", Static), note)
        super().show_document()

    def on_resize(self, event: events.Resize) -> None:
        """Align the columns anew."""
        super().on_resize(event)
        if self.query(Features):
            self.show_document()

    def _summary(self, facts: Facts | None) -> str:
        if facts is None:
            if self.context.facts_error:
                return f"✗ {clean(self.context.facts_error)}"
            return "reading the data…" if self.context.facts_busy else "not read yet"
        short = {"validation": "val"}
        rows = ", ".join(f"{count} {short.get(name, name)}" for name, count in facts.rows.items())
        target = f", {len(facts.classes)} classes" if facts.classes else ""
        return f"{rows}\n{facts.task}{target}, samples of {shape_words(facts.shape)}"

    def _steps(self, facts: Facts | None) -> str:
        document = self.context.document
        if facts is None or document is None:
            return ""
        steps = steps_per_epoch(facts, document.get("data", {}))
        return "" if steps is None else "1 update an epoch" if steps == 1 else f"{number(steps)} updates an epoch"

    def _bars(self, facts: Facts | None, width: int) -> Text:
        counts = (facts.class_counts.get("train") or []) if facts is not None else []
        if facts is None or not counts:
            return Text("none: the target is a number" if facts is not None else "", self._color("text-muted"))
        top = max(max(counts), 1)
        name = min(max((cell_len(clean(word)) for word in facts.classes), default=4), width // 3)
        length = max(4, width - name - 8)
        text = Text(no_wrap=True)
        for word, count in list(zip(facts.classes, counts, strict=False))[:40]:
            full = round(length * count / top)
            text.append(f"{set_cell_size(clean(word), name)} ")
            text.append("━" * full, self._color("accent"))
            text.append("─" * (length - full), self._color("grid"))
            text.append(f" {number(count):>6}\n", self._color("text-muted"))
        if len(counts) > 40:
            text.append(f"and {len(counts) - 40} more", self._color("text-muted"))
        text.rstrip()
        return text

    def _color(self, name: str) -> str:
        return self.app.theme_variables.get(name, "")


def steps_per_epoch(facts: Facts, data: object) -> int | None:
    """Updates in an epoch by the recipe's `data` section; None where it cannot be told."""
    given = data if isinstance(data, dict) else {}
    size, limit = given.get("batch_size", 32), given.get("limit")
    rows = facts.rows.get("train", 0)
    if not isinstance(size, int) or size < 1:
        return None
    if isinstance(limit, int):
        rows = min(rows, limit)
    return rows // size if given.get("drop_last") is True else -(-rows // size)


def _warnings(facts: Facts | None) -> list[str]:
    """What to look at, with the rows or columns concerned."""
    if facts is None:
        return []
    found = []
    for warning in facts.warnings:
        words = clean(warning.get("message", warning.get("kind", "")))
        who = warning.get("columns") or warning.get("rows") or []
        named = [clean(name) for name in who[:4]] if isinstance(who, list) else []
        missing = [name for name in named if name not in words]
        more = f" (+{len(who) - 4})" if isinstance(who, list) and len(who) > 4 else ""
        found.append(f"! {words}{': ' + ', '.join(missing) if missing else ''}{more}")
    if facts.missing and not any("missing" in line or "empty" in line for line in found):
        found.append(f"! {number(facts.missing)} empty cells")
    if facts.duplicates and not any("duplicate" in line for line in found):
        found.append(f"! {number(facts.duplicates)} duplicate rows")
    for parts, count in facts.shared.items():
        if count and not any("both" in line or "shared" in line for line in found):
            found.append(f"! {number(count)} rows stand in both {parts.replace('/', ' and ')}")
    return found
