from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.history.history import History
from engine.history.table import csv
from engine.runs.journal import effective

PLAN = {"type": "plan", "epochs": 4, "steps_per_epoch": 10, "loss_baseline": 2.3, "monitor": "val_loss"}
DATA = {"type": "data", "rows": {"train": 320, "validation": 80, "test": 0}}


def steps(first: int, count: int, loss: Any = 1.0, **more: Any) -> dict[str, Any]:
    losses = {"loss_mean": loss, "loss_min": loss, "loss_max": loss}
    return {"type": "steps", "step": first + count - 1, "first": first, "count": count, "lr": 0.1, **losses, **more}


def epoch(number: int, val_loss: Any = 0.5, **metrics: Any) -> dict[str, Any]:
    return {
        "type": "epoch",
        "epoch": number,
        "step": 10 * number,
        "train_loss": 1 / number,
        "val_loss": val_loss,
        "metrics": metrics,
        "lr": 0.1,
        "seconds": 1.0,
        "samples_per_second": 99.0,
        "digest": "0",
    }


def edit(step: int, path: str, value: Any) -> dict[str, Any]:
    return {"type": "edited", "step": step, "id": "x", "edits": [{"op": "set", "path": path, "value": value}]}


def journal(*records: dict[str, Any], pace: float = 0.1) -> list[dict[str, Any]]:
    return [{**record, "seq": n, "time": pace * n, "life": 1} for n, record in enumerate(records, 1)]


def fold(*records: dict[str, Any], pace: float = 0.1) -> History:
    history = History()
    history.feed(journal(*records, pace=pace))
    return history


def xs(history: History, name: str) -> list[float]:
    return [] if name not in history.series else list(history.series[name].window(columns=1000).x)


def test_a_run_as_it_goes() -> None:
    history = History()
    records = journal(
        {"type": "started", "run": "r"},
        {"type": "progress", "stage": "loading", "done": 1, "total": 2},
        DATA,
        PLAN,
        steps(1, 10),
        epoch(1, 0.7, val_accuracy=0.5),
        steps(11, 10),
        epoch(2, 0.6, val_accuracy=0.9),
        {"type": "paused", "step": 20},
        {"type": "resumed", "from_step": 20},
        {"type": "finished", "reason": "completed", "best": {}},
    )
    states = []
    for record in records:
        history.feed([record])
        states.append(history.state)
    assert states == ["preparing"] * 3 + ["running"] * 5 + ["paused", "running", "completed"]
    assert history.version == len(records)
    assert (history.step, history.epoch, history.epochs_planned, history.steps_total) == (20, 2, 4, 40)
    assert history.baseline == 2.3 and history.data is not None and history.progress is None
    assert xs(history, "train_loss") == [10, 20] == xs(history, "val_loss") == xs(history, "val_accuracy")
    assert history.best_epoch == 2 and history.best_scores == {"train_loss": 0.5, "val_loss": 0.6, "val_accuracy": 0.9}
    assert [mark.kind for mark in history.marks] == ["pause", "resume"]
    assert history.finished is not None and history.eta is None


def test_the_baseline_where_there_is_none() -> None:
    history = fold({"type": "started"})
    assert history.baseline is None and history.steps_total is None and history.eta is None
    assert history.best_epoch is None and history.best_scores == {} and history.samples_per_second is None


def test_speed_and_what_is_left() -> None:
    history = fold(DATA, PLAN, steps(1, 5), steps(6, 5), pace=2.0)
    assert history.steps_per_second == 2.5
    assert history.samples_per_second == 2.5 * 32
    assert history.eta == 30 / 2.5


def test_speed_forgets_what_was_long_ago() -> None:
    slow = [steps(n, 1) for n in range(1, 101)]
    records = journal(DATA, {**PLAN, "epochs": 100, "steps_per_epoch": 10}, *slow, pace=1.0)
    time = records[-1]["time"]
    fast = [{**steps(n, 1), "seq": 2 + n, "time": time + (n - 100) / 50, "life": 1} for n in range(101, 3001)]
    history = History()
    history.feed(records + fast)
    assert 45 < (history.steps_per_second or 0) < 51


