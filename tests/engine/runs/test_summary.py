from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from engine.runs.journal import Journal
from engine.runs.lock import Lock
from engine.runs.summary import inferred_finish, info, state_of, summarize

STARTED = {"type": "started", "pid": os.getpid(), "host": "h", "kind": "train", "parent": None, "wall": "w"}
PLAN = {"type": "plan", "epochs": 40, "steps_per_epoch": 10}
STEPS = {"type": "steps", "step": 5, "first": 1, "count": 5, "loss_mean": 1.0}
PAUSED = {"type": "paused", "step": 5}
GOES_ON = {"type": "resumed", "from_step": 5}
NEW_LIFE = {"type": "resumed", "from_step": 5, "pid": os.getpid(), "host": "h"}


def epoch(number: int, val_loss: Any, **metrics: Any) -> dict[str, Any]:
    return {
        "type": "epoch",
        "epoch": number,
        "step": 10 * number,
        "train_loss": 1 / number,
        "val_loss": val_loss,
        "metrics": metrics,
    }


def finished(reason: str) -> dict[str, Any]:
    return {"type": "finished", "reason": reason, "best_epoch": None, "best": {}, "test": None, "recipe": ""}


def write(run_dir: Path, *records: dict[str, Any]) -> None:
    with Lock.acquire(run_dir) as lock:
        journal = Journal.open(run_dir, lock)
        for record in records:
            journal.append(record)
        journal.close()


@pytest.mark.parametrize(
    ("records", "live", "dead"),
    [
        ([], "preparing", "failed"),
        ([STARTED], "preparing", "failed"),
        ([STARTED, {"type": "progress", "stage": "loading", "done": 1, "total": 2}], "preparing", "failed"),
        ([STARTED, PLAN], "running", "failed"),
        ([STARTED, PLAN, STEPS], "running", "failed"),
        ([STARTED, PLAN, STEPS, PAUSED], "paused", "failed"),
        ([STARTED, PLAN, STEPS, PAUSED, GOES_ON], "running", "failed"),
        ([STARTED, PLAN, STEPS, NEW_LIFE], "preparing", "failed"),
        ([STARTED, PLAN, STEPS, NEW_LIFE, STEPS], "running", "failed"),
        ([STARTED, PLAN, STEPS, finished("stopped"), NEW_LIFE, epoch(1, 1.0)], "running", "failed"),
        ([STARTED, finished("completed")], "completed", "completed"),
        ([STARTED, finished("early_stopped")], "completed", "completed"),
        ([STARTED, finished("stopped")], "stopped", "stopped"),
        ([STARTED, finished("preempted")], "stopped", "stopped"),
        ([STARTED, finished("non_finite")], "failed", "failed"),
        ([STARTED, finished("out_of_memory")], "failed", "failed"),
        ([STARTED, finished("error")], "failed", "failed"),
        ([STARTED, finished("killed")], "failed", "failed"),
        ([STARTED, finished("completed"), {"type": "test_evaluated"}], "completed", "completed"),
        ([STARTED, PLAN, PAUSED, finished("stopped"), NEW_LIFE, finished("completed")], "completed", "completed"),
    ],
)
def test_the_state_follows_the_journal_and_the_lock(
    run_dir: Path, records: list[dict[str, Any]], live: str, dead: str
) -> None:
    with Lock.acquire(run_dir) as lock:
        journal = Journal.open(run_dir, lock)
        for record in records:
            journal.append(record)
        assert state_of(run_dir) == live
        journal.close()
    assert state_of(run_dir) == dead
    said = {"type": "finished", "reason": "killed", "inferred": True}
    over = any(record["type"] == "finished" for record in records) and records[-1] != epoch(1, 1.0)
    assert inferred_finish(run_dir) == (None if over else said)


def test_readers_who_infer_write_nothing(run_dir: Path) -> None:
    write(run_dir, STARTED)
    before = {path: path.stat().st_mtime_ns for path in run_dir.rglob("*")}
    assert inferred_finish(run_dir) is not None and info(run_dir).state == "failed"
    assert {path: path.stat().st_mtime_ns for path in run_dir.rglob("*")} == before


