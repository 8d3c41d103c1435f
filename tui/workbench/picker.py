"""The picker: a line to type in and the rows that match. The palette and quick open are both this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui.clean import clean
from tui.workbench.fuzzy import match


@dataclass(frozen=True)
class Row:
    """One thing to pick."""

    value: str
    """What the picker answers with."""
    text: str
    note: str = ""
    """Shown at the right: keys, a state."""
    disabled: bool = False


class Picker(ModalScreen[str | None]):
    """Answers with the `value` of the row picked, or None. A query that begins with `>` looks in `commands`; `typed`
    may make a row of the query itself."""

    DEFAULT_CSS = """
    Picker { align: center top; background: $background 40%; }
    Picker #picker {
        width: 72; max-width: 94%; height: auto; max-height: 80%; margin-top: 1;
        background: $panel; border: solid $border; padding: 0;
    }
    Picker Input { border: none; height: 1; padding: 0 1; background: $panel; }
    Picker Input:focus { border: none; background-tint: transparent; }
    Picker #rule { height: 1; color: $border-blurred; }
    Picker OptionList { height: auto; max-height: 16; background: $panel; }
    Picker OptionList > .option-list--option-highlighted { background: $selection; }
    Screen.-short Picker OptionList { max-height: 12; }
    """
    BINDINGS = [
        Binding("escape", "close", "close", show=False),
        Binding("down,ctrl+n", "move(1)", show=False, priority=True),
        Binding("up,ctrl+p", "move(-1)", show=False, priority=True),
        Binding("pagedown", "move(10)", show=False, priority=True),
        Binding("pageup", "move(-10)", show=False, priority=True),
    ]

    def __init__(
        self,
        rows: Callable[[], Sequence[Row]],
        commands: Callable[[], Sequence[Row]] | None = None,
        typed: Callable[[str], Row | None] | None = None,
        *,
        columns: bool = False,
        placeholder: str = "",
        query: str = "",
    ) -> None:
        super().__init__()
        self._rows = rows
        self._commands = commands
        self._typed_row = typed
        self._columns = columns
        """Notes stand in a column behind the texts, to be read, instead of at the right edge."""
        self._placeholder = placeholder
        self._query = query
        self._shown: list[Row] = []
        self._all: dict[bool, Sequence[Row]] = {}

    def compose(self) -> ComposeResult:
        """A line, a rule, the rows."""
        with Vertical(id="picker"):
            yield Input(self._query, placeholder=self._placeholder, select_on_focus=False)
            yield OptionList(markup=False)

    def on_mount(self) -> None:
        """Show every row at once."""
        self.query_one(OptionList).can_focus = False
        self._fill(self._query)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    def _fill(self, query: str) -> None:
        commanding = self._commands is not None and query.startswith((">", ":"))
        if commanding:
            query = query[1:]
        if commanding not in self._all:
            self._all[commanding] = self._commands() if commanding and self._commands else self._rows()
        ranked = []
        for place, row in enumerate(self._all[commanding]):
            found = match(query, clean(row.text))
            if found is not None:
                ranked.append(((row.disabled, -found[0] if query.strip() else 0.0, place), row, found[1]))
        own = self._typed_row(query) if self._typed_row is not None and not commanding else None
        if own is not None:
            ranked.append(((False, 0.0, len(ranked)), own, ()))
        ranked.sort(key=lambda entry: entry[0])
        self._shown = [row for _, row, _ in ranked]
        options = self.query_one(OptionList)
        options.clear_options()
        width = min(72, int(self.app.size.width * 0.94)) - 6
        behind = max((cell_len(clean(row.text)) for _, row, _ in ranked), default=0) if self._columns else 0
        options.add_options(
            Option(self._line(row, spots, width, behind), disabled=row.disabled) for _, row, spots in ranked
        )
        if not ranked:
            options.add_option(Option("Nothing matches.", disabled=True))
        first = next((index for index, row in enumerate(self._shown) if not row.disabled), None)
        options.highlighted = first

    def _line(self, row: Row, spots: tuple[int, ...], width: int, behind: int) -> Text:
        note = clean(row.note)
        room = min(behind, width // 2) if behind else max(8, width - cell_len(note) - 2)
        if cell_len(note) > width - room - 2:
            note = set_cell_size(note, max(0, width - room - 3)).rstrip() + "…"
        shown = clean(row.text)
        if cell_len(shown) > room:
            shown = set_cell_size(shown, room - 1) + "…"
        line = Text(shown + " " * (room - cell_len(shown)) + "  ", no_wrap=True)
        if not row.disabled:
            accent = self.app.theme_variables.get("accent", "blue")
            for spot in spots:
                line.stylize(f"bold {accent}", spot, spot + 1)
        line.append(note, self.app.theme_variables.get("text-disabled", "grey50"))
        return line

    def action_move(self, by: int) -> None:
        """Move the highlight."""
        options = self.query_one(OptionList)
        enabled = [index for index, row in enumerate(self._shown) if not row.disabled]
        if not enabled:
            return
        now = options.highlighted
        at = enabled.index(now) if now in enabled else 0
        options.highlighted = enabled[
            max(0, min(len(enabled) - 1, at + by)) if abs(by) > 1 else (at + by) % len(enabled)
        ]

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._pick(self.query_one(OptionList).highlighted)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self._pick(event.option_index)

    def _pick(self, index: int | None) -> None:
        if index is not None and index < len(self._shown) and not self._shown[index].disabled:
            self.dismiss(self._shown[index].value)

    def on_click(self, event: object) -> None:
        """A click beside the picker closes it."""
        from textual import events

        if isinstance(event, events.Click) and event.widget is self:
            self.dismiss(None)

    def action_close(self) -> None:
        """Pick nothing."""
        self.dismiss(None)
