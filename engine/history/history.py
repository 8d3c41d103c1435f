"""The fold of a journal: what every screen, chart and list shows of a run, live or replayed.

`feed` takes records in order, as many or few at a time as there are; each costs O(1) but for a resume, which takes back
what it supersedes. Records of unknown types and missing keys are passed over, so that a later version's journal still
shows what it can.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from engine.history.best import after_edits, best_row, flat
from engine.history.series import Series
from engine.history.trials import Trials
from engine.recipe.scalars import write_flow
from engine.runs.journal import number
from engine.runs.records import Json

MarkKind = Literal["edit", "checkpoint", "pause", "resume", "finding", "test"]
State = Literal["preparing", "running", "paused", "completed", "stopped", "failed"]

_RECENT = 15.0
"""Seconds of work, at the least, over which speed is measured."""
_PACES = 2000
"""Rows at the end of a batch among which all recent ones are."""
_ODD = (KeyError, TypeError, ValueError, AttributeError)
"""What reading a record of another version's making may raise."""


@dataclass(frozen=True)
class Mark:
    """Something that happened at a point of the curves."""

    kind: MarkKind
    step: int
    epoch: float
    time: float
    text: str
    record: Json


class History:
    """A run so far. All attributes are for reading; `feed` alone changes them."""

    def __init__(self) -> None:
        self.series: dict[str, Series] = {}
        """By the contract's names. train_loss follows the steps, val_loss and metrics the epochs."""
        self.epochs: list[Json] = []
        """The `epoch` records of the effective line."""
        self.marks: list[Mark] = []
        self.started: Json | None = None
        self.data: Json | None = None
        self.plan: Json | None = None
        self.progress: Json | None = None
        """The latest `progress` while the run prepares, else None."""
        self.paused = False
        self.finished: Json | None = None
        """The `finished` record once it is there and no life follows it."""
        self.test: Json | None = None
        """The latest `test_evaluated` record."""
        self.device_use: Json | None = None
        """The latest `device_use` record."""
        self.edits: list[Json] = []
        """The `edited` records of the effective line."""
        self.findings: dict[str, Json] = {}
        """Open findings by rule."""
        self.trials = Trials()
        """Of a search: its trials."""
        self.monitor = "val_loss"
        self.best: Json | None = None
        """The `epoch` record of the best epoch."""
        self.epochs_planned: int | None = None
        self.steps_per_epoch: int | None = None
        self.step = 0
        self.epoch = 0
        """The epoch that is running or was last run, from 1; 0 before the first."""
        self.time = 0.0
        """Seconds of work."""
        self.life = 1
        self.seq = 0
        self.version = 0
        """Grows with every change: a painter compares it with the one it drew."""
        self._findings: list[Json] = []
        self._paces: list[tuple[float, int]] = []
        self._plan_text: tuple[str, int | None] = ("val_loss", None)

    def feed(self, records: Iterable[Json]) -> None:
        """Fold new records. One with a number already seen is passed over."""
        rows: list[Json] = []
        changed = False
        for record in records:
            seq = record.get("seq")
            if seq is not None:
                if seq <= self.seq:
                    continue
                self.seq = seq
            changed = True
            if record["type"] == "steps":
                rows.append(record)
                continue
            if rows:
                self._steps(rows)
                rows = []
            if seq is not None:
                self.time = number(record.get("time", self.time))
                self.life = record.get("life", self.life)
            handle = _HANDLERS.get(record["type"])
            if handle is not None:
                with contextlib.suppress(*_ODD):
                    handle(self, record)
        if rows:
            self._steps(rows)
        if changed:
            self.version += 1

    @property
    def state(self) -> State:
        """What the journal alone says; whether a worker lives is `AttachedRun.state`'s to add."""
        if self.finished is not None:
            reason = self.finished.get("reason")
            if reason in ("completed", "early_stopped"):
                return "completed"
            return "stopped" if reason in ("stopped", "preempted") else "failed"
        if self.paused:
            return "paused"
        begun = self.plan is not None or bool(self.trials.rows)
        return "preparing" if self.progress is not None or not begun else "running"

    @property
    def best_epoch(self) -> int | None:
        """Number of the best epoch."""
        return None if self.best is None else self.best.get("epoch")

    @property
    def best_scores(self) -> Json:
        """The best epoch's scores under their series names."""
        return {} if self.best is None else flat(self.best)

    @property
    def baseline(self) -> float | None:
        """The loss of always guessing the average."""
        return None if self.plan is None or "loss_baseline" not in self.plan else number(self.plan["loss_baseline"])

    @property
    def steps_total(self) -> int | None:
        """Updates in the whole run, as planned now."""
        if not self.steps_per_epoch or self.epochs_planned is None:
            return None
        return self.steps_per_epoch * self.epochs_planned

    @property
    def steps_per_second(self) -> float | None:
        """Updates a second of work lately, validation and saving included; None until it can be told."""
        if len(self._paces) < 2:
            return None
        (then, before), (now, after) = self._paces[0], self._paces[-1]
        return (after - before) / (now - then) if now > then and after > before else None

    @property
    def samples_per_second(self) -> float | None:
        """Training rows a second of work lately; the last epoch's own figure until that can be told."""
        rate, size = self.steps_per_second, self._rows_per_step()
        if rate is not None and size is not None:
            return rate * size
        return number(self.epochs[-1].get("samples_per_second")) if self.epochs else None

    @property
    def eta(self) -> float | None:
        """Seconds of work left, never negative; None where it cannot be told or the life has ended."""
        total, rate = self.steps_total, self.steps_per_second
        if total is None or rate is None or self.finished is not None:
            return None
        return max(0.0, (total - self.step) / rate)

    def _rows_per_step(self) -> float | None:
        rows = (self.data or {}).get("rows", {}).get("train")
        return rows / self.steps_per_epoch if rows and self.steps_per_epoch else None

    def _epoch_at(self, step: int) -> float:
        return step / self.steps_per_epoch if self.steps_per_epoch else float(self.epoch)

    def _steps(self, rows: list[Json]) -> None:
        """Many rows at once, since a long run has hundreds of thousands."""
        points, losses, rates = [], [], []
        for row in rows:
            try:
                count, lr = row.get("count", 1), float(row["lr"])
                step = row.get("step") or row["first"] + count - 1
                loss = float(row["loss_min"]), float(row["loss_max"]), float(row["loss_mean"]), float(count)
                time = float(row["time"])
            except _ODD:
                continue
            points.append((step, self._epoch_at(step), time))
            losses.append(loss)
            rates.append((lr, lr, lr, 1.0))
        if not points:
            return
        self._of("train_loss").extend(points, losses)
        self._of("lr").extend(points, rates)
        self.life = rows[-1].get("life", self.life)
        for step, _, self.time in points[-_PACES:]:
            self._pace(step)
        self._moved(points[-1][0], rows[-1])

    def _moved(self, step: int, record: Json) -> None:
        self.progress = None
        self.step = max(self.step, step)
        if self.steps_per_epoch:
            self.epoch = max(self.epoch, math.ceil(step / self.steps_per_epoch))
        self.epoch = max(self.epoch, record.get("epoch") or 0)

    def _pace(self, step: int) -> None:
        """Remember when which step was reached, over `_RECENT` seconds or two epochs, whichever is more."""
        paces = self._paces
        if paces and paces[-1][1] == step:
            return
        paces.append((self.time, step))
        reach = 2 * (self.steps_per_epoch or 0)
        drop = 0
        while drop + 2 < len(paces) and self.time - paces[drop + 1][0] > _RECENT and step - paces[drop + 1][1] > reach:
            drop += 1
        if drop > len(paces) // 2 or drop > 64:
            del paces[:drop]

    def _of(self, name: str) -> Series:
        found = self.series.get(name)
        if found is None:
            found = self.series[name] = Series(name)
        return found

    def _add(self, name: str, record: Json, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return
        try:
            plain = number(value)
        except ValueError:
            return
        step = record.get("step", self.step)
        self._of(name).append(step, self._epoch_at(step), self.time, plain)

    def _mark(self, kind: MarkKind, record: Json, text: str) -> None:
        step = record.get("step", self.step)
        self.marks.append(Mark(kind, step, self._epoch_at(step), self.time, text, record))

    def _on_started(self, record: Json) -> None:
        self.started = record

    def _on_progress(self, record: Json) -> None:
        if (
            self.progress is not None or not self.trials.rows
        ):  # between two trials a search prepares nothing that others wait for
            self.progress = record

    def _on_data(self, record: Json) -> None:
        self.data = record

    def _on_plan(self, record: Json) -> None:
        self.plan = record
        self.progress = None
        self._plan_text = record.get("monitor", "val_loss"), record.get("epochs")
        self._settle()

    def _on_replanned(self, record: Json) -> None:
        self.plan = {**(self.plan or {}), **record.get("plan", {})}
        self._plan_text = self.plan.get("monitor", "val_loss"), self.plan.get("epochs")
        self._settle()

    def _on_epoch(self, record: Json) -> None:
        self._moved(record.get("step", self.step), record)
        self.epochs.append(record)
        for name, value in flat(record).items():
            if name != "train_loss":
                self._add(name, record, value)
        self.best = best_row([record] if self.best is None else [self.best, record], self.monitor)
        self._pace(self.step)

    def _on_probe(self, record: Json) -> None:
        for name, value in record.get("values", {}).items():
            self._add(name, record, value)

    def _on_edited(self, record: Json) -> None:
        self.edits.append(record)
        self._settle()
        self._mark("edit", record, ", ".join(_said(edit) for edit in record.get("edits", ())))

    def _on_checkpoint(self, record: Json) -> None:
        self._mark("checkpoint", record, "best so far" if record.get("best") else "saved")

    def _on_paused(self, record: Json) -> None:
        self.paused = True
        self._mark("pause", record, "paused")

    def _on_resumed(self, record: Json) -> None:
        limit = record.get("from_step", 0)
        new_life = record.get("pid") is not None
        self.paused = False
        self.finished = None
        self._paces = []
        if limit < self.step:
            self._take_back(limit)
        if new_life:
            self.progress = {"type": "progress", "stage": "resuming", "done": 0, "total": None}
            self.trials.on_end()
        self._mark("resume", {**record, "step": limit}, f"resumed at step {limit}" if new_life else "goes on")

    def _take_back(self, limit: int) -> None:
        for series in self.series.values():
            series.truncate(limit)
        self.epochs = [row for row in self.epochs if row.get("step", 0) <= limit]
        self.edits = [row for row in self.edits if row.get("step", 0) <= limit]
        self._findings = [row for row in self._findings if row.get("step", 0) <= limit]
        self.findings = {}
        for row in self._findings:
            self._fold_finding(row)
        kept = ("edit", "checkpoint", "finding")
        self.marks = [mark for mark in self.marks if mark.step <= limit or mark.kind not in kept]
        self.step = limit
        self.epoch = math.ceil(limit / self.steps_per_epoch) if self.steps_per_epoch else len(self.epochs)
        self._settle()

    def _settle(self) -> None:
        """What follows from the plan and all edits: the monitored series, the planned epochs, the best epoch."""
        monitor, self.epochs_planned = self._plan_text
        self.steps_per_epoch = self.plan.get("steps_per_epoch") if self.plan else None
        for record in self.edits:
            monitor, self.epochs_planned = after_edits(monitor, self.epochs_planned, record.get("edits", ()))
        self.monitor = monitor
        self.trials.set_monitor(monitor)
        self.best = best_row(self.epochs, monitor)

    def _on_finding(self, record: Json) -> None:
        self._findings.append(record)
        self._fold_finding(record)
        if record["type"] == "finding":
            self._mark("finding", record, str(record.get("rule", "")))

    def _fold_finding(self, record: Json) -> None:
        rule = str(record.get("rule", ""))
        if record["type"] == "finding_cleared":
            self.findings.pop(rule, None)
        else:
            self.findings[rule] = {**self.findings.get(rule, {}), **record}

    def _on_test(self, record: Json) -> None:
        self.test = record
        self._mark("test", record, "test part evaluated")

    def _on_trial(self, record: Json) -> None:
        self.progress = None
        if record["type"] == "importance":
            self.trials.on_importance(record)
        elif record["type"] == "trial":
            self.trials.on_trial(record)
        else:
            self.trials.on_epochs(record)

    def _on_device_use(self, record: Json) -> None:
        self.device_use = record

    def _on_finished(self, record: Json) -> None:
        self.finished = record
        self.paused = False
        self.progress = None
        self.trials.on_end()


def written(value: Any) -> str:
    """The value of an edit, for people."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else write_flow(value)


def _said(edit: Json) -> str:
    path, op = edit.get("path", "?"), edit.get("op", "set")
    if op == "set":
        before = edit.get("expect")
        arrow = f"{before} → " if isinstance(before, int | float | str) and not isinstance(before, bool) else ""
        return f"{path} {arrow}{written(edit.get('value'))}"
    return f"{op} {path}"


_HANDLERS = {
    "started": History._on_started,
    "progress": History._on_progress,
    "data": History._on_data,
    "plan": History._on_plan,
    "replanned": History._on_replanned,
    "epoch": History._on_epoch,
    "probe": History._on_probe,
    "edited": History._on_edited,
    "checkpoint": History._on_checkpoint,
    "paused": History._on_paused,
    "resumed": History._on_resumed,
    "finding": History._on_finding,
    "finding_updated": History._on_finding,
    "finding_cleared": History._on_finding,
    "test_evaluated": History._on_test,
    "trial": History._on_trial,
    "trial_epochs": History._on_trial,
    "importance": History._on_trial,
    "device_use": History._on_device_use,
    "finished": History._on_finished,
}
