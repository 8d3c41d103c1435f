"""The fold of a search's records: every trial with its curve, the best so far, and how much each setting matters.

A record costs O(trials that it speaks of), amortised. Curves share one budget of points: when it is spent, every curve
keeps every second point, so that memory stays bounded however many trials there are and however long they train.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.history.best import lower_is_better
from engine.runs.journal import number
from engine.runs.records import Json

TrialState = Literal["running", "waiting", "completed", "pruned", "failed"]
"""`waiting`: it had begun when the search was stopped, and is not over."""
POINTS = 400_000
"""Points that all curves together may hold."""
MOST = 512
"""Points that one curve may hold."""
NUMBERS = 1_000_000
"""Numbers that trials may have; whatever names another is no record of a search."""
LEAST = 8
"""Points that a curve may always hold."""


class Curve:
    """The monitored series of one trial over its epochs, thinned evenly when it grows long."""

    __slots__ = ("_every", "epochs", "values")

    def __init__(self) -> None:
        self.epochs = array("d")
        self.values = array("d")
        self._every = 1

    def __len__(self) -> int:
        return len(self.values)

    def add(self, epoch: int, value: float, most: int) -> int:
        """Add the value after an epoch (from 1); an epoch that was there already begins the rest anew.

        The newest point always stands. Returns by how many points the curve has grown.
        """
        before = len(self)
        while self.epochs and self.epochs[-1] >= epoch:
            self.epochs.pop()
            self.values.pop()
        # The last point stays only where it stands on the raster; else it was there for being the newest.
        if self.epochs and self._every > 1 and (int(self.epochs[-1]) - 1) % self._every:
            self.epochs.pop()
            self.values.pop()
        self.epochs.append(epoch)
        self.values.append(value)
        if len(self) > most:
            self.thin()
        return len(self) - before

    def clear(self) -> None:
        """Begin anew."""
        del self.epochs[:], self.values[:]
        self._every = 1

    def thin(self) -> None:
        """Keep every second point, and the newest."""
        self._every *= 2
        keep = [
            at
            for at, epoch in enumerate(self.epochs)
            if (int(epoch) - 1) % self._every == 0 or at == len(self.epochs) - 1
        ]
        self.epochs = array("d", (self.epochs[at] for at in keep))
        self.values = array("d", (self.values[at] for at in keep))

    @property
    def epoch(self) -> int:
        """The newest epoch; 0 before the first."""
        return int(self.epochs[-1]) if self.epochs else 0

    @property
    def last(self) -> float:
        """The newest value; nan before the first."""
        return self.values[-1] if self.values else math.nan


@dataclass(eq=False)
class TrialRow:
    """One trial as it stands."""

    number: int
    state: TrialState = "running"
    params: Json = field(default_factory=dict)
    """{edit path: value}."""
    value: float = math.nan
    """The monitored series: of the best epoch once the trial is over, the newest while it trains."""
    train_loss: float = math.nan
    val_loss: float = math.nan
    metrics: Json = field(default_factory=dict)
    best_epoch: int | None = None
    epochs: int = 0
    """Epochs done."""
    seconds: float = math.nan
    edits: list[Json] = field(default_factory=list)
    """What makes the search's recipe the trial's."""
    run: str | None = None
    message: str = ""
    curve: Curve = field(default_factory=Curve, repr=False)

    @property
    def over(self) -> bool:
        """Whether its last word has been said."""
        return self.state in ("completed", "pruned", "failed")


class Trials:
    """The trials of a search so far. All attributes are for reading."""

    def __init__(self) -> None:
        self.rows: dict[int, TrialRow] = {}
        """By number, in the order in which they were first heard of."""
        self.order: list[int] = []
        """Numbers of the trials that are over, in the order in which they ended."""
        self.best: TrialRow | None = None
        """The completed trial with the best value; the one with the lowest number on a tie."""
        self.importance: dict[str, float] = {}
        """By edit path: shares that add up to 1; empty until they are known."""
        self.importance_trials = 0
        """Completed trials that they were worked out from."""
        self.monitor = "val_loss"
        self.metrics: list[str] = []
        """Series names of the metrics that any trial has told, in the order of telling."""
        self.version = 0
        """Grows with every change."""
        self.turns = 0
        """Grows when a trial begins or ends, not with every epoch."""
        self.points = 0
        """Points that all curves hold."""
        self._most = MOST

    @property
    def lower_is_better(self) -> bool:
        """Which end of the monitored series is the good one."""
        return lower_is_better(self.monitor)

    def count(self, state: TrialState) -> int:
        """How many trials are in a state."""
        return sum(row.state == state for row in self.rows.values())

    def better(self, value: float, than: float) -> bool:
        """Whether a value beats another; nan never does, and is beaten by every number."""
        if math.isnan(value):
            return False
        return math.isnan(than) or (value < than if self.lower_is_better else value > than)

    def set_monitor(self, series: str) -> None:
        """The series that decides."""
        if series != self.monitor:
            self.monitor = series
            self._rank()

    def on_epochs(self, record: Json) -> None:
        """A `trial_epochs` record."""
        known = record.get("epoch")
        columns = [record.get(name) or () for name in ("params", "train_loss", "val_loss", "value")]
        for at, trial in enumerate(record["numbers"]):
            row = self._row(trial)
            if row.over:
                continue  # a late word about a trial that has ended
            params, train_loss, val_loss, value = (column[at] if at < len(column) else None for column in columns)
            row.state = "running"
            row.params = params or row.params
            row.train_loss, row.val_loss = number(train_loss), number(val_loss)
            row.value = number(val_loss if value is None else value)
            row.epochs = known if isinstance(known, int) else row.epochs + 1
            self._grow(row.curve, row.epochs, row.value)
        self.version += 1

    def on_trial(self, record: Json) -> None:
        """A `trial` record: the trial is over. A second one for the same number takes the first one's place."""
        row = self._row(record["number"])
        again = row.over
        state = record.get("state")
        row.state = state if state in ("completed", "pruned", "failed") else "failed"
        row.params = record.get("params") or row.params
        row.edits = record.get("edits") or []
        row.value = number(record.get("value"))
        row.train_loss, row.val_loss = number(record.get("train_loss")), number(record.get("val_loss"))
        row.metrics = record.get("metrics") or {}
        row.best_epoch = record.get("best_epoch")
        row.epochs = record.get("epochs") or 0
        row.seconds = number(record.get("seconds"))
        row.run = record.get("run")
        row.message = str(record.get("message") or "")
        self._complete(row.curve, record.get("curve") or {})
        self.metrics += [name for name in row.metrics if name not in self.metrics and name != self.monitor]
        if again:
            self._rank()
        else:
            self._place(row)
        self.version += 1
        self.turns += 1

    def on_importance(self, record: Json) -> None:
        """An `importance` record."""
        self.importance = {str(path): number(share) for path, share in (record.get("values") or {}).items()}
        self.importance_trials = int(record.get("trials") or 0)
        self.version += 1
        self.turns += 1

    def on_end(self) -> None:
        """The search has stopped, or a new life begins: nothing trains until it is heard of again."""
        for row in self.rows.values():
            if row.state == "running":
                row.state = "waiting"
        self.version += 1
        self.turns += 1

    def ended(self) -> list[TrialRow]:
        """The trials that are over, in the order in which they ended."""
        return [self.rows[trial] for trial in self.order]

    def best_so_far(self) -> list[float]:
        """By trial number, up to the highest that is over: the best value of a completed trial with that number or a
        lower one; nan before the first."""
        found: list[float] = []
        best = math.nan
        for trial in range(max(self.order, default=-1) + 1):
            row = self.rows.get(trial)
            if row is not None and row.state == "completed" and self.better(row.value, best):
                best = row.value
            found.append(best)
        return found

    def _row(self, trial: Any) -> TrialRow:
        trial = int(trial)
        if not 0 <= trial < NUMBERS:
            raise ValueError(f"no search has a trial {trial}")
        row = self.rows.get(trial)
        if row is None:
            row = self.rows[trial] = TrialRow(trial)
            self.turns += 1
        return row

    def _place(self, row: TrialRow) -> None:
        self.order.append(row.number)
        if row.state != "completed" or math.isnan(row.value):
            return
        best = self.best
        tied = best is not None and row.value == best.value and row.number < best.number
        if best is None or tied or self.better(row.value, best.value):
            self.best = row

    def _rank(self) -> None:
        """Everything that follows from the order, anew."""
        order, self.order, self.best = self.order, [], None
        for trial in order:
            self._place(self.rows[trial])
        self.version += 1
        self.turns += 1

    def _complete(self, curve: Curve, told: Json) -> None:
        """Draw a curve anew from what its trial's record tells, where that is more than was heard of it on the way."""
        epochs, values = told.get("epochs") or (), told.get("values") or ()
        if len(epochs) <= len(curve) or len(epochs) != len(values):
            return
        self.points -= len(curve)
        curve.clear()
        for epoch, value in zip(epochs, values, strict=True):
            self._grow(curve, int(epoch), number(value))

    def _grow(self, curve: Curve, epoch: int, value: float) -> None:
        self.points += curve.add(epoch, value, self._most)
        while self.points > POINTS and self._most > LEAST:
            self._most //= 2
            for row in self.rows.values():
                while len(row.curve) > self._most:
                    row.curve.thin()
            self.points = sum(len(row.curve) for row in self.rows.values())