def test_a_clock_that_stands_still_or_goes_back_gives_no_odd_number() -> None:
    for times in ([5, 5, 5, 5], [5, 4, 3, 2]):
        history = History()
        records = journal(PLAN, steps(1, 5), steps(6, 5), steps(11, 5))
        history.feed([{**record, "time": t} for record, t in zip(records, times, strict=True)])
        assert history.eta is None and history.steps_per_second is None


def test_more_steps_than_planned_leave_no_negative_time() -> None:
    assert fold(DATA, {**PLAN, "epochs": 1}, steps(1, 8), steps(9, 8)).eta == 0


def test_a_resume_takes_back_what_came_after() -> None:
    history = fold(
        DATA,
        PLAN,
        steps(1, 10),
        epoch(1, 0.5),
        {"type": "checkpoint", "step": 10, "best": True},
        edit(12, "train.epochs", 9),
        steps(11, 10),
        epoch(2, 0.1),
        {"type": "finding", "step": 20, "rule": "overfitting"},
        {"type": "test_evaluated", "step": 20, "metrics": {}},
        {"type": "finished", "reason": "stopped"},
        {"type": "resumed", "from_step": 10, "pid": 7},
    )
    assert history.state == "preparing" and history.finished is None
    assert (history.step, history.epoch, history.best_epoch, history.epochs_planned) == (10, 1, 1, 4)
    assert xs(history, "train_loss") == [10] == xs(history, "val_loss")
    assert history.findings == {} and history.edits == [] and history.test is not None
    assert [mark.kind for mark in history.marks] == ["checkpoint", "test", "resume"]
    history.feed([{**steps(11, 2), "seq": 99, "time": 9.0, "life": 2}])
    assert history.state == "running" and xs(history, "train_loss") == [10, 12]


actions = st.lists(
    st.one_of(
        st.tuples(st.just("steps"), st.integers(1, 7)),
        st.tuples(st.just("edit"), st.integers(1, 30)),
        st.tuples(st.just("resume"), st.integers(0, 60)),
        st.tuples(st.just("checkpoint"), st.just(0)),
        st.tuples(st.just("finding"), st.integers(0, 3)),
    ),
    max_size=40,
)