def test_a_new_worker_on_an_ended_run_is_preparing(run_dir: Path) -> None:
    write(run_dir, {**STARTED, "pid": 1}, finished("stopped"))
    assert state_of(run_dir) == "stopped"
    with Lock.acquire(run_dir):
        assert state_of(run_dir) == "preparing"


def test_a_look_at_the_test_part_does_not_change_the_state(run_dir: Path) -> None:
    write(run_dir, STARTED, finished("completed"))
    with Lock.acquire(run_dir, purpose="test"):
        assert state_of(run_dir) == "completed"


def test_a_run_just_made_is_preparing_and_an_abandoned_one_failed(run_dir: Path) -> None:
    assert state_of(run_dir) == "preparing" and inferred_finish(run_dir) is None
    os.utime(run_dir / "launch.json", (time.time() - 60,) * 2)
    assert state_of(run_dir) == "failed"


@pytest.mark.parametrize(
    ("ended", "beat", "expected"), [(False, -90, "unknown"), (False, -5, "running"), (True, -90, "stopped")]
)
def test_on_another_host(run_dir: Path, ended: bool, beat: float, expected: str) -> None:
    write(run_dir, STARTED, PLAN, STEPS, *([finished("stopped")] if ended else []))
    holder = json.loads((run_dir / "lock").read_text())
    (run_dir / "lock").write_text(json.dumps({**holder, "host": "elsewhere"}))
    (run_dir / "heartbeat").touch()
    os.utime(run_dir / "heartbeat", (time.time() + beat,) * 2)
    assert state_of(run_dir) == expected
    assert inferred_finish(run_dir) is None


def test_what_a_list_shows(run_dir: Path) -> None:
    write(
        run_dir, STARTED, PLAN, STEPS, epoch(1, 0.5, val_accuracy=0.8), epoch(2, 0.4, val_accuracy=0.7), epoch(3, 0.4)
    )
    shown = info(run_dir)
    assert (shown.run, shown.id, shown.name, shown.kind) == (run_dir.name, run_dir.name[-4:], "digits", "train")
    assert (shown.state, shown.pid, shown.host) == ("failed", os.getpid(), "h")
    assert (shown.epoch, shown.epochs, shown.best_epoch, shown.reason) == (3, 40, 2, None)
    assert shown.best == {"train_loss": 0.5, "val_loss": 0.4, "val_accuracy": 0.7}
    assert shown.parent is None and shown.created


def test_a_resume_takes_back_epochs_and_edits(run_dir: Path) -> None:
    longer = {"type": "edited", "step": 15, "edits": [{"op": "set", "path": "train.epochs", "value": 50}]}
    write(run_dir, STARTED, PLAN, epoch(1, 0.5), longer, epoch(2, 0.1))
    assert (info(run_dir).epochs, info(run_dir).best_epoch) == (50, 2)
    write(run_dir, {**NEW_LIFE, "from_step": 12})
    assert (info(run_dir).epochs, info(run_dir).best_epoch, info(run_dir).epoch) == (40, 1, 1)


def test_a_summary_reads_only_what_is_new(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(run_dir, STARTED, PLAN, epoch(1, 0.5))
    first = summarize(run_dir)
    before = first._offset
    write(run_dir, epoch(2, 0.4))
    assert summarize(run_dir) is first and first._offset > before and len(first.epochs) == 2
    (run_dir / "events.log").rename(run_dir / "old.log")
    write(run_dir, STARTED)
    assert summarize(run_dir).epochs == []


def test_a_half_written_line_is_read_once_it_is_whole(run_dir: Path) -> None:
    write(run_dir, STARTED, PLAN, epoch(1, 0.5))
    path = run_dir / "events.log"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert summarize(run_dir).epochs == []
    with path.open("ab") as file:
        file.write(whole[-20:])
    assert len(summarize(run_dir).epochs) == 1


def test_a_run_without_anything_readable_is_still_listed(run_dir: Path) -> None:
    (run_dir / "launch.json").write_text("{")
    (run_dir / "events.log").write_bytes(b"garbage\n" * 3)
    assert (info(run_dir).state, info(run_dir).name) == ("preparing", run_dir.name)
