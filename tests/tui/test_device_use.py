"""Device use in words, on the status bar and in the headless printer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engine.history.history import History
from tui.device_use import long, short
from tui.printer import TextPrinter
from tui.workbench.status import run_cells

GIB = 1 << 30
GPU = {
    "type": "device_use",
    "device": "cuda:0",
    "memory_own": int(1.2 * GIB),
    "memory_used": 9 * GIB,
    "memory_total": 78 * GIB,
    "utilization": 97.0,
    "temperature": 64.4,
}
NOTHING = dict.fromkeys(("memory_own", "memory_used", "memory_total", "utilization", "temperature"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "cuda:0 1.2/78 GiB 64°"),
        ({"temperature": None}, "cuda:0 1.2/78 GiB"),
        ({"memory_own": None}, "cuda:0 9.0/78 GiB 64°"),
        ({"memory_total": None, "temperature": None}, "cuda:0 1.2 GiB"),
        (NOTHING, "cuda:0"),
        ({"memory_own": int(0.8 * GIB), "memory_total": 24 * GIB, "temperature": None}, "cuda:0 0.8/24 GiB"),
    ],
)  # fmt: skip
def test_few_words(changes: dict[str, Any], expected: str) -> None:
    assert short({**GPU, **changes}) == expected


def test_many_words() -> None:
    assert long(GPU) == "cuda:0: 1.2 of 78 GiB held by this run, 9.0 GiB by all; 97 % busy; 64°"
    assert long({**GPU, **NOTHING}) == "cuda:0: nothing known"
    assert long({"type": "device_use"}) == "device: nothing known"


def test_the_printer_says_it_once(capsys: Any) -> None:
    printer = TextPrinter()
    printer.record(GPU)
    printer.record(GPU)
    assert capsys.readouterr().err.count("held by this run") == 1


def test_the_status_bar_of_a_live_or_replayed_run_shows_the_latest() -> None:
    history = History()
    plan = {"type": "plan", "seq": 1, "time": 0.0, "life": 1, "epochs": 4, "steps_per_epoch": 10}
    history.feed([plan, {**GPU, "seq": 2, "time": 1.0}, {**GPU, "seq": 3, "time": 2.0, "temperature": 70.0}])
    tab: Any = SimpleNamespace(context=SimpleNamespace(run=SimpleNamespace(history=history, kind="train")))
    assert run_cells(tab)[-1].text.strip() == "cuda:0 1.2/78 GiB 70°"
    history.feed([{"type": "finished", "seq": 4, "time": 3.0, "reason": "completed"}])
    assert "GiB" not in run_cells(tab)[-1].text
