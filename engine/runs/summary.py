"""A run in a few words, read from its journal without decoding its many `steps` rows."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.history.best import after_edits, best_row, flat
from engine.runs.journal import LOG, decode
from engine.runs.lock import LOCK, Holder, Liveness, probe, read_holder
from engine.runs.records import Json
from engine.search.score import best_trial

State = Literal["preparing", "running", "paused", "completed", "stopped", "failed", "unknown"]

LAUNCH = "launch.json"
_STARTING = 10.0
"""Seconds that a run's folder may exist before its worker holds the lock."""
_MANY = (b'{"type":"steps"', b'{"type":"probe"', b'{"type":"trial_epochs"', b'{"type":"progress"')


@dataclass
class Summary:
    """The fold of a journal into what a list of runs shows."""

    started: Json | None = None
    monitor: str = "val_loss"
    planned: int | None = None
    phase: Literal["preparing", "running", "paused", "finished"] = "preparing"
    pid: int | None = None
    host: str | None = None
    reason: str | None = None
    epochs: list[Json] = field(default_factory=list)
    edits: list[Json] = field(default_factory=list)
    finished: Json | None = None
    trials: dict[int, Json] = field(default_factory=dict)
    """Of a search: its `trial` records by number."""
    trials_planned: int | None = None
    _plan: tuple[str, int | None] = ("val_loss", None)
    _offset: int = 0
    _file: tuple[int, int] = (0, 0)

    def update(self, run_dir: Path) -> None:
        """Read what the journal has got since the last time."""
        try:
            with (run_dir / LOG).open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return
        end = data.rfind(b"\n") + 1
        self._offset += end
        for line in data[:end].split(b"\n")[:-1]:
            if line.startswith(_MANY[:3], 9):
                if self.phase == "preparing":
                    self.phase = "running"
            elif not line.startswith(_MANY[3], 9):
                record = decode(line)
                if record is not None:
                    self.feed(record)

    def feed(self, record: Json) -> None:
        """Fold one record."""
        match record["type"]:
            case "started":
                self.started = record
                self.pid, self.host = record.get("pid"), record.get("host")
            case "plan":
                self._plan = record.get("monitor", "val_loss"), record.get("epochs")
                self.trials_planned = record.get("trials")
                self._settle()
                self.phase = "running"
            case "epoch":
                self.epochs.append(record)
                self.phase = "running"
            case "edited":
                self.edits.append(record)
                self._settle()
            case "trial":
                self.trials[int(record["number"])] = record
                self.phase = "running"
            case "paused":
                self.phase = "paused"
            case "resumed":
                self._resume(record)
            case "finished":
                self.phase, self.finished, self.reason = "finished", record, record.get("reason")

    def _resume(self, record: Json) -> None:
        limit = record.get("from_step", 0)
        self.epochs = [row for row in self.epochs if row.get("step", 0) <= limit]
        self.edits = [row for row in self.edits if row.get("step", 0) <= limit]
        self._settle()
        self.finished = self.reason = None
        self.phase = "running"
        if record.get("pid") is not None:
            self.pid, self.host = record["pid"], record.get("host")
            self.phase = "preparing"

    def _settle(self) -> None:
        self.monitor, self.planned = self._plan
        for record in self.edits:
            self.monitor, self.planned = after_edits(self.monitor, self.planned, record.get("edits", ()))
            for edit in record.get("edits", ()):
                if edit.get("path") == "search.trials" and isinstance(edit.get("value"), int):
                    self.trials_planned = edit["value"]

    @property
    def is_search(self) -> bool:
        """Whether it is a search, whose epochs are trials to a list."""
        return self.started is not None and self.started.get("kind") == "search"

    def best_trial(self) -> Json | None:
        """Of a search: the `trial` record of the best one."""
        return best_trial(self.trials.values(), self.monitor)

    def best(self) -> Json | None:
        """Scores of the best epoch under their series names; of a search, of its best trial."""
        trial = self.best_trial()
        if trial is not None:
            return flat(trial)
        row = best_row(self.epochs, self.monitor)
        return None if row is None else flat(row)


