"""Recipes small enough to train in a blink, sessions and loops on them, and worker processes that start at once."""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.runs.directory import create
from engine.runs.journal import Tail, read
from engine.runs.launch import Options
from engine.train import worker
from engine.train.desk import Change, Script
from engine.train.loop import LARGEST_CHUNK, Loop
from engine.train.position import Position
from engine.train.rows import RecordedRows
from engine.train.session import Session, open_session

Json = dict[str, Any]

DIGITS = """\
name: digits
seed: 3
data:
  source: {type: Builtin, name: digits}
  limit: 100
  batch_size: 32
model:
  layers:
    - {type: Linear, out_features: 24}
    - ReLU
    - {type: Dropout, p: 0.3, name: drop1}
    - {type: Linear, out_features: outputs}
optimizer: {type: Adam, lr: 0.01}
train: {epochs: 3}
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tests in this process leave torch's switches as they were."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    yield
    torch.set_deterministic_debug_mode(2 if deterministic else 0)


@dataclass
class Trained:
    """What a loop in this process has given."""

    session: Session
    loop: Loop
    records: list[Any] = field(default_factory=list)

    def of(self, type_: str) -> list[Any]:
        return [record for record in self.records if record.type == type_]

    @property
    def losses(self) -> list[float]:
        return [record.loss_mean for record in self.of("steps")]


class Uneven(Script):
    """A script that lets the loop run so many steps at a time."""

    def __init__(self, lengths: list[int] | None, changes: list[tuple[int, Change]], last: int | None) -> None:
        super().__init__(changes, last)
        self.lengths = lengths

    def horizon(self, step: int) -> int | None:
        ahead = super().horizon(step)
        if not self.lengths:
            return ahead
        here = step + self.lengths[step % len(self.lengths)]
        return here if ahead is None else min(ahead, here)


@pytest.fixture
def make_loop(tmp_path: Path) -> Callable[..., Trained]:
    """A loop on a recipe's text, not yet run: one row a step, nothing on disk."""

    def make(
        text: str,
        *,
        position: Position | None = None,
        state: Any = None,
        chunks: list[int] | None = None,
        changes: list[tuple[int, Change]] | None = None,
        last: int | None = None,
    ) -> Trained:
        session = open_session(text, tmp_path)
        if state is not None:
            session.executor.load(state)
        loop = session.loop(
            position=position or Position(),
            desk=Uneven(chunks, changes or [], last),
            rows=RecordedRows([(step, 1) for step in range(1, 5000)]),
        )
        loop._chunk = LARGEST_CHUNK  # only the script says how many steps run at a time
        return Trained(session, loop)

    return make


@pytest.fixture
def train(make_loop: Callable[..., Trained]) -> Callable[..., Trained]:
    """The same, run to its end."""

    def run(text: str, **options: Any) -> Trained:
        trained = make_loop(text, **options)
        trained.records.extend(trained.loop.run())
        return trained

    return run


def work(run_dir: str) -> None:
    """A worker's main program."""
    sys.exit(worker.main([run_dir]))


class Nursery:
    """Starts workers by forking a process that has torch loaded."""

    def __init__(self, root: Path, context: ForkServerContext) -> None:
        self.root, self._context = root, context
        self.processes: list[ForkServerProcess] = []

    def create(self, text: str, **launch: Any) -> Path:
        """A run's folder."""
        options = {**Options(base=str(self.root)).to_json(), "edits": [], "from": None, **launch}
        return create(self.root / "runs", "test", "train", text, options)

    def start(self, run_dir: Path, main: Callable[[str], None] | None = None) -> ForkServerProcess:
        """A worker on it; its exit code is the process's."""
        process = self._context.Process(target=main or work, args=(str(run_dir),))
        process.start()
        self.processes.append(process)
        return process

    def train(self, text: str, **launch: Any) -> Path:
        """A whole run."""
        run_dir = self.create(text, **launch)
        self.finish(run_dir, self.start(run_dir))
        return run_dir

    def finish(self, run_dir: Path, process: ForkServerProcess) -> Json:
        """Wait for the worker's end; its `finished`."""
        record = await_record(run_dir, lambda r: r["type"] == "finished", life=last_life(run_dir))
        process.join(30)
        assert not process.is_alive()
        return record


def last_life(run_dir: Path) -> int:
    """The life whose records count now."""
    return max((record["life"] for record in read(run_dir)), default=1)


def await_record(run_dir: Path, wanted: Callable[[Json], bool], life: int = 1, seconds: float = 60.0) -> Json:
    """The first record of a life, or of a later one, that is wanted."""
    tail, deadline = Tail(run_dir), time.monotonic() + seconds
    seen: list[Json] = []
    while time.monotonic() < deadline:
        for record in tail.poll():
            seen.append(record)
            if record["life"] >= life and wanted(record):
                return record
        time.sleep(0.02)
    log = run_dir / "worker.log"
    words = log.read_text() if log.exists() else ""
    raise AssertionError(f"never came; last were {seen[-3:]}\n{words}")


@pytest.fixture(scope="session")
def forkserver() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["engine.train.life", "engine.train.session", "engine.train.verify"])
    return context


@pytest.fixture
def nursery(tmp_path: Path, forkserver: ForkServerContext) -> Iterator[Nursery]:
    nursery = Nursery(tmp_path, forkserver)
    yield nursery
    for process in nursery.processes:
        with contextlib.suppress(ValueError):
            process.kill()
            process.join(10)