@given(actions, st.integers(1, 9))
def test_a_history_with_resumes_equals_that_of_the_effective_line(moves: list[tuple[str, int]], by: int) -> None:
    at = 0
    records: list[dict[str, Any]] = [DATA, PLAN]
    for kind, amount in moves:
        if kind == "steps":
            for _ in range(amount):
                at += 1
                records.append(steps(at, 1, loss=math.sin(at)))
                if at % 10 == 0:
                    records.append(epoch(at // 10, math.cos(len(records))))
        elif kind == "edit":
            records.append(edit(at, "train.epochs", amount))
        elif kind == "checkpoint":
            records.append({"type": "checkpoint", "step": at, "best": False})
        elif kind == "finding":
            word = ("finding", "finding_updated", "finding_cleared")[amount % 3]
            records.append({"type": word, "step": at, "rule": f"rule{amount}"})
        else:
            at = min(at, amount)
            records.append({"type": "resumed", "from_step": at})
    written = journal(*records)
    whole, line = History(), History()
    for start in range(0, len(written), by):
        whole.feed(written[start : start + by])
    line.feed([record for record in effective(written) if record["type"] != "resumed"])
    assert whole.step == at
    assert (line.epochs, line.edits, line.findings) == (whole.epochs, whole.edits, whole.findings)
    assert (line.best, line.epochs_planned, line.monitor) == (whole.best, whole.epochs_planned, whole.monitor)
    assert [m for m in whole.marks if m.kind != "resume"] == line.marks
    assert {n for n, s in whole.series.items() if len(s)} == {n for n, s in line.series.items() if len(s)}
    for name, series in line.series.items():
        for a, b in zip(series.window(columns=5), whole.series[name].window(columns=5), strict=True):
            assert np.allclose(a, b, equal_nan=True)


def test_records_seen_twice_count_once() -> None:
    records = journal(DATA, PLAN, steps(1, 10), epoch(1))
    history = History()
    history.feed(records)
    version = history.version
    history.feed(records)
    assert len(history.epochs) == 1 and len(history.series["train_loss"]) == 1 and history.version == version


def test_an_inferred_end_is_taken_without_a_number() -> None:
    history = fold(DATA, PLAN, steps(1, 10))
    history.feed([{"type": "finished", "reason": "killed", "inferred": True}])
    assert history.state == "failed"


def test_unknown_records_and_odd_values_are_passed_over() -> None:
    history = fold(
        {"type": "rumour", "of": "tomorrow"},
        {"type": "plan"},
        {"type": "probe", "step": 1, "values": {"grad_norm": 2.0, "by_layer": {"a": 1}, "word": "x", "flag": True}},
        {"type": "probe"},
        {"type": "probe", "values": 7},
        {"type": "steps", "step": 3},
        {"type": "steps", "step": 4, "first": 4, "count": 1, "loss_mean": "high"},
        {"type": "epoch", "step": "x"},
        {"type": "edited"},
        {"type": "finding"},
        epoch(1, "nan", val_accuracy="inf", confusion_matrix=[[1]]),
    )
    assert history.series["grad_norm"].last() == 2.0
    assert set(history.series) == {"grad_norm", "val_loss", "val_accuracy"}
    assert history.best_epoch == 1 and history.seq == 11
    assert math.isnan(history.series["val_loss"].last() or 0)


def test_a_loss_that_is_no_number_is_drawn_as_a_gap() -> None:
    history = fold(PLAN, steps(1, 1, 0.5), steps(2, 1, "nan"), steps(3, 1, "inf"))
    bins = history.series["train_loss"].window(columns=10)
    assert np.array_equal(bins.mean, [0.5, math.nan, math.nan], equal_nan=True)
    assert np.array_equal(bins.high, [0.5, math.nan, math.inf], equal_nan=True)


def test_the_monitor_follows_live_edits() -> None:
    rows = [epoch(1, 0.1, val_accuracy=0.5), epoch(2, 0.2, val_accuracy=0.9)]
    assert fold(PLAN, *rows).best_epoch == 1
    assert fold({**PLAN, "monitor": "val_accuracy"}, *rows).best_epoch == 2
    assert fold(PLAN, *rows, edit(20, "train.early_stopping.monitor", "val_accuracy")).best_epoch == 2
    change = edit(20, "train.early_stopping", {"monitor": "val_accuracy"})
    assert fold(PLAN, *rows, change).best_epoch == 2
    assert fold(PLAN, *rows, change, edit(20, "train.early_stopping", None)).best_epoch == 1


def test_an_edit_is_marked_in_words() -> None:
    record = edit(3, "optimizer.lr", 0.0003)
    record["edits"][0]["expect"] = 0.001
    mark = fold(PLAN, steps(1, 3), record).marks[0]
    assert (mark.kind, mark.step, mark.epoch, mark.text) == ("edit", 3, 0.3, "optimizer.lr 0.001 → 0.0003")


def test_curves_as_csv() -> None:
    text = csv(fold(DATA, PLAN, epoch(1, 0.5, confusion_matrix=[[1]]), epoch(2, "nan", val_accuracy=0.25)))
    assert text.splitlines() == [
        "epoch,step,time,train_loss,val_loss,val_accuracy,lr,seconds,samples_per_second",
        "1,10,0.30000000000000004,1.0,0.5,,0.1,1.0,99.0",
        "2,20,0.4,0.5,nan,0.25,0.1,1.0,99.0",
    ]
