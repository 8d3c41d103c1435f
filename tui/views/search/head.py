"""The lines above a search's table: how it stands, how far it is, and what the best trial has reached."""

from __future__ import annotations

import math
from pathlib import Path

from rich.cells import cell_len, set_cell_size

from engine.history.history import History
from engine.history.trials import TrialRow, Trials
from tui.charts.grid import Grid
from tui.clean import clean, clean_block
from tui.views.curves import clock
from tui.views.search.sheet import Sheet
from tui.views.search.table import WORDS, scored
from tui.views.state import Words, words
from tui.views.tiles import Tiles


def state_words(history: History, alive: bool, planned: int | None, log: str = "") -> Words:
    """The state of a search in plain words. `log` is the end of worker.log."""
    trials = history.trials
    done = len(trials.order)
    share = min(1.0, done / planned) if planned else None
    finished = history.finished
    if finished is None and (alive or not history.seq):
        if history.paused:
            return Words("‖", "paused: p goes on", "calm", done=share)
        if history.progress is not None or not trials.rows:
            return words(history, True)
        at_work = trials.count("running")
        return Words("▶", f"running, {at_work} at work" if at_work else "running", "busy", done=share)
    if finished is None or finished.get("inferred"):
        at = f"after {_trials(done)}"
        more = "r resumes the search: what is done stays done."
        more += f"\nThe last lines of worker.log:\n{log}" if log else ""
        return Words("✗", f"the worker is gone, {at}", "bad", more, share)
    reason, message = str(finished.get("reason")), clean_block(finished.get("message") or "")
    if reason in ("completed", "early_stopped"):
        return Words("✓", f"completed: {_trials(done)}", "good", done=1.0)
    if reason in ("stopped", "preempted"):
        return Words("■", f"stopped after {_trials(done)}: r resumes", "calm", done=share)
    if reason in ("error", "killed") and not message:
        message = log
    said = {"killed": "killed", "error": "failed"}.get(reason, clean(reason).replace("_", " "))
    return Words("✗", f"{said} after {_trials(done)}", "bad", message, share)


def _trials(count: int) -> str:
    return f"{count} trial" if count == 1 else f"{count} trials"


def trial_line(row: TrialRow, trials: Trials, sheet: Sheet) -> str:
    """One trial in words: `trial 4 completed: lr 3.2e-3, momentum 0.91; best at epoch 12 of 20`."""
    settings = ", ".join(
        f"{axis.label} {axis.shown(row.params[axis.path])}" for axis in sheet.axes if axis.path in row.params
    )
    line = f"trial {row.number} {WORDS[row.state]}"
    if row.message:
        line += f": {clean(row.message)}"
    if settings:
        line += f"{';' if row.message else ':'} {settings}"
    if row.over and row.best_epoch is not None:
        line += f"; best at epoch {row.best_epoch} of {row.epochs}"
    return line


class Head(Tiles):
    """State and bar in the first row; counts and the best in the second; the chosen trial in the third."""

    DEFAULT_CSS = """
    Head { height: 3; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.sheet = Sheet()
        self.chosen: TrialRow | None = None

    def show_search(self, words_: Words, history: History, sheet: Sheet, chosen: TrialRow | None) -> None:
        """Show a search."""
        self.words, self.history, self.sheet, self.chosen = words_, history, sheet, chosen
        self.repaint()

    def paint(self, grid: Grid) -> None:
        """Three rows."""
        trials, planned = self.sheet.trials, self.sheet.planned
        done = len(trials.order)
        size = len(str(planned or done))
        self.put_state(grid, f"trial {done:>{size}}/{planned}" if planned else f"{_trials(done)}")
        x = 0
        items = []
        if trials.best is not None:
            items.append((f"best {self.sheet.series}", scored(trials.monitor, trials.best.value), "tiles--best"))
            items.append(("trial", str(trials.best.number), "tiles--value"))
        for state, label in (("pruned", "pruned"), ("failed", "failed")):
            count = trials.count(state)  # type: ignore[arg-type]
            if count:
                items.append((label, str(count), "tiles--bad" if state == "failed" else "tiles--value"))
        left = self._left()
        if self.history.finished is None and left is not None:
            items.append(("time left", clock(left), "tiles--value"))
        else:
            items.append(("time", clock(self.history.time), "tiles--value"))
        for label, value, style in items:
            if x + cell_len(label) + cell_len(value) + 1 > grid.width:
                break
            x = grid.put(grid.put(x, 1, f"{label} ", "tiles--label"), 1, value, style) + 3
        if self.chosen is not None:
            line = trial_line(self.chosen, trials, self.sheet)
            if cell_len(line) > grid.width:
                line = set_cell_size(line, grid.width - 1).rstrip() + "…"
            grid.put(0, 2, line, "tiles--bad" if self.chosen.state == "failed" else "tiles--label")

    def _left(self) -> float | None:
        """Seconds of work left, from the trials that are over; None until some are."""
        done, planned = len(self.sheet.trials.order), self.sheet.planned
        if planned is None or done < 3 or planned <= done or not math.isfinite(self.history.time):
            return None
        return self.history.time / done * (planned - done)


def log_of(run_dir: Path, state: str) -> str:
    """The end of the worker's log, where a search went wrong."""
    from tui.views.state import log_tail

    return log_tail(run_dir) if state in ("failed", "preparing", "running", "paused") else ""
