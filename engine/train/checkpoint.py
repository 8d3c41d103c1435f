"""When a run's state goes to disk, and what goes with it so that the checkpoint alone is enough to use the model."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from engine.data.prepared import Prepared
from engine.recipe.schema import Recipe
from engine.runs import checkpoints
from engine.runs.records import Checkpoint, Json
from engine.runs.thinning import parse_size, thin
from engine.train.executors.executor import State
from engine.train.position import Position

SHARE = 20.0
"""A save may cost one part in so many of the time since the last one."""
LEAST = 0.5
"""Seconds between two saves at the least: less work than that is quickly done again."""
WITHIN_EPOCH = 30.0
"""Seconds after which a long epoch is saved in its middle."""
AFTER_TROUBLE = 10.0
"""Seconds until the next try where the disk refused."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint as it comes back."""

    state: State
    position: Position
    text: str
    """The effective recipe."""
    fitted: dict[str, Any]
    facts: dict[str, Any]


def read(run_dir: Path, record: Json) -> Saved:
    """What a `checkpoint` record names. Raises CheckpointError."""
    return unpack(*checkpoints.load_record(run_dir, record))


def unpack(tensors: dict[str, Any], data: Json) -> Saved:
    """The parts of a checkpoint that has been loaded."""
    return Saved(
        State(tensors, data["executor"]),
        Position.from_json(data["position"]),
        data["recipe"],
        data["fitted"],
        data["facts"],
    )


class Stateful(Protocol):
    """What has a state to save: an executor."""

    def state(self) -> State:
        """A copy of the present state."""


class Saver:
    """Writes checkpoints. The journal record that it gives is the commit, so whoever gets it must write it down."""

    def __init__(
        self, run_dir: Path, recipe: Recipe, prepared: Prepared, records: Iterable[Json] = (), *, sync: bool = True
    ) -> None:
        """`records` are those of the run so far. Without `sync` somebody else makes the files durable."""
        self._run_dir, self._sync = run_dir, sync
        self._model_data = {"fitted": prepared.fitted.state, "facts": asdict(prepared.facts)}
        self._budget = parse_size(recipe.train.checkpoints.budget)
        self._best: tuple[State, Json, int, int] | None = None
        """State, JSON, step and epoch of the best epoch, while it is not on disk."""
        self._last: tuple[tuple[int, int, str], Checkpoint] | None = None
        self._at, self._cost = time.monotonic(), 0.0
        self._best_record = checkpoints.best(list(records))

    def due(self, *, mid_epoch: bool) -> bool:
        """Whether it is time: never so often that saving would slow the run down noticeably."""
        return time.monotonic() - self._at >= max(SHARE * self._cost, WITHIN_EPOCH if mid_epoch else LEAST)

    def keep_best(self, executor: Stateful, position: Position, text: str) -> None:
        """Remember the state as that of the best epoch; it goes to disk before the next checkpoint does."""
        state = executor.state()
        self._best = (state, self._json(state, position, text), position.step, position.epoch)

    def save(self, executor: Stateful, position: Position, text: str, *, again: bool = False) -> Iterator[Checkpoint]:
        """Write the present state, and the best epoch's if it is not on disk yet. Raises StorageError.

        A state that is on disk already is not written twice; `again` gives its record once more.
        """
        began = self._at = time.monotonic()
        last, self._cost = self._cost, max(self._cost, AFTER_TROUBLE / SHARE)  # if this fails, the next try waits
        key = (position.step, position.epoch, text)
        if self._last is not None and self._last[0] == key:
            self._cost = last
            if again:
                yield self._last[1]
            return
        now_best = position.best is not None and (position.best.step, position.best.epoch) == key[:2]
        if self._best is not None and not now_best:
            state, data, step, epoch = self._best
            yield self._write(state, data, step, epoch, best=True)
        self._best = None
        state = executor.state()
        whole = position.epoch if position.epoch and not position.index else None
        record = self._write(state, self._json(state, position, text), position.step, whole, best=now_best)
        self._last = (key, record)
        yield record
        thin(self._run_dir, self._budget)
        self._at = time.monotonic()
        self._cost = self._at - began

    def save_best(self) -> Iterator[Checkpoint]:
        """Write the best epoch's state if it is not on disk yet, and nothing else. Raises StorageError."""
        if self._best is not None:
            state, data, step, epoch = self._best
            self._best = None
            yield self._write(state, data, step, epoch, best=True)

    def best(self) -> Saved | None:
        """The best epoch's state from disk; None where no epoch has been finished."""
        return None if self._best_record is None else read(self._run_dir, self._best_record)

    def adopt(self, position: Position, text: str, source: Json, best: bool) -> Checkpoint:
        """Count a checkpoint that was copied here as the last one; the record that commits it."""
        record = Checkpoint(
            epoch=source.get("epoch"),
            step=int(source["step"]),
            path=source["path"],
            manifest_sha=source["manifest_sha"],
            best=best,
        )
        self._last = ((position.step, position.epoch, text), record)
        if best:
            self._best_record = source
        return record

    def go_on(self, saved: Saved, record: Json) -> None:
        """Count the checkpoint that a life begins with as the last one."""
        kept = Checkpoint(
            epoch=record.get("epoch"),
            step=int(record["step"]),
            path=record["path"],
            manifest_sha=record["manifest_sha"],
            best=bool(record.get("best")),
        )
        self._last = ((saved.position.step, saved.position.epoch, saved.text), kept)

    def _json(self, state: State, position: Position, text: str) -> Json:
        return {"position": position.to_json(), "executor": state.data, "recipe": text, **self._model_data}

    def _write(self, state: State, data: Json, step: int, epoch: int | None, *, best: bool) -> Checkpoint:
        """`epoch` is None in the middle of one."""
        written = checkpoints.write(self._run_dir, step, state.tensors, data, sync=self._sync)
        record = Checkpoint(epoch=epoch, step=step, path=written.path, manifest_sha=written.manifest_sha, best=best)
        if best:
            self._best_record = {"path": written.path, "manifest_sha": written.manifest_sha, "step": step}
        return record
