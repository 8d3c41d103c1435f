"""A run's folder and its journal, for the tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from engine.runs import checkpoints, directory
from engine.runs.journal import Journal
from engine.runs.lock import Lock
from engine.runs.records import Checkpoint, Json


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here cuts the power, so none needs to wait until bytes have reached the platter."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return directory.create(tmp_path / "runs", "digits", "train", "name: digits\n", {"base": "/"})


@pytest.fixture
def journal(run_dir: Path) -> Iterator[Journal]:
    with Lock.acquire(run_dir) as lock:
        opened = Journal.open(run_dir, lock)
        yield opened
        opened.close()


class Commit(Protocol):
    def __call__(self, journal: Journal, step: int, *, epoch: int | None = None, best: bool = False) -> Json: ...


@pytest.fixture
def commit() -> Commit:
    """Writes a checkpoint whose arrays and state tell its step, and journals it."""

    def write(journal: Journal, step: int, *, epoch: int | None = None, best: bool = False) -> Json:
        tensors = {"w": np.full(1000, step, dtype=np.float32)}
        written = checkpoints.write(journal.run_dir, step, tensors, {"step": step})
        return journal.append(
            Checkpoint(epoch=epoch, step=step, path=written.path, manifest_sha=written.manifest_sha, best=best)
        )

    return write
