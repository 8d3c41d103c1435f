"""The printer, fed with records."""

from __future__ import annotations

import io
import math
import sys
from typing import Any

import pytest

from tui.printer import TextPrinter, show_count, show_time


class Screen(io.StringIO):
    """A stdout that is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def plan(**more: Any) -> dict[str, Any]:
    values = {"executor": "autograd", "device": "cpu", "threads": 1, "precision": "fp32", "parameters": 10}
    return {
        "type": "plan",
        "epochs": 4,
        "steps_per_epoch": 10,
        "loss_at_init": 2.3,
        "loss_baseline": 2.3,
        **values,
        **more,
    }


def steps(last: int, time: float) -> dict[str, Any]:
    return {"type": "steps", "first": last, "count": 1, "loss_mean": 0.5, "time": time, "step": last}


def epoch(number: int, loss: Any = 0.5) -> dict[str, Any]:
    return {
        "type": "epoch",
        "epoch": number,
        "step": 10 * number,
        "train_loss": loss,
        "val_loss": loss,
        "metrics": {"val_accuracy": 0.9, "val_confusion_matrix": [[1, 0], [0, 1]]},
        "lr": 1e-3,
        "samples_per_second": 41234.0,
        "time": float(number),
    }


FINISHED = {"type": "finished", "reason": "completed", "best_epoch": 2, "best": {"val_loss": 0.25}, "test": None}


def test_the_bar_is_on_a_terminal_alone(capsys: pytest.CaptureFixture[str]) -> None:
    printer = TextPrinter()
    for record in (plan(), steps(1, 0.0), epoch(1), FINISHED):
        printer.record(record)
    out = capsys.readouterr().out
    assert "\r" not in out and "\x1b" not in out
    assert out.splitlines()[0] == ("epoch 1/4  train_loss 0.5  val_loss 0.5  val_accuracy 0.9  lr 0.001  41.2k rows/s")


def test_the_bar_tells_where_the_run_is(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    clock = iter(range(100))
    printer = TextPrinter(clock=lambda: float(next(clock)))
    for record in (plan(), steps(1, 0.0), steps(21, 2.0)):
        printer.record(record)
    bar = screen.getvalue().rpartition("\x1b[K")[2]
    assert bar.startswith("epoch 3/4 ━") and "21/40" in bar and "loss 0.5" in bar
    assert "eta 0:02" in bar, "19 steps left at 10 a second"
    printer.close()
    assert screen.getvalue().endswith("\r\x1b[K"), "nothing of it stays"


@pytest.mark.parametrize("width", [10, 20, 40, 79, 200])
def test_the_bar_never_wraps(width: int) -> None:
    printer = TextPrinter()
    printer.record(plan())
    for step in range(1, 41):
        printer.record(steps(step, step / 10))
        assert len(printer.bar_line(width)) <= width


def test_what_a_resume_superseded_is_not_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    printer = TextPrinter()
    for record in (plan(), epoch(1), epoch(2), epoch(3), {"type": "resumed", "from_step": 15}, epoch(2), FINISHED):
        printer.record(record)
    assert [row["epoch"] for row in printer.epochs] == [1, 2]


def test_non_finite_losses_are_printed_and_leave_gaps(capsys: pytest.CaptureFixture[str]) -> None:
    printer = TextPrinter()
    for record in (plan(), epoch(1), epoch(2, "nan"), epoch(3, "inf"), {**FINISHED, "reason": "non_finite"}):
        printer.record(record)
    out = capsys.readouterr().out
    assert "train_loss nan" in out and "train_loss inf" in out and "non finite" in out


def test_words_from_outside_are_cleaned(capsys: pytest.CaptureFixture[str]) -> None:
    printer = TextPrinter()
    evil = "\x1b]0;owned\x07\x1b[2J"
    for record in (
        {"type": "started", "run": evil},
        {"type": "data", "rows": {evil: 1}, "task": evil, "warnings": [{"message": evil}]},
        {"type": "edited", "step": 1, "edits": [{"op": "set", "path": evil, "value": evil}]},
        {"type": "finding", "severity": evil, "rule": evil, "reason": evil},
        {**FINISHED, "reason": evil, "message": evil, "best": {evil: 1.0}, "test": {evil: evil}},
    ):
        printer.record(record)
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err and "\x07" not in captured.out + captured.err


def test_unknown_records_are_passed_over() -> None:
    TextPrinter().record({"type": "invented_later", "seq": 1, "time": 0.0})


def test_numbers_for_people() -> None:
    assert [show_count(n) for n in (7, 41234, 2.5e6, "nan")] == ["7", "41.2k", "2.5M", "nan"]
    assert [show_time(s) for s in (0, 59.6, 3723)] == ["0:00", "1:00", "1:02:03"]


def trial(number: int, loss: float, *, state: str = "completed", message: str = "") -> dict[str, Any]:
    params = {"optimizer.lr": 0.001 * (number + 1), "optimizer": {"type": "SGD"}}
    scores = {"value": loss, "val_loss": loss, "train_loss": loss, "metrics": {"val_accuracy": 0.5}}
    rest = {"best_epoch": 2, "epochs": 2, "seconds": 1.0, "run": f"20261122-0915-x-trial-{number}-00f{number}"}
    return {"type": "trial", "number": number, "state": state, "params": params, "message": message, **scores, **rest}


def test_a_search_is_a_line_a_trial_and_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    printer = TextPrinter()
    printer.record({"type": "started", "kind": "search", "run": "s", "path": "/nowhere"})
    printer.record(plan(trials=4))
    printer.record(
        {"type": "trial_epochs", "epoch": 1, "numbers": [0], "params": [{}], "train_loss": [1], "val_loss": [1]}
    )
    assert "trials " in printer.bar_line(79) and "0/4 done  1 at epoch 1" in printer.bar_line(79)
    for record in (trial(0, 0.5), trial(1, 0.25), trial(2, math.nan, state="failed", message="no\x1b memory")):
        printer.record(record)
    assert "3/4 done" in printer.bar_line(200) and "best 0.25 (trial 1)" in printer.bar_line(200)
    printer.record({"type": "importance", "values": {"optimizer.lr": 0.75, "optimizer": 0.25}, "trials": 2})
    printer.record({"type": "finished", "reason": "stopped", "best": {}})
    printer.close()
    out, err = capsys.readouterr()
    assert "trial 1  val_loss 0.25  val_accuracy 0.5  optimizer.lr 0.002" in out and "best so far" in out
    assert "trial 2  failed: no" in out and "\x1b" not in out + err
    assert "stopped; 3 of 4 trials" in out and "matters: optimizer.lr 75%, optimizer 25%" in out
    table = [line for line in out.splitlines() if line.endswith(("00f0", "00f1"))]
    assert [line.split()[0] for line in table] == ["1", "0"]
    assert "--set optimizer.lr=0.002 --set 'optimizer={type: SGD}'" in err


def test_a_resumed_search_knows_its_earlier_trials(capsys: pytest.CaptureFixture[str]) -> None:
    printer = TextPrinter()
    printer.take_in([{"type": "started", "kind": "search", "run": "s"}, plan(trials=2), trial(0, 0.1)])
    assert capsys.readouterr().out == ""
    printer.record({"type": "resumed", "from_step": 0})
    printer.record(trial(1, 0.2))
    printer.record({"type": "finished", "reason": "completed", "best": {}})
    out = capsys.readouterr().out
    assert "2 of 2 trials" in out and "00f0" in out and out.count("trial 0") == 0
