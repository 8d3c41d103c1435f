"""Device use in words, on the status bar and in the headless printer."""

from __future__ import annotations

from typing import Any

import pytest

from tui.device_use import long, short
from tui.printer import TextPrinter

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
