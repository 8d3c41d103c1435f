"""The search panel: how many trials there are, and which settings they vary between which bounds."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.errors import UserError
from engine.recipe.edits import MISSING, Edit
from engine.recipe.paths import child
from engine.recipe.reader import parse_value
from engine.recipe.schema import Search
from tui.clean import clean
from tui.forms.fields import fields_of
from tui.forms.form import FieldHelp, Form
from tui.forms.values import show
from tui.keymap import bindings
from tui.panels.panel import Heading, Panel, Scroll, put
from tui.panels.searchable import entry_words, settings
from tui.views.search.axes import labels
from tui.workbench.context import Context

SPACE = "search.space"
RANGES = ("uniform", "log_uniform", "int", "choice")
KINDS = "uniform, log_uniform, int: [low, high]; choice: [a, b, c]"


class SpaceList(OptionList):
    """The settings that are searched, with their ranges. Enter changes a range."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("space")
    DEFAULT_CSS = """
    SpaceList { height: auto; border: none; padding: 0; background: transparent; }
    SpaceList:focus { border: none; background-tint: transparent; }
    SpaceList > .option-list--option { padding: 0; }
    """

    def __init__(self, context: Context) -> None:
        super().__init__(markup=False)
        self.context = context
        self.paths: list[str] = []
        self._drawn: list[Text] = []
        self._wanted: str | None = None

    @property
    def space(self) -> dict[str, object]:
        """What the recipe searches."""
        document = self.context.document
        found = document.get(SPACE, {}) if document is not None else {}
        return {str(path): entry for path, entry in found.items()} if isinstance(found, dict) else {}

    @property
    def picked(self) -> str | None:
        """The setting under the cursor."""
        at = self.highlighted
        return self.paths[at] if at is not None and at < len(self.paths) else None

    def on_resize(self) -> None:
        """Rows are cut to the width."""
        self.sync()

    def sync(self) -> None:
        """Show the document."""
        was = self._wanted or self.picked
        self._wanted = None
        space = self.space
        colours = self.app.theme_variables
        wrong = {
            problem.path
            for problem in (self.context.checked.problems if self.context.checked is not None else [])
            if problem.severity == "error" and problem.path.startswith(SPACE)
        }
        rows = []
        names = labels(list(space))
        width = max(20, self.content_region.width - 1)
        room = min(max(map(cell_len, names), default=8), width // 2)
        for name, (path, entry) in zip(names, space.items(), strict=True):
            short = name if cell_len(name) <= room else set_cell_size(name, room - 1) + "…"
            line = Text(set_cell_size(short, room), no_wrap=True, overflow="ellipsis")
            bad = any(at.startswith(child(SPACE, path)) for at in wrong)
            words = clean(entry_words(entry))
            if cell_len(words) > width - room - 2:
                words = set_cell_size(words, max(1, width - room - 3)).rstrip() + "…"
            line.append(f"  {words}", colours.get("error" if bad else "text-muted", ""))
            rows.append(line)
        if not rows:
            rows = [Text("none yet: + adds one", colours.get("text-muted", ""))]
        self.paths = list(space)
        if len(rows) == self.option_count:
            for index, row in enumerate(rows):
                if index >= len(self._drawn) or row != self._drawn[index] or row.spans != self._drawn[index].spans:
                    self.replace_option_prompt_at_index(index, row)
        else:
            self.clear_options()
            self.add_options(Option(row) for row in rows)
        self._drawn = rows
        if self.paths:
            at = self.paths.index(was) if was in self.paths else min(self.highlighted or 0, len(self.paths) - 1)
            if self.highlighted != at:
                self.highlighted = at

    def _free(self) -> bool:
        why = self.context.locked(False)
        if why:
            self.context.say(f"The search cannot be changed here: {why}.", "warning")
        return not why

    def action_add(self) -> None:
        """Choose a setting; it gets a usual range, which Enter changes."""
        from tui.workbench.picker import Picker, Row

        document = self.context.document
        if document is None or not self._free():
            return
        found = {setting.path: setting for setting in settings(document.data) if setting.path not in self.space}
        rows = [
            Row(path, path, f"now {show(setting.value, True)}; {entry_words(setting.entry)}")
            for path, setting in found.items()
        ]

        def typed(query: str) -> Row | None:
            path = query.strip()
            return Row(path, path, "this path") if "." in path and path not in found else None

        def picked(path: str | None) -> None:
            if path is not None:
                self.add(path, found[path].entry if path in found else {"uniform": [0.0, 1.0]})

        self.app.push_screen(
            Picker(lambda: rows, typed=typed, columns=True, placeholder="Which setting? Any edit path"), picked
        )

    def add(self, path: str, entry: object) -> None:
        """Search a setting."""
        self._wanted = path
        words = f"search {path}: {entry_words(entry)}"
        if self.space:
            edit = Edit("set", child(SPACE, path), entry, expect=MISSING)
        else:
            edit = Edit("set", SPACE, {path: entry})
        if not self.context.apply((edit,), words):
            self._wanted = None

    def action_edit(self) -> None:
        """Change the range of the setting under the cursor; on an empty list, add one."""
        from tui.workbench.dialogs import Ask

        path = self.picked
        if path is None:
            self.action_add()
            return
        if not self._free():
            return
        entry = self.space[path]
        value = show(entry, True)
        if isinstance(entry, dict) and len(entry) == 1:
            ((kind, bounds),) = entry.items()
            if isinstance(bounds, list):
                inside = ", ".join(show(bound, kind == "log_uniform") for bound in bounds)
                value = f"{kind}: [{inside}]"

        def answered(text: str | None) -> None:
            if text is not None:
                self.change(path, text)

        self.app.push_screen(Ask(f"The range of {path}", KINDS, value=value), answered)

    def change(self, path: str, text: str) -> None:
        """Give a setting the range that a person typed."""
        text = text.strip()
        try:
            entry = parse_value(text if text.startswith("{") else "{" + text + "}")
        except UserError as error:
            self.context.say(f"{error.message}\n{error.hint}".strip(), "error")
            return
        kinds = list(entry) if isinstance(entry, dict) else []
        if len(kinds) != 1 or kinds[0] not in RANGES or not isinstance(entry[kinds[0]], list):
            self.context.say(f"A range is one of {KINDS}.", "error")
            return
        self._wanted = path
        edit = Edit("set", child(SPACE, path), entry, expect=self.space.get(path, MISSING))
        self.context.apply((edit,), f"search {path}: {entry_words(entry)}")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click or Enter."""
        event.stop()
        self.action_edit()

    def action_delete(self) -> None:
        """Do not search the setting under the cursor."""
        path = self.picked
        if path is not None and self._free():
            edit = Edit("unset", child(SPACE, path), expect=self.space[path])
            self.context.apply((edit,), f"search {path}: deleted")


class SearchPanel(Panel):
    """What a search tries, bound both ways to the document."""

    def compose(self) -> ComposeResult:
        """Settings of the search, then its space."""
        with Scroll():
            yield Heading("search", first=True)
            yield Form(self.context, "search", fields=fields_of(Search), skip=("space",))
            yield Heading("searched settings")
            yield SpaceList(self.context)
            yield Static("", markup=False, classes="panel--note search--keys")
            yield Static("", markup=False, classes="panel--note search--wrong")
        yield FieldHelp()

    def show_document(self) -> None:
        """The form, the list, and what is wrong with it."""
        space = self.query_one(SpaceList)
        space.sync()
        keys = "enter range  + add  d delete\nS starts the search." if space.paths else ""
        if self.context.run is not None:
            keys = ""
        put(self.query_one(".search--keys", Static), keys)
        problems = self.context.checked.problems if self.context.checked is not None else []
        said = next((p for p in problems if p.path.startswith(SPACE) and self.context.document is not None), None)
        wrong = clean(f"✗ {said.message}") if said is not None and self._searched else ""
        put(self.query_one(".search--wrong", Static), wrong)
        super().show_document()

    @property
    def _searched(self) -> bool:
        document = self.context.document
        return document is not None and isinstance(document.get("search"), dict)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Explain what has the focus."""
        super().on_descendant_focus(event)
        if isinstance(event.widget, SpaceList):
            for help_ in self.query(FieldHelp):
                help_.say(f"Every trial takes a value of each from its range.\n{KINDS}")
