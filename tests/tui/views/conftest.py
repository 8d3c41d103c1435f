"""A made journal, and a small application with a live view on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult

from engine.history.history import History
from tui.views.live import LiveView
from tui.workbench.context import Context, HistoryChanged
from tui.workbench.theme import DARK

Json = dict[str, Any]
STEPS = 45


def journal(epochs: int, planned: int = 40, ended: str = "", best: int = 19) -> list[Json]:
    """The records of a run: `epochs` done out of `planned`, with an edit at epoch 8 and checkpoints."""
    records: list[Json] = []

    def add(type_: str, time: float, **fields: Any) -> None:
        records.append({"type": type_, "seq": len(records) + 1, "time": time, "life": 1, **fields})

    add("started", 0.0, run="20261122-0915-digits-7f3a", kind="train", host="gpu1", pid=1)
    add("progress", 0.1, stage="loading", done=600, total=1200)
    add("data", 0.2, rows={"train": 1440, "validation": 180, "test": 177})
    add("plan", 0.5, steps_per_epoch=STEPS, epochs=planned, loss_at_init=2.35, loss_baseline=2.303, parameters=9610)
    for epoch in range(1, epochs + 1):
        for part in range(3):
            step = (epoch - 1) * STEPS + 15 * (part + 1)
            loss = 2.3 * math.exp(-step / STEPS / 6) + 0.05
            add("steps", step / 90 + 0.5, first=step - 14, count=15, step=step, epoch=epoch, loss_mean=loss,
                loss_min=0.9 * loss, loss_max=1.1 * loss, lr=1e-3 if epoch <= 8 else 3e-4)  # fmt: skip
        step = epoch * STEPS
        add("epoch", step / 90 + 0.5, epoch=epoch, step=step, train_loss=2.3 * math.exp(-epoch / 6) + 0.05,
            val_loss=0.2 + abs(epoch - best) / 20 + 1.5 * math.exp(-epoch / 2),
            metrics={"val_accuracy": 1 - math.exp(-epoch / 4) * 0.9}, lr=1e-3, samples_per_second=41_000)  # fmt: skip
        if epoch == 8:
            edit = {"op": "set", "path": "optimizer.lr", "value": 3e-4, "expect": 1e-3}
            add("edited", step / 90 + 0.5, step=step, epoch=epoch, edits=[edit])
        if epoch % 5 == 0:
            add("checkpoint", step / 90 + 0.5, step=step, epoch=epoch, path=f"checkpoints/{step:06}", best=False)
    if ended:
        add("finished", epochs / 2 + 1, reason=ended, best_epoch=best, best={}, step=epochs * STEPS, epoch=epochs)
    return records


class Run:
    """An attached run without a directory behind it."""

    def __init__(self, records: list[Json], alive: bool = True, run_dir: Path = Path("/nonexistent")) -> None:
        self.history = History()
        self.history.feed(records)
        self.alive = alive
        self.run_dir = run_dir
        self.short = "7f3a"
        self.replayed = False
        self.kind = "train"


class LiveApp(App[None]):
    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run_ = run
        self.register_theme(DARK)
        self.theme = DARK.name

    def compose(self) -> ComposeResult:
        yield LiveView(Context(run=self.run_))  # type: ignore[arg-type]

    def feed(self, records: list[Json]) -> None:
        self.run_.history.feed(records)
        self.query_one(LiveView).post_message(HistoryChanged())


@pytest.fixture
def make_journal() -> Callable[..., list[Json]]:
    return journal


@pytest.fixture
def make_run() -> type[Run]:
    return Run


@pytest.fixture
def live_app() -> type[LiveApp]:
    return LiveApp
