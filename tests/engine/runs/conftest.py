"""A run's folder and its journal, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runs import directory
from engine.runs.journal import Journal
from engine.runs.lock import Lock


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return directory.create(tmp_path / "runs", "digits", "train", "name: digits\n", {"base": "/"})


@pytest.fixture
def journal(run_dir: Path) -> Iterator[Journal]:
    with Lock.acquire(run_dir) as lock:
        opened = Journal.open(run_dir, lock)
        yield opened
        opened.close()
