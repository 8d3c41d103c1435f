from __future__ import annotations

from pathlib import Path

import pytest

from engine.runs.attach import AttachedRun
from engine.runs.commands import Inbox, NotRunning
from engine.runs.journal import Journal
from engine.runs.lock import Lock

PLAN = {"type": "plan", "epochs": 2, "steps_per_epoch": 10}


def test_attaching_at_any_time_shows_everything(run_dir: Path) -> None:
    early = AttachedRun(run_dir)
    assert early.poll() == [] and not early.alive()
    with Lock.acquire(run_dir) as lock:
        journal = Journal.open(run_dir, lock)
        seen = []
        for step in range(1, 30):
            journal.append(PLAN if step == 1 else {"type": "steps", "step": step, "first": step, **LOSS})
            seen += early.poll()
        assert early.alive() and early.state == "preparing"  # nothing has named this worker yet
        journal.close()
    late = AttachedRun(run_dir)
    assert late.poll() == seen and late.poll() == []
    for run in (early, late):
        assert run.history.step == 29 and len(run.history.series["train_loss"]) == 28
        assert not run.alive() and run.state == "failed"


LOSS = {"count": 1, "loss_mean": 1.0, "loss_min": 1.0, "loss_max": 1.0, "lr": 0.1}


def test_commands_go_to_the_worker_that_lives(run_dir: Path) -> None:
    run = AttachedRun(run_dir)
    with pytest.raises(NotRunning):
        run.send("pause")
    with Lock.acquire(run_dir):
        name = run.send("set", edits=[])
        assert [command.id for command in Inbox(run_dir).poll()] == [name]


def test_a_look_at_the_test_part_is_no_worker(run_dir: Path) -> None:
    with Lock.acquire(run_dir, purpose="test"):
        assert not AttachedRun(run_dir).alive()


def test_a_run_whose_folder_has_gone(tmp_path: Path) -> None:
    run = AttachedRun(tmp_path / "gone")
    assert run.poll() == [] and not run.alive() and run.state == "failed"
