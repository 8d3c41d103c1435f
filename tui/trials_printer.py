"""The headless face of a search: a bar over its trials, a line for each, and the best ones at the end."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.history.history import written
from engine.history.trials import TrialRow, Trials
from engine.runs.journal import number
from tui.clean import clean
from tui.commands.output import paint, unicode, write

Json = dict[str, Any]
BEST = 5
"""Trials in the table at the end."""


class TrialLines:
    """What the printer says of a search's trials."""

    def __init__(self, line: Callable[[str], None], note: Callable[[str], None]) -> None:
        """`line` prints a result above the bar, `note` narrates."""
        self._line, self._note = line, note
        self.trials = Trials()
        self.planned = 0
        self.run = ""
        self._path = Path()
        self._quiet = False
        self._first: tuple[int, float] | None = None
        self._now = 0.0

    def take_in(self, records: list[Json]) -> None:
        """Know what happened before, and say nothing about it."""
        self._quiet = True
        for record in records:
            self.record(record)
        self._quiet = False
        self._first = None

    def record(self, record: Json) -> bool:
        """Take one record; whether it was one that speaks of the search's trials."""
        self._now = number(record.get("time", self._now))
        kind = record.get("type")
        if kind == "started":
            self.run, self._path = str(record.get("run")), Path(str(record.get("path")))
        elif kind == "plan":
            self.planned = int(record.get("trials") or 0)
            self.trials.set_monitor(str(record.get("monitor") or "val_loss"))
        elif kind == "edited":
            for edit in record.get("edits") or ():
                if edit.get("path") == "search.trials" and isinstance(edit.get("value"), int):
                    self.planned = edit["value"]
        elif kind == "trial_epochs":
            self._first = self._first or (len(self.trials.order), self._now)
            self.trials.on_epochs(record)
        elif kind == "trial":
            self._first = self._first or (len(self.trials.order), self._now)
            before = self.trials.best
            self.trials.on_trial(record)
            if not self._quiet:
                self._trial(self.trials.rows[int(record["number"])], self.trials.best is not before)
        elif kind == "importance":
            self.trials.on_importance(record)
        return kind in ("trial_epochs", "trial", "importance")

    def bar_line(self, width: int, time_left: Callable[[float], str]) -> str:
        """The bar in `width` cells."""
        done = len(self.trials.order)
        running = [row for row in self.trials.rows.values() if row.state == "running"]
        words = f" {done}/{self.planned} done"
        if running:
            words += f"  {len(running)} at epoch {max(row.epochs for row in running)}"
        if self.trials.best is not None:
            words += f"  best {show(self.trials.best.value)} (trial {self.trials.best.number})"
        if self._first is not None and done > self._first[0]:
            pace = (self._now - self._first[1]) / (done - self._first[0])
            words += f"  eta {time_left(pace * max(0, self.planned - done))}"
        head = "trials "
        room = max(4, min(40, width - len(head) - len(words)))
        full = min(room, room * done // max(1, self.planned))
        filled, empty = ("━", "─") if unicode() else ("#", "-")
        return f"{head}{filled * full}{empty * (room - full)}{words}"[:width]

    def _trial(self, row: TrialRow, best: bool) -> None:
        width = len(str(max(self.planned - 1, row.number)))
        head = f"trial {row.number:>{width}}"
        settings = "  ".join(f"{path} {written(value)}" for path, value in row.params.items())
        if row.state == "failed":
            self._line(f"{head}  failed: {row.message}  ({settings})")
            return
        scores = "  ".join(f"{name} {show(value)}" for name, value in scores_of(row))
        words = f"  {row.message}" if row.message else ""
        self._line(f"{head}  {scores}  {settings}{'  best so far' if best else ''}{words}")

    # the end

    def finished(self) -> None:
        """The best trials, what matters, and what to do next."""
        ended = [row for row in self.trials.ended() if row.state == "completed" and not math.isnan(row.value)]
        ended.sort(key=lambda row: (row.value if self.trials.lower_is_better else -row.value, row.number))
        if not ended:
            return
        self._table(ended[:BEST])
        if self.trials.importance:
            shares = sorted(self.trials.importance.items(), key=lambda item: -item[1])
            write(clean("matters: " + ", ".join(f"{path} {share:.0%}" for path, share in shares)))
        self._next(ended[0])

    def _table(self, rows: list[TrialRow]) -> None:
        names = [name for name, _ in scores_of(rows[0])]
        paths = list(dict.fromkeys(path for row in rows for path in row.params))
        table = [["trial", *names, *paths, "run"]]
        for row in rows:
            scores = dict(scores_of(row))
            cells = [str(row.number), *(show(scores.get(name)) for name in names)]
            table.append([*cells, *(written(row.params.get(path)) for path in paths), (row.run or "")[-4:]])
        table = [[clean(cell) for cell in line] for line in table]
        widths = [max(len(line[at]) for line in table) for at in range(len(table[0]))]
        for at, line in enumerate(table):
            text = "  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
            write(paint(text, "dim") if at == 0 else paint(text, "good") if at == 1 else text)

    def _next(self, best: TrialRow) -> None:
        from engine.runs.summary import launch_options

        recipe = str(launch_options(self._path).get("recipe_path") or "RECIPE") if self.run else "RECIPE"
        sets = [shlex.quote(f"{path}={written(value)}") for path, value in best.params.items()]
        self._note(f"to make it the recipe:  goodfit set {shlex.quote(recipe)} {' '.join(sets)}")
        chosen = " ".join(f"--set {setting}" for setting in sets)
        self._note(f"to train it again:      goodfit train {shlex.quote(recipe)} {chosen}")
        if best.run:
            self._note(f"to look at its test part once, when all is decided: goodfit test {best.run[-4:]}")


def scores_of(row: TrialRow) -> list[tuple[str, Any]]:
    """Scores that a line of a trial shows: val_loss, then metrics that are single numbers."""
    losses = [("val_loss", row.val_loss)] if not math.isnan(row.val_loss) else [("train_loss", row.train_loss)]
    return losses + [(name, value) for name, value in row.metrics.items() if isinstance(value, int | float | str)]


def show(value: Any) -> str:
    """Four significant digits."""
    try:
        return f"{number(value):.4g}"
    except (TypeError, ValueError):
        return str(value)
