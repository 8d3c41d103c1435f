"""The run of one trial: a folder of its own with recipe, journal and checkpoints, like that of any run.

It is written by the search's worker, many of them at the same time, so it has no threads of its own, and is made
durable behind everybody's back.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from engine.history.trials import Curve
from engine.recipe.edits import edit_to_json
from engine.recipe.resolve import dump, to_data
from engine.runs import checkpoints
from engine.runs.directory import RESOLVED, create
from engine.runs.journal import Journal, read
from engine.runs.lock import Lock
from engine.runs.process import host
from engine.runs.records import Checkpoint, Finished, Json, Plan, Reason, Record, Resumed, Started
from engine.runs.storage import write_new
from engine.train import origin
from engine.train.checkpoint import Saver
from engine.train.early_stopping import monitored, value_of
from engine.train.position import Position
from engine.train.search.material import Trial
from engine.train.session import data_record

POINTS = 64
"""Points of the curve that a trial's record holds, at the most."""


@dataclass(frozen=True)
class Family:
    """What all children of a search have in common."""

    run_dir: Path
    """The search's own folder."""
    name: str
    started: Started
    """The search's: versions and revision are the same."""
    options: Json
    """The search's launch.json."""
    persist: Callable[[Callable[[], object]], None]
    """Does what writes to the disk, with patience."""
    done: Callable[[Path], None]
    """Takes a folder that is to be made durable."""


