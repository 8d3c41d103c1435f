"""A workbench in a folder of its own, with facts at hand and runs recorded without torch."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.data.facts import Facts
from engine.runs.directory import create
from engine.runs.journal import Journal
from engine.runs.lock import Lock
from tui.app import Workbench
from tui.options import Options
from tui.workbench.facts import Answer

RECIPE = """\
# Handwritten digits.
goodfit: 1
task: classification
data:
  source: {type: Builtin, name: digits}
  batch_size: 32
model:
  layers:
    - {type: Linear, out_features: 64}   # wide
    - ReLU
    - {type: Dropout, p: 0.3}
    - {type: Linear, out_features: outputs}
loss: CrossEntropyLoss
optimizer: {type: Adam, lr: 1e-3}
train:
  epochs: 10
"""
FACTS = Facts(
    task="classification",
    shape=(64,),
    outputs=10,
    rows={"train": 1257, "validation": 270, "test": 270},
    classes=[str(digit) for digit in range(10)],
)
Open = Callable[..., AbstractAsyncContextManager[Pilot[int]]]


@pytest.fixture(autouse=True, scope="session")
def seldom_collect() -> None:
    """As `tui.app.run` has it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the workbench is started in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOODFIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("GOODFIT_DATA", raising=False)
    (tmp_path / "digits.yaml").write_text(RECIPE)
    return tmp_path


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Facts without a child process; the texts that they were asked for."""
    asked: list[str] = []

    async def read(text: str, *_: object) -> Answer:
        asked.append(text)
        return Answer(facts=FACTS, preview=[{"x": 1}])

    monkeypatch.setattr("tui.app.read_facts", read)
    return asked


@pytest.fixture
def workbench(folder: Path, facts: list[str]) -> Open:
    """Open the workbench: `async with workbench("digits.yaml") as pilot`."""

    @asynccontextmanager
    async def open_(path: str | None = "digits.yaml", size: tuple[int, int] = (100, 30), **options: Any) -> Any:
        app = Workbench(Options(**options), path)
        async with app.run_test(size=size, notifications=True) as pilot:
            await settle(pilot)
            yield pilot

    return open_


def app_of(pilot: Pilot[int]) -> Workbench:
    """The application under a pilot."""
    assert isinstance(pilot.app, Workbench)
    return pilot.app


async def settle(pilot: Pilot[int]) -> None:
    """Wait until what was begun is done, or waits for an answer."""
    await pilot.pause()
    for worker in [worker for worker in pilot.app.workers if worker.group == "actions"]:
        await until(pilot, lambda worker=worker: worker.is_finished or len(pilot.app.screen_stack) > 1)
    await pilot.pause(0.01)


async def until(pilot: Pilot[int], condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"never happened; the screen:\n{text(pilot)}"
        await pilot.pause(0.02)


async def press(pilot: Pilot[int], *keys: str) -> None:
    """Press keys and wait for what they do."""
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


def text(pilot: Pilot[int]) -> str:
    """What stands on the screen."""
    screen = pilot.app.screen
    lines = [[" "] * pilot.app.size.width for _ in range(pilot.app.size.height)]
    for y, strip in enumerate(screen._compositor.render_strips()):
        if y < len(lines):
            lines[y] = list(strip.text)
    return "\n".join("".join(line).rstrip() for line in lines)


def status(pilot: Pilot[int]) -> str:
    """The status bar."""
    return text(pilot).splitlines()[-1]


def record_run(root: Path, epochs: int = 3, *, name: str = "digits", finished: bool = True, alive: bool = False) -> Any:
    """A run on disk as a worker would have left it; with `alive` its lock is still held and returned."""
    run_dir = create(
        root,
        name,
        "train",
        RECIPE,
        {"recipe_path": str(root.parent / f"{name}.yaml"), "base": str(root.parent), "argv": []},
    )
    lock = Lock.acquire(run_dir)
    journal = Journal.open(run_dir, lock)
    for record in records(run_dir, epochs, finished):
        journal.append(record)
    journal.sync()
    if alive:
        return run_dir, lock, journal
    journal.close()
    lock.release()
    return run_dir


def records(run_dir: Path, epochs: int, finished: bool) -> list[dict[str, Any]]:
    """The records of a short run of ten planned epochs, ten steps each."""
    made: list[dict[str, Any]] = [
        {
            "type": "started",
            "run": run_dir.name,
            "kind": "train",
            "path": "digits.yaml",
            "pid": os.getpid(),
            "host": "here",
            "parent": None,
            "base": ".",
            "versions": {},
            "git": None,
            "argv": [],
            "wall": "2026-01-01T00:00:00Z",
            "schema": 1,
        },
        {
            "type": "data",
            "rows": FACTS.rows,
            "task": FACTS.task,
            "shape": [64],
            "outputs": 10,
            "features": [],
            "classes": FACTS.classes,
            "class_counts": {},
            "target_names": [],
            "missing": 0,
            "duplicates": 0,
            "shared": {},
            "warnings": [],
            "data_sha256": "",
            "split_sha256": "",
        },
        {
            "type": "plan",
            "steps_per_epoch": 10,
            "epochs": 10,
            "parameters": 4810,
            "loss_baseline": 2.3,
            "device": "cpu",
        },
    ]
    for epoch in range(1, epochs + 1):
        made += steps(epoch)
    if finished:
        made.append(
            {"type": "finished", "reason": "stopped", "best_epoch": epochs, "best": {}, "test": None, "recipe": ""}
        )
    return made


def steps(epoch: int) -> list[dict[str, Any]]:
    """One epoch: its steps and its scores."""
    loss = 2.0 / epoch
    step = 10 * epoch
    shared = {"epoch": epoch, "step": step}
    return [
        {
            "type": "steps",
            "first": step - 9,
            "count": 10,
            "loss_mean": loss,
            "loss_min": loss,
            "loss_max": loss,
            "lr": 1e-3,
            "crc": "0" * 8,
            **shared,
        },
        {
            "type": "epoch",
            "train_loss": loss,
            "val_loss": loss + 0.1,
            "metrics": {"val_accuracy": 1 - loss / 4},
            "lr": 1e-3,
            "seconds": 0.1,
            "samples_per_second": 1000.0,
            "digest": "0" * 8,
            **shared,
        },
    ]
