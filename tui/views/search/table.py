"""The table of trials: one row each, sorted by a column, with a cursor. Only rows on the screen are made."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.cells import cell_len, set_cell_size
from textual import events
from textual.actions import SkipAction
from textual.binding import BindingType
from textual.message import Message

from engine.history.best import lower_is_better
from engine.history.trials import TrialRow
from engine.runs.journal import number as to_number
from tui.charts.canvas import Canvas
from tui.charts.grid import Grid
from tui.charts.scale import number
from tui.keymap import bindings
from tui.views.curves import clock, title_of, value_of
from tui.views.search.axes import Axis
from tui.views.search.sheet import Sheet

SIGNS = {"running": "▶", "waiting": "■", "completed": "✓", "pruned": "⊘", "failed": "✗"}
WORDS = {"running": "at work", "waiting": "cut off", "completed": "completed", "pruned": "pruned", "failed": "failed"}
"""What a trial's state is called on the screen."""
GAP = 2
WIDEST = 16
"""Cells that a setting's value may take."""


@dataclass(frozen=True)
class Column:
    """One column: its name, its cells, and what it is sorted by."""

    id: str
    title: str
    width: int
    text: Callable[[TrialRow], str]
    key: Callable[[TrialRow], float]
    """Sorted by this; nan stands at the end whichever way round."""
    down: bool = False
    """Whether the first order is from high to low."""


def columns_of(sheet: Sheet) -> list[Column]:
    """The columns of a search: number, state, result, settings, then everything else."""
    trials = sheet.trials
    lower = trials.lower_is_better
    digits = max(3, len(str(max(trials.rows, default=0))))
    found = [
        Column("number", "#", digits, lambda row: str(row.number), lambda row: row.number),
        Column("state", "", 1, lambda row: SIGNS[row.state], lambda row: list(SIGNS).index(row.state)),
        Column(
            "value",
            sheet.series,
            max(8, len(sheet.series)),
            lambda row: scored(trials.monitor, row.value),
            lambda row: row.value,
            not lower,
        ),
    ]
    found += [_setting(axis) for axis in sheet.axes]
    if trials.monitor != "val_loss":
        found.append(
            Column("val_loss", "val loss", 8, lambda row: scored("val_loss", row.val_loss), lambda row: row.val_loss)
        )
    found += [_metric(name) for name in trials.metrics if name != "val_loss"]
    found += [
        Column("train_loss", "train loss", 10, lambda row: scored("train_loss", row.train_loss),
               lambda row: row.train_loss),
        Column("epochs", "epochs", 6, lambda row: str(row.epochs or "-"), lambda row: row.epochs or math.nan, True),
        Column("seconds", "time", 7, lambda row: taken(row.seconds), lambda row: row.seconds, True),
    ]  # fmt: skip
    return found


def _setting(axis: Axis) -> Column:
    width = max(map(cell_len, axis.words)) if axis.words else 8
    size = min(WIDEST, max(width, min(cell_len(axis.label), WIDEST), 4))

    def text(row: TrialRow) -> str:
        return axis.shown(row.params[axis.path]) if axis.path in row.params else "-"

    return Column(axis.path, axis.label, size, text, lambda row: place(axis, row.params.get(axis.path)))


def place(axis: Axis, value: Any) -> float:
    """What a setting's value is sorted by."""
    if not axis.keys and isinstance(value, int | float):
        return float(value)
    return axis.share(value)


def _metric(name: str) -> Column:
    def value(row: TrialRow) -> float:
        try:
            return to_number(row.metrics.get(name))
        except (TypeError, ValueError):
            return math.nan

    words, down = title_of(name), not lower_is_better(name)
    return Column(name, words, max(7, len(words)), lambda row: scored(name, value(row)), value, down)


def scored(series: str, value: float) -> str:
    """A value of a series; losses always with four places, so that digits do not jump."""
    if math.isnan(value):
        return "-"
    if series.endswith("_loss") and math.isfinite(value) and 1e-3 <= abs(value) < 1e4:
        return f"{value:.4f}"
    return value_of(series, value)


def taken(seconds: float) -> str:
    """How long a trial took: `0.42 s`, `1:05`."""
    if math.isnan(seconds):
        return "-"
    return f"{number(float(f'{seconds:.2g}'))} s" if seconds < 10 else clock(seconds)