class Child:
    """A trial's run while it trains."""

    def __init__(self, family: Family, trial: Trial, noted: Callable[[int, str], None], stack: int = 1) -> None:
        """Make the folder, or take up the one that an earlier life began; `noted` hears its name before it is used.

        `stack` is how many trials train together. Raises StorageError.
        """
        self.trial, self._family, self._stack = trial, family, stack
        self.position = Position()
        self.curve = Curve()
        self.began = time.monotonic()
        root = family.run_dir.parent
        if trial.run is None or not (root / trial.run).is_dir():
            family.persist(self._create)
            assert trial.run is not None
            noted(trial.number, trial.run)
        self.run_dir = root / trial.run
        self._lock = Lock.acquire(self.run_dir, purpose="trial")
        self._journal = Journal.open(self.run_dir, self._lock, sync=False)
        self.records = read(self.run_dir)
        self._announce()
        self.saver = Saver(self.run_dir, trial.recipe, trial.prepared, self.records, sync=False)

    @property
    def monitor(self) -> str:
        """The series that judges epochs."""
        return monitored(self.trial.recipe, len(self.trial.prepared.validation.rows) > 0)

    def write(self, record: Record) -> None:
        """Append to the child's journal."""
        self._family.persist(lambda: self._journal.append(record))

    def plan(self, parameters: int, steps_per_epoch: int, at_init: float, baseline: float) -> None:
        """Journal how the trial is trained, unless an earlier life did."""
        if any(record["type"] == "plan" for record in self.records):
            return
        self.write(
            Plan(
                **asdict(self.trial.choice),
                parameters=parameters,
                steps_per_epoch=steps_per_epoch,
                epochs=self.trial.recipe.train.epochs,
                loss_at_init=at_init,
                loss_baseline=baseline,
                monitor=self.monitor,
            )
        )

    def commit(self, saved: Checkpoint) -> None:
        """Journal a checkpoint that has been written."""
        self.write(saved)

    def restart(self) -> None:
        """Begin anew: what was done so far is superseded."""
        self.position = Position()
        self.curve = Curve()
        self.write(Resumed(from_step=0, step=0))
        self.saver = Saver(self.run_dir, self.trial.recipe, self.trial.prepared, sync=False)

    def close(self, reason: Reason, message: str = "", details: Json | None = None) -> None:
        """Journal the end, and let go of the run."""
        best = self.position.best
        self.write(
            Finished(
                epoch=self.position.epoch,
                step=self.position.step,
                reason=reason,
                best_epoch=best.epoch if best else None,
                best=best.row if best else {},
                test=None,
                recipe=self.trial.text,
                message=message,
                details=details or {},
            )
        )
        self.release()

    def release(self) -> None:
        """Let go of the run without a word: a later life takes it up."""
        self._journal.close()
        self._lock.release()
        self._family.done(self.run_dir)

    def row(self, state: str, message: str = "") -> Json:
        """The trial's row, from where it stands."""
        best = self.position.best
        scores = dict(best.row) if best else {}
        curve = {"epochs": list(map(int, self.curve.epochs)), "values": list(map(_told, self.curve.values))}
        value = value_of(scores, self.monitor)
        return trial_row(
            self.trial,
            state,
            message,
            run=self.run_dir.name,
            value=None if value != value else value,
            train_loss=scores.pop("train_loss", None),
            val_loss=scores.pop("val_loss", None),
            metrics=scores,
            best_epoch=best.epoch if best else None,
            epochs=self.position.epoch,
            seconds=round(time.monotonic() - self.began, 6),
            curve=curve if len(self.curve) else None,
        )

    def _create(self) -> None:
        """Make the run's folder."""
        name = f"{self._family.name}-trial-{self.trial.number}"
        root = self._family.run_dir.parent
        self.trial.run = create(root, name, "train", self.trial.text, self._launch(), sync=False).name

    def _launch(self) -> Json:
        shared = {key: self._family.options.get(key) for key in ("base", "argv", "device", "frozen", "parts")}
        parent = {"run": self._family.run_dir.name, "how": "child", "step": None}
        kept = {k: self._family.options[k] for k in ("recipe_path",) if k in self._family.options}
        owner = {"owner_pid": None, "owner_token": None}
        own = {"trial": self.trial.number, "stack": self._stack, "test": False, "edits": [], "from": None}
        return {**shared, **kept, **owner, **own, "parent": parent}

    def _announce(self) -> None:
        if any(record["type"] == "started" for record in self.records):
            self.write(
                Resumed(
                    from_step=0,
                    step=0,
                    pid=os.getpid(),
                    host=host(),
                    versions=self._family.started.versions,
                    wall=origin.now(),
                )
            )
            self.records = read(self.run_dir)
            checkpoints.sweep(self.run_dir, self.records)
        else:
            parent = {"run": self._family.run_dir.name, "how": "child", "step": None}
            self.write(
                replace(
                    self._family.started,
                    run=self.run_dir.name,
                    path=str(self.run_dir),
                    kind="train",
                    parent=parent,
                    wall=origin.now(),
                )
            )
        if not any(record["type"] == "data" for record in self.records):
            self.write(data_record(self.trial.prepared))
        resolved = self.run_dir / RESOLVED
        if not resolved.exists():
            self._family.persist(lambda: write_new(resolved, dump(to_data(self.trial.recipe)).encode(), sync=False))


def trial_row(
    trial: Trial,
    state: str,
    message: str,
    *,
    run: str | None,
    value: float | None = None,
    train_loss: float | None = None,
    val_loss: float | None = None,
    metrics: Json | None = None,
    best_epoch: int | None = None,
    epochs: int = 0,
    seconds: float = 0.0,
    curve: Json | None = None,
) -> Json:
    """The fields of a `trial` record."""
    return {
        "number": trial.number,
        "state": state,
        "edits": [edit_to_json(edit) for edit in trial.edits],
        "params": trial.params,
        "value": value,
        "train_loss": train_loss,
        "val_loss": val_loss,
        "metrics": metrics or {},
        "best_epoch": best_epoch,
        "epochs": epochs,
        "seconds": seconds,
        "run": run,
        "message": message,
        "curve": curve or {},
    }


def _told(value: float) -> float | None:
    """A value of a curve as it is journalled: what is no number is none, since the storage holds plain JSON."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
