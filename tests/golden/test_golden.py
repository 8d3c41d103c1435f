"""Journals that were recorded once: every reader shows of them the same for ever.

`GOODFIT_GOLDEN=write pytest tests/golden` writes what the readers show now; read the difference before keeping it.
"""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

import pytest

from engine.history.history import History
from engine.runs.directory import effective_recipe
from engine.runs.journal import read
from engine.runs.json_schema import check_record
from engine.runs.summary import inferred_finish, state_of, summarize
from tui.commands.replay import play
from tui.printer import TextPrinter, show_number

HERE = Path(__file__).parent
JOURNALS = sorted(path.parent for path in HERE.glob("*/events.log"))
MOST = 12


def printed(records: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        play(records, TextPrinter(), None)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def folded(records: list[dict[str, Any]]) -> str:
    history = History()
    for record in records:
        history.feed([record])
    whole = History()
    whole.feed(records)
    assert whole.series.keys() == history.series.keys() and whole.best == history.best, "in one batch or in many"
    lines = [
        f"{history.state}, life {history.life}, step {history.step} of {history.steps_total}, epoch {history.epoch} "
        f"of {history.epochs_planned}, after {history.time:.3f} s; best by {history.monitor}: {history.best_epoch}",
        f"best {scores(history.best_scores)}; baseline {show_number(history.baseline)}",
        *(f"{mark.kind} at {mark.step} ({mark.epoch:g}): {mark.text}" for mark in history.marks),
    ]
    for name, series in sorted(history.series.items()):
        xs, lows, highs, means = (list(column) for column in series.window(0, history.step, MOST))
        rows = zip(xs, lows, highs, means, strict=True)
        lines.append(f"{name}: " + "; ".join(" ".join(show_number(value) for value in row) for row in rows))
    return "\n".join(lines)


def scores(row: dict[str, Any] | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in (row or {}).items())


def shown(run_dir: Path) -> str:
    """All that readers make of a run, as text."""
    records = read(run_dir)
    summary = summarize(run_dir)
    parts = {
        "printed": printed(records),
        "folded": folded(records),
        "listed": f"{state_of(run_dir)} ({summary.reason}), {len(summary.epochs)} epochs of {summary.planned}, "
        f"best {scores(summary.best())}, inferred {inferred_finish(run_dir)}",
        "recipe": effective_recipe(run_dir),
    }
    return "".join(f"== {title}\n{text.rstrip()}\n\n" for title, text in parts.items())


@pytest.mark.parametrize("run_dir", JOURNALS, ids=lambda path: path.name)
def test_a_recorded_journal_is_read_as_ever(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("COLUMNS", "80"), ("LINES", "24"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    text, kept = shown(run_dir), run_dir / "shown.txt"
    if os.environ.get("GOODFIT_GOLDEN") == "write":
        kept.write_text(text, encoding="utf-8")
    assert text == kept.read_text(encoding="utf-8")


@pytest.mark.parametrize("run_dir", JOURNALS, ids=lambda path: path.name)
def test_recorded_journals_follow_the_schema(run_dir: Path) -> None:
    assert [problem for record in read(run_dir) for problem in check_record(record)] == []


def test_there_are_journals_of_every_kind_of_end() -> None:
    assert {path.name for path in JOURNALS} >= {"completed", "led", "killed", "non_finite"}