class TrialTable(Canvas, can_focus=True):
    """The trials. The cursor stands on a trial and stays on it; until it is moved it follows the best one."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--head",
        "table--sorted",
        "table--cell",
        "table--dim",
        "table--best",
        "table--running",
        "table--failed",
        "table--cursor",
        "table--cursor-best",
    }
    DEFAULT_CSS = """
    TrialTable {
        height: 2fr;
        & > .table--head { color: $text-muted; }
        & > .table--sorted { color: $foreground; text-style: bold; }
        & > .table--cell { color: $foreground; }
        & > .table--dim { color: $text-muted; }
        & > .table--best { color: $success; text-style: bold; }
        & > .table--running { color: $accent; }
        & > .table--failed { color: $error; }
        & > .table--cursor { color: $foreground; background: $selection-blurred; }
        & > .table--cursor-best { color: $success; background: $selection-blurred; text-style: bold; }
        &:focus > .table--cursor { background: $selection; }
        &:focus > .table--cursor-best { background: $selection; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("trials")

    class Chosen(Message):
        """Another trial is under the cursor."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.sheet = Sheet()
        self.order: list[int] = []
        """Numbers of the trials as they stand, top to bottom."""
        self.sort = "value"
        self.turned = False
        """The other way round."""
        self.picked: int | None = None
        """The trial that the person chose; None: the best one."""
        self.first = 0
        """The row at the top."""
        self.shift = 0
        """Columns behind the result that are scrolled away."""
        self._columns: list[Column] = []
        self._version = -1

    # What is shown

    @property
    def chosen(self) -> TrialRow | None:
        """The trial under the cursor."""
        trials = self.sheet.trials
        if self.picked is not None and self.picked in trials.rows:
            return trials.rows[self.picked]
        if trials.best is not None:
            return trials.best
        return trials.rows[self.order[0]] if self.order else None

    def show(self, sheet: Sheet) -> None:
        """Show a search: rows in their order, the cursor on its trial."""
        if sheet.trials is not self.sheet.trials or (sheet.trials.version, sheet.axes) != (
            self._version,
            self.sheet.axes,
        ):
            if sheet.trials is not self.sheet.trials and self.picked not in sheet.trials.rows:
                self.first = 0
            self.sheet, self._version = sheet, sheet.trials.version
            self._columns = columns_of(sheet)
            self._arrange()
        self.sheet = sheet
        self.repaint()

    def _arrange(self) -> None:
        rows = list(self.sheet.trials.rows.values())
        column = next((column for column in self._columns if column.id == self.sort), self._columns[2])
        down = column.down != self.turned

        def key(row: TrialRow) -> tuple[bool, float, int]:
            value = column.key(row)
            missing = math.isnan(value)
            return missing, 0.0 if missing else (-value if down else value), row.number

        if column.id == "value":
            # What is over stands first: a curve that still moves would shuffle the rows at every epoch.
            rows.sort(key=lambda row: (not row.over, *key(row)) if row.over else (True, False, 0.0, row.number))
        else:
            rows.sort(key=key)
        self.order = [row.number for row in rows]

    @property
    def page_size(self) -> int:
        """Rows of trials that have room."""
        return max(1, self.content_size.height - 1)

    def _at(self) -> int:
        row = self.chosen
        return self.order.index(row.number) if row is not None else 0

    def _scroll(self, at: int) -> None:
        size = self.page_size
        if at < self.first:
            self.first = at
        elif at >= self.first + size:
            self.first = at - size + 1
        self.first = max(0, min(self.first, len(self.order) - size))

    def layout_columns(self, width: int) -> tuple[list[tuple[int, Column]], bool, bool]:
        """The columns that have room with the cell each begins at, and whether there are more left and right."""
        fixed, moving = self._columns[:3], self._columns[3:]
        shift = min(self.shift, max(0, len(moving) - 1))
        placed: list[tuple[int, Column]] = []
        x = 2
        for column in [*fixed, *moving[shift:]]:
            if placed and x + column.width > width - 1:
                break
            placed.append((x, column))
            x += column.width + GAP
        return placed, shift > 0, len(placed) < len(fixed) + len(moving) - shift

    def paint(self, grid: Grid) -> None:
        """Names of the columns, then the rows around the cursor."""
        if not self._columns:
            self._columns = columns_of(self.sheet)
        placed, left, right = self.layout_columns(grid.width)
        for x, column in placed:
            sign = ""
            if column.id == self.sort:
                sign = "▾" if column.down != self.turned else "▴"
            style = "table--sorted" if sign else "table--head"
            name = column.title
            if cell_len(name) > column.width:
                name = set_cell_size(name, column.width - 1) + "…"
            at = x + column.width - cell_len(name)
            grid.put(at, 0, name, style)
            if sign:
                grid.put(at - 1, 0, sign, style)
        if left:
            grid.put(placed[3][0] - 2 if len(placed) > 3 else grid.width - 2, 0, "‹", "table--sorted")
        if right:
            grid.put(grid.width - 1, 0, "›", "table--sorted")
        if not self.order:
            grid.put(2, 2 if grid.height > 2 else 1, "No trial has begun yet.", "table--dim")
            return
        chosen = self.chosen
        self._scroll(self._at())
        for y, trial in enumerate(self.order[self.first : self.first + grid.height - 1], 1):
            row = self.sheet.trials.rows[trial]
            self._row(grid, y, row, placed, row is chosen)
        self._bar(grid)

    def _row(self, grid: Grid, y: int, row: TrialRow, placed: Sequence[tuple[int, Column]], chosen: bool) -> None:
        best = row is self.sheet.trials.best
        plain = "table--best" if best else "table--cell" if row.state == "completed" else "table--dim"
        if chosen:
            plain = "table--cursor-best" if best else "table--cursor"
            grid.put(0, y, " " * (grid.width - 1), plain)
        if best:
            grid.put(0, y, "◆", plain)
        for x, column in placed:
            style = plain
            if column.id == "state" and not chosen:
                style = {"running": "table--running", "failed": "table--failed"}.get(row.state, plain)
            text = column.text(row)
            if cell_len(text) > column.width:
                text = set_cell_size(text, column.width - 1) + "…"
            grid.put(x + column.width - cell_len(text), y, text, style)

    def _bar(self, grid: Grid) -> None:
        """Where in the list the screen is."""
        size, many = grid.height - 1, len(self.order)
        if many <= size:
            return
        length = max(1, round(size * size / many))
        start = round((size - length) * self.first / max(1, many - size))
        for y in range(start, start + length):
            grid.put(grid.width - 1, 1 + y, "▐", "table--head")

    # What the person does

    def choose(self, trial: int | None) -> None:
        """Put the cursor on a trial; None follows the best one."""
        self.picked = trial
        self.repaint()
        self.post_message(self.Chosen())

    def action_move(self, by: int) -> None:
        """Up and down."""
        if self.order:
            self.choose(self.order[max(0, min(len(self.order) - 1, self._at() + by))])

    def action_page(self, by: int) -> None:
        """A screenful."""
        self.action_move(by * max(1, self.page_size - 1))

    def action_columns(self, by: int) -> None:
        """Other columns, where not all have room."""
        _, left, right = self.layout_columns(self.content_size.width)
        if (by < 0 and left) or (by > 0 and right):
            self.shift = max(0, min(self.shift, len(self._columns) - 4) + by)
            self.repaint()

    def action_follow(self) -> None:
        """The cursor follows the best trial again."""
        if self.picked is None:
            raise SkipAction
        self.choose(None)

    def next_column(self) -> None:
        """Sort by the next column that is on the screen."""
        ids = [column.id for _, column in self.layout_columns(self.content_size.width)[0]]
        at = ids.index(self.sort) if self.sort in ids else -1
        self.sort_by(ids[(at + 1) % len(ids)])

    def sort_by(self, id: str) -> None:
        """Sort by a column; by the same one again: the other way round."""
        self.turned = not self.turned if id == self.sort else False
        self.sort = id
        self._arrange()
        self.repaint()

    def on_click(self, event: events.Click) -> None:
        """A name sorts, a row is chosen; twice on a row opens the trial's run."""
        if event.y == 0:
            for x, column in self.layout_columns(self.content_size.width)[0]:
                if x - 1 <= event.x < x + column.width + 1:
                    self.sort_by(column.id)
                    return
            return
        at = self.first + event.y - 1
        if at < len(self.order):
            self.choose(self.order[at])
            if event.chain == 2:
                self.app.run_worker(self.run_action("app.do('search.open')"))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three rows down; the cursor comes along."""
        event.stop()
        self.action_move(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three rows up."""
        event.stop()
        self.action_move(-3)