@dataclass(frozen=True)
class RunInfo:
    """A run as lists show it."""

    run: str
    path: Path
    id: str
    name: str
    kind: str
    state: State
    pid: int | None
    host: str | None
    epoch: int | None
    epochs: int | None
    best: Json | None
    best_epoch: int | None
    reason: str | None
    parent: Json | None
    created: str
    """ISO 8601, UTC."""
    trials: int = 0
    """Of a search: trials that are over."""


_known: dict[Path, Summary] = {}


def summarize(run_dir: Path) -> Summary:
    """The run's summary, brought up to date: only what is new is read."""
    try:
        stat = (run_dir / LOG).stat()
    except OSError:
        return Summary()
    file = (stat.st_dev, stat.st_ino)
    summary = _known.get(run_dir)
    if summary is None or summary._file != file or stat.st_size < summary._offset:
        summary = _known[run_dir] = Summary(_file=file)
    if stat.st_size > summary._offset:
        summary.update(run_dir)
    return summary


def launch_options(run_dir: Path) -> Json:
    """What the worker was asked (`launch.json`); empty where it cannot be read."""
    try:
        options = json.loads((run_dir / LAUNCH).read_bytes())
    except (OSError, ValueError):
        return {}
    return options if isinstance(options, dict) else {}


def state(summary: Summary, alive: Liveness, holder: Holder | None, age: float = 1e9) -> State:
    """The state's name from what the journal says and whether a worker lives.

    `age` is how many seconds ago the run's folder was made, for the moment before its worker takes the lock.
    """
    phase = summary.phase
    evaluating = holder is not None and holder.purpose == "test"
    next_life = holder is not None and holder.pid != summary.pid and not evaluating
    if phase == "finished" and not (alive == "alive" and next_life):
        if summary.reason in ("completed", "early_stopped"):
            return "completed"
        return "stopped" if summary.reason in ("stopped", "preempted") else "failed"
    if alive == "alive" and not evaluating:
        if phase in ("preparing", "finished") or next_life:
            return "preparing"
        return "paused" if phase == "paused" else "running"
    if alive == "unknown":
        return "unknown"
    return "preparing" if summary.started is None and holder is None and age < _STARTING else "failed"


def state_of(run_dir: Path) -> State:
    """The run's state: preparing, running, paused, completed, stopped, failed or unknown."""
    alive = probe(run_dir)  # asked first: a worker that ends meanwhile has written its last line before we read
    return state(summarize(run_dir), alive, read_holder(run_dir), _age(run_dir))


def info(run_dir: Path) -> RunInfo:
    """One run as lists show it."""
    alive = probe(run_dir)
    holder = read_holder(run_dir)
    summary = summarize(run_dir)
    options = launch_options(run_dir)
    started: dict[str, Any] = summary.started or {}
    best = best_row(summary.epochs, summary.monitor)
    trial = summary.best_trial()
    return RunInfo(
        run=run_dir.name,
        path=run_dir,
        id=run_dir.name.rpartition("-")[2],
        name=str(options.get("name") or run_dir.name),
        kind=str(started.get("kind") or options.get("kind") or "train"),
        state=state(summary, alive, holder, _age(run_dir)),
        pid=summary.pid,
        host=summary.host,
        epoch=_last(summary),
        epochs=summary.trials_planned if summary.is_search else summary.planned,
        best=summary.best(),
        best_epoch=trial.get("best_epoch") if trial else None if best is None else best.get("epoch"),
        reason=summary.reason,
        parent=started.get("parent") or options.get("parent"),
        created=str(options.get("created") or started.get("wall") or ""),
        trials=len(summary.trials),
    )


def _last(summary: Summary) -> int | None:
    """How far it has come: the last epoch, or how many trials are over."""
    if summary.is_search:
        return len(summary.trials) or None
    return summary.epochs[-1].get("epoch") if summary.epochs else None


def inferred_finish(run_dir: Path) -> Json | None:
    """`finished {reason: killed}` as readers print it where the worker is gone without a word; else None."""
    if state_of(run_dir) == "failed" and summarize(run_dir).phase != "finished":
        return {"type": "finished", "reason": "killed", "inferred": True}
    return None


def _age(run_dir: Path) -> float:
    if (run_dir / LOCK).exists():
        return 1e9
    try:
        return abs(time.time() - (run_dir / LAUNCH).stat().st_mtime)
    except OSError:
        return 1e9
