"""The headless face of a run: a reader of its records that prints.

The same printer serves a live run and a replayed one. On a terminal a progress bar stays on the last line; elsewhere
there are plain lines only. The curves are drawn once, at the end.
"""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from engine.runs.journal import number
from tui.clean import clean
from tui.commands.output import colourful, emit_record, narrate, paint, unicode, write
from tui.device_use import long

if TYPE_CHECKING:
    from tui.trials_printer import TrialLines

Json = dict[str, Any]
REDRAW = 0.1
"""Seconds between two drawings of the bar."""
LINES = 40
"""Epoch lines that a terminal gets at most; a log gets all."""


class Printer(Protocol):
    """What records are handed to."""

    def record(self, record: Json) -> None:
        """Take one record."""

    def note(self, text: str) -> None:
        """Say something about what goes on."""

    def close(self) -> None:
        """Nothing more will come."""


class JsonPrinter:
    """One record a line."""

    def record(self, record: Json) -> None:
        emit_record(record)

    def note(self, text: str) -> None:
        narrate(text)

    def close(self) -> None:
        pass


class TextPrinter:
    """For people: a line an epoch, the end in words and curves, and a bar where stdout is a terminal."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.bar = sys.stdout.isatty()
        self.epochs: list[Json] = []
        self.planned = 0
        self.per_epoch = 0
        self.step = 0
        self.loss = math.nan
        self.stage = ""
        self._time = 0.0
        self._first: tuple[int, float] | None = None
        self._clock = clock
        self._drawn = -math.inf
        self._shown = False
        self._told_use = False
        self.search: TrialLines | None = None
        """Where the run is a search: who speaks of its trials."""

    def take_in(self, records: list[Json]) -> None:
        """Know what happened before, where a later part of it is to be printed."""
        if any(record.get("type") == "started" and record.get("kind") == "search" for record in records):
            self.search = self._trial_lines()
            self.search.take_in(records)

    def record(self, record: Json) -> None:
        self._time = number(record.get("time", self._time))
        if record.get("type") == "started" and record.get("kind") == "search":
            self.search = self._trial_lines()
        handled = self.search is not None and self.search.record(record)
        show = None if handled else getattr(self, f"_{record.get('type')}", None)
        if show is not None:
            show(record)
        if self.bar and record.get("type") != "finished":
            self.draw()

    def close(self) -> None:
        self.erase()

    # the bar

    def draw(self) -> None:
        """Draw the bar anew, unless that was done a moment ago."""
        now = self._clock()
        if now - self._drawn < REDRAW:
            return
        self._drawn = now
        width = shutil.get_terminal_size().columns - 1
        sys.stdout.write("\r\x1b[K" + self.bar_line(width))
        sys.stdout.flush()
        self._shown = True

    def erase(self) -> None:
        """Take the bar away."""
        if self._shown:
            sys.stdout.write("\r\x1b[K")
            sys.stdout.flush()
            self._shown = False

    def bar_line(self, width: int) -> str:
        """The bar in `width` cells."""
        if self.search is not None and self.search.planned:
            return self.search.bar_line(width, show_time)
        total = self.per_epoch * self.planned
        if not total:
            return clean(self.stage or "starting")[:width]
        words = f" {self.step}/{total}  loss {show_number(self.loss)}"
        seconds = self.seconds_left(total)
        if seconds is not None:
            words += f"  eta {show_time(seconds)}"
        epoch = min(self.planned, self.step // self.per_epoch + 1)
        head = f"epoch {epoch}/{self.planned} "
        room = max(4, min(40, width - len(head) - len(words)))
        full = min(room, room * self.step // total)
        filled, empty = ("━", "─") if unicode() else ("#", "-")
        return f"{head}{filled * full}{empty * (room - full)}{words}"[:width]

    def seconds_left(self, total: int) -> float | None:
        """Seconds until the last step at the pace so far; None before there is one."""
        if self._first is None or self.step <= self._first[0]:
            return None
        return (self._time - self._first[1]) / (self.step - self._first[0]) * max(0, total - self.step)

    def line(self, text: str) -> None:
        """A line of result, above the bar."""
        self.erase()
        write(clean(text))
        self._drawn = -math.inf

    def note(self, text: str) -> None:
        """A line of narration."""
        self.erase()
        narrate(text)
        self._drawn = -math.inf

    def _trial_lines(self) -> TrialLines:
        from tui.trials_printer import TrialLines

        return TrialLines(self.line, self.note)

    # one method a record type

    def _started(self, record: Json) -> None:
        self.note(f"run {record.get('run')}")

    def _progress(self, record: Json) -> None:
        done, total = record.get("done"), record.get("total")
        before, self.stage = self.stage.partition(" ")[0], str(record.get("stage"))
        if not self.bar and self.stage != before:
            self.note(self.stage)
        if total:
            self.stage += f" {done}/{total}"

    def _data(self, record: Json) -> None:
        rows = record.get("rows") or {}
        words = ", ".join(f"{name} {count}" for name, count in rows.items())
        outputs = f"{len(record.get('classes') or ())} classes" if record.get("classes") else "numbers"
        shape = "x".join(str(size) for size in record.get("shape") or ())
        self.note(f"data: {words} rows of {shape}; {record.get('task')}, {outputs}")
        for warning in record.get("warnings") or ():
            self.note(f"  {warning.get('message', warning)}")

    def _plan(self, record: Json) -> None:
        self.planned, self.per_epoch = int(record.get("epochs") or 0), int(record.get("steps_per_epoch") or 0)
        threads = record.get("threads")
        where = f"{record.get('device')}, {threads} thread{'s' * (threads != 1)}" if threads else record.get("device")
        self.note(
            f"plan: {record.get('executor')} on {where}, {record.get('precision')}; "
            f"{record.get('parameters'):,} parameters, {self.per_epoch} steps an epoch; "
            f"loss {show_number(record.get('loss_at_init'))} at the start, "
            f"{show_number(record.get('loss_baseline'))} when always guessing the average"
        )
        if record.get("reason"):
            self.note(f"  {record['reason']}")

    def _device_use(self, record: Json) -> None:
        if not self._told_use:  # once is enough for a log
            self._told_use = True
            self.note(long(record))

    def _steps(self, record: Json) -> None:
        self.step = int(record.get("first", 1)) + int(record.get("count", 1)) - 1
        self.loss = number(record.get("loss_mean"))
        if self._first is None:
            self._first = (self.step, self._time)

    def _epoch(self, record: Json) -> None:
        self.epochs.append(record)
        self.step = int(record.get("step") or self.step)
        number_ = int(record.get("epoch") or 0)
        every = max(1, math.ceil(self.planned / LINES)) if self.bar else 1
        if number_ % every and number_ not in (1, self.planned):
            return
        parts = [f"epoch {number_:>{len(str(self.planned))}}/{self.planned}"]
        parts += [f"{name} {show_number(value)}" for name, value in series(record)]
        parts.append(f"lr {show_number(record.get('lr'))}")
        parts.append(f"{show_count(record.get('samples_per_second'))} rows/s")
        self.line("  ".join(parts))

    def _edited(self, record: Json) -> None:
        from engine.history.history import written

        changes = []
        for edit in record.get("edits") or ():
            is_set = edit.get("op") == "set"
            changes.append(f"{edit.get('path')} = {written(edit.get('value'))}" if is_set else str(edit))
            if edit.get("op") == "set" and edit.get("path") == "train.epochs" and isinstance(edit.get("value"), int):
                self.planned = edit["value"]
        self.line(f"edited after step {record.get('step')}: {', '.join(changes)}")

    def _paused(self, record: Json) -> None:
        self.line("paused" if self.search is not None else f"paused at step {record.get('step')}")

    def _resumed(self, record: Json) -> None:
        start = int(record.get("from_step") or 0)
        self.epochs = [row for row in self.epochs if int(row.get("step") or 0) <= start]
        self.step, self._first = start, None
        self.line("goes on" if self.search is not None else f"goes on from step {start}")

    def _command_refused(self, record: Json) -> None:
        self.note(f"refused: {record.get('reason')}")

    def _finding(self, record: Json) -> None:
        self.line(f"{record.get('severity')}: {record.get('rule')}: {record.get('reason')}")

    def _test_evaluated(self, record: Json) -> None:
        scores = "  ".join(f"{name} {show_number(value)}" for name, value in scalars(record.get("metrics") or {}))
        self.line(f"test part ({record.get('rows')} rows, look {record.get('looks')}): {scores}")

    def _finished(self, record: Json) -> None:
        self.erase()
        self.curves()
        reason = str(record.get("reason"))
        good = reason in ("completed", "early_stopped")
        words = reason.replace("_", " ")
        colour = "good" if good else "warning" if reason in ("stopped", "preempted") else "error"
        best = "  ".join(f"{name} {show_number(value)}" for name, value in scalars(record.get("best") or {}))
        line = paint(words, colour)
        if self.search is not None:
            done = len(self.search.trials.order)  # more than planned where fewer were asked for meanwhile
            line += clean(f"; {done} of {max(done, self.search.planned)} trials")
        elif record.get("best_epoch"):
            line += clean(f"; best epoch {record['best_epoch']}: {best}")
        write(line)
        if record.get("message"):
            write(clean(record["message"]))
        if self.search is not None:
            self.search.finished()
        if record.get("test"):
            self.line("test: " + "  ".join(f"{n} {show_number(v)}" for n, v in scalars(record["test"])))

    def curves(self) -> None:
        """The losses as a chart, where there is something to see."""
        if len(self.epochs) < 2:
            return
        from tui.charts.static import Line, line_chart

        x = [float(row.get("epoch") or i + 1) for i, row in enumerate(self.epochs)]
        lines = []
        for name in ("train_loss", "val_loss"):
            values = [number(row.get(name)) for row in self.epochs]
            lines.append(Line(name, x, values))
        width = min(100, shutil.get_terminal_size((80, 24)).columns - 1) if self.bar else 80
        chart = line_chart(
            lines, width, 16, title="loss", x_label="epoch", colour=colourful(sys.stdout), unicode=unicode()
        )
        if chart:
            write(chart)


def series(record: Json) -> list[tuple[str, Any]]:
    """What a line of an epoch shows: losses, then metrics that are single numbers."""
    losses = [(name, record[name]) for name in ("train_loss", "val_loss") if record.get(name) is not None]
    return losses + scalars(record.get("metrics") or {})


def scalars(values: Json) -> list[tuple[str, Any]]:
    """The entries that are single numbers; a confusion matrix is not."""
    return [(name, value) for name, value in values.items() if isinstance(value, int | float | str)]


def show_number(value: Any) -> str:
    """Four significant digits, without a long tail of zeros."""
    try:
        return f"{number(value):.4g}"
    except (TypeError, ValueError):
        return str(value)


def show_count(value: Any) -> str:
    """`41k`."""
    amount = number(value)
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(amount) >= size:
            return f"{amount / size:.3g}{unit}"
    return f"{amount:.3g}"


def show_time(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def printer(as_json: bool) -> Printer:
    """The printer for stdout."""
    return JsonPrinter() if as_json else TextPrinter()
