from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runs.launch import kill_worker
from tests.tui.commands.forked import stand_in
from tests.tui.commands.goodfit import Goodfit


@pytest.fixture
def goodfit(tmp_path: Path) -> Iterator[Goodfit]:
    """The command line in an empty folder with `iris.yaml`; no worker outlives the test."""
    yield Goodfit(tmp_path)
    end_workers(tmp_path)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Goodfit]:
    """The command line in a folder with one finished run of three epochs, to be read and not changed."""
    goodfit = Goodfit(tmp_path_factory.mktemp("trained"))
    done = goodfit.process("train", "iris.yaml", "--test", "--json")
    (goodfit.folder / "printed.jsonl").write_text(done.stdout)
    yield goodfit
    end_workers(goodfit.folder)


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verbs called in this process start workers and tools that need not import torch first."""
    stand_in(monkeypatch)


def end_workers(folder: Path) -> None:
    if (folder / "runs").is_dir():
        for run_dir in (folder / "runs").iterdir():
            kill_worker(run_dir)
