"""A life of a run where the world around it is not as it should be."""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.runs.commands import request
from engine.runs.journal import Journal, effective, read
from engine.runs.lock import Lock
from engine.train.checkpoint import Saver
from engine.train.duty import say

TEXT = """
seed: 9
data: {source: {type: Builtin, name: digits}, limit: 64, batch_size: 32}
model: {layers: [{type: Linear, out_features: 8}, {type: Linear, out_features: outputs}]}
optimizer: {type: Adam, lr: 0.01}
train: {epochs: 4}
"""
LONG = TEXT.replace("epochs: 4", "epochs: 1000000")


@pytest.mark.parametrize("how", ["deleted", "moved", "paused"])
def test_a_run_whose_folder_is_gone_ends(how: str, nursery: Any) -> None:
    run_dir = nursery.create(LONG)
    process = nursery.start(run_dir)
    sys.modules[type(nursery).__module__].await_record(run_dir, lambda r: r["type"] == "epoch")
    if how == "paused":
        request(run_dir, "pause")
    moved = run_dir.rename(nursery.root / "moved")
    if how != "moved":
        shutil.rmtree(moved)
    process.join(20)
    assert process.exitcode is not None and (process.exitcode != 0 or how == "paused")
    assert not run_dir.exists()
    if how == "moved":
        assert "folder is gone" in read(moved)[-1]["message"]


def test_an_epoch_is_told_once_though_its_validation_is_done_again(nursery: Any, train: Any) -> None:
    """Killed after the record of an epoch, with the last checkpoint from before the epoch's validation."""
    run_dir = nursery.train(TEXT)
    told = [record for record in read(run_dir) if record["type"] == "epoch"]
    log = run_dir / "events.log"
    lines = log.read_bytes().splitlines(keepends=True)
    end = next(i for i, line in enumerate(lines) if b'"type":"epoch"' in line and b'"epoch":2,' in line)
    log.write_bytes(b"".join(lines[: end + 1]))
    before = train(TEXT, last=4)
    assert (before.loop.position.epoch, before.loop.position.index) == (1, 2)
    saver = Saver(run_dir, before.session.recipe, before.session.prepared)
    with Lock.acquire(run_dir) as lock:
        journal = Journal.open(run_dir, lock)
        for record in saver.save(before.session.executor, before.loop.position, TEXT):
            journal.append(record)
        journal.close()
    nursery.finish(run_dir, nursery.start(run_dir))
    again = [record for record in effective(read(run_dir)) if record["type"] == "epoch"]
    assert [(r["epoch"], r["digest"]) for r in again] == [(r["epoch"], r["digest"]) for r in told]


def test_what_is_on_disk_already_is_not_saved_again(nursery: Any) -> None:
    run_dir: Path = nursery.train(TEXT)
    nursery.finish(run_dir, nursery.start(run_dir))  # a life with nothing left to do
    steps = [record["step"] for record in read(run_dir) if record["type"] == "checkpoint"]
    assert steps == sorted(set(steps)) and steps[-1] == 8


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_that_cannot_be_written_ends_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        say("the disk is full")
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()
