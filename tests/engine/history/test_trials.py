"""The fold of a search: trials, curves, the best so far; memory that stays bounded."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.history import trials as module
from engine.history.history import History
from engine.history.trials import LEAST, Curve, Trials

PLAN = {"type": "plan", "epochs": 4, "steps_per_epoch": 10, "monitor": "val_loss"}


def epochs(epoch: int, **values: Any) -> dict[str, Any]:
    """After an epoch: value by trial, `t3=0.5`."""
    numbers = [int(name[1:]) for name in values]
    found = list(values.values())
    return {
        "type": "trial_epochs",
        "epoch": epoch,
        "numbers": numbers,
        "params": [{"optimizer.lr": 0.1 * n} for n in numbers],
        "train_loss": [0.5 for _ in numbers],
        "val_loss": found,
        "value": found,
    }


def trial(number: int, value: Any, state: str = "completed", **more: Any) -> dict[str, Any]:
    return {
        "type": "trial",
        "number": number,
        "state": state,
        "edits": [{"op": "set", "path": "optimizer.lr", "value": 0.1 * number}],
        "params": {"optimizer.lr": 0.1 * number},
        "value": value,
        "train_loss": value,
        "val_loss": value,
        "metrics": {},
        "best_epoch": 1,
        "epochs": 4,
        "seconds": 1.0,
        "run": f"run-{number}",
        **more,
    }


def fold(*records: dict[str, Any]) -> History:
    history = History()
    history.feed({**record, "seq": at, "time": 0.1 * at, "life": 1} for at, record in enumerate(records, 1))
    return history


def test_a_search_as_it_goes() -> None:
    history = fold(PLAN, epochs(1, t0=0.9, t1=0.8), epochs(2, t0=0.7, t1=0.6))
    found = history.trials
    assert history.state == "running"
    assert [row.state for row in found.rows.values()] == ["running", "running"]
    assert list(found.rows[1].curve.values) == [0.8, 0.6] and found.rows[1].epochs == 2
    assert found.rows[1].value == 0.6 and found.rows[1].params == {"optimizer.lr": 0.1} and found.best is None
    history = fold(
        PLAN,
        epochs(1, t0=0.9, t1=0.8),
        trial(1, 0.6, metrics={"val_accuracy": 0.9}),
        trial(0, 0.4, "pruned", message="no better than half of the others"),
        trial(2, None, "failed", message="out of memory"),
        trial(3, 0.5),
        {"type": "importance", "values": {"optimizer.lr": 0.8, "optimizer.momentum": 0.2}, "trials": 2},
    )
    found = history.trials
    assert found.order == [1, 0, 2, 3] and found.metrics == ["val_accuracy"]
    best = found.best_so_far()
    assert math.isnan(best[0]) and best[1:] == [0.6, 0.6, 0.5], "a pruned trial is never the best"
    assert found.best is found.rows[3] and math.isnan(found.rows[2].value)
    assert [found.count(state) for state in ("completed", "pruned", "failed")] == [2, 1, 1]
    assert found.importance == {"optimizer.lr": 0.8, "optimizer.momentum": 0.2} and found.importance_trials == 2
    assert [row.number for row in found.ended()] == [1, 0, 2, 3]


def test_a_metric_that_is_better_when_higher() -> None:
    found = fold({**PLAN, "monitor": "val_accuracy"}, trial(0, 0.5), trial(1, "nan"), trial(2, 0.7), trial(3, 0.7))
    assert found.trials.best_so_far() == [0.5, 0.5, 0.7, 0.7] and found.trials.best is found.trials.rows[2]
    late = Trials()
    late.on_trial(trial(0, 0.5))
    late.on_trial(trial(1, 0.7))
    assert late.best is late.rows[0]
    late.set_monitor("val_accuracy")
    assert late.best is late.rows[1] and late.best_so_far() == [0.5, 0.7]


def test_on_a_tie_the_lowest_number_is_best_whichever_ended_first() -> None:
    found = fold(PLAN, trial(4, 0.5), trial(2, 0.5), trial(3, 0.5)).trials
    assert found.best is found.rows[2] and found.best_so_far()[2:] == [0.5, 0.5, 0.5]


def test_values_that_are_no_numbers() -> None:
    found = fold(PLAN, epochs(1, t0="nan", t1=None), trial(0, "nan"), trial(1, "inf"), trial(2, "-inf")).trials
    assert math.isnan(found.rows[0].curve.last) and math.isnan(found.best_so_far()[0])
    assert found.best_so_far()[1] == math.inf and found.best is found.rows[2]


def test_a_trial_that_was_cut_off_begins_anew_in_the_next_life() -> None:
    history = fold(PLAN, epochs(1, t0=0.9), epochs(2, t0=0.8), {"type": "finished", "reason": "stopped"})
    assert history.trials.rows[0].state == "waiting" and history.state == "stopped"
    history.feed([{"type": "resumed", "from_step": 0, "pid": 7, "seq": 90, "time": 9.0, "life": 2}])
    assert history.state == "preparing"
    history.feed([{**epochs(1, t0=0.7), "seq": 91, "time": 9.1, "life": 2}])
    assert history.state == "running" and history.trials.rows[0].state == "running"
    assert list(history.trials.rows[0].curve.values) == [0.7]
    history.feed([{"type": "progress", "stage": "trials", "done": 1, "total": 9, "seq": 92, "time": 9.2, "life": 2}])
    assert history.state == "running"


def test_a_trial_that_is_told_twice_counts_once() -> None:
    found = fold(PLAN, trial(0, 0.2), trial(1, 0.5), trial(0, 0.7), epochs(9, t0=0.1)).trials
    assert found.order == [0, 1] and found.best_so_far() == [0.7, 0.5] and found.best is found.rows[1]
    assert found.rows[0].state == "completed", "a late word changes nothing"


def test_records_of_another_making_are_passed_over() -> None:
    history = fold(PLAN, {"type": "trial"}, trial(-1, 0.1), trial(10**12, 0.1),
    {"type": "trial_epochs", "numbers": "x"}, {"type": "importance"},
                   trial(0, 0.5, state="dreaming"), trial(1, 0.4, params=None, edits=None, metrics=None))  # fmt: skip
    assert history.trials.rows[0].state == "failed" and history.trials.best is history.trials.rows[1]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=60), st.integers(LEAST, 20))
def test_a_thinned_curve_holds_the_newest_point_and_even_ones(pattern: list[int], most: int) -> None:
    curve = Curve()
    told: dict[int, float] = {}
    for epoch in pattern:
        told = {known: value for known, value in told.items() if known < epoch}
        told[epoch] = float(epoch)
        before = len(curve)
        assert curve.add(epoch, float(epoch), most) == len(curve) - before
        assert len(curve) <= most + 1 and curve.epoch == epoch and curve.last == epoch
        assert list(curve.epochs) == sorted(set(curve.epochs)) and set(curve.epochs) <= set(told)


def test_curves_share_a_budget(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "POINTS", 2_000)
    found = Trials()
    for epoch in range(1, 41):
        found.on_epochs(epochs(epoch, **{f"t{n}": 1 / epoch for n in range(100)}))
        assert found.points == sum(len(row.curve) for row in found.rows.values())
    assert found.points <= 2_000
    assert all(row.curve.epoch == 40 and len(row.curve) >= 5 for row in found.rows.values())


def test_work_for_a_record_does_not_grow_with_the_search() -> None:
    """By what is touched: the rows that a record names, and nothing else."""
    found = Trials()
    for n in range(2_000):
        found.on_trial(trial(n, 1 / (n + 1)))
    rows = dict(found.rows)

    class Watched(dict):  # type: ignore[type-arg]
        looked = 0

        def get(self, key: Any, default: Any = None) -> Any:
            Watched.looked += 1
            return super().get(key, default)

        def values(self) -> Any:
            raise AssertionError("every row was looked at")

    found.rows = Watched(rows)
    found.on_epochs(epochs(1, t2000=0.5, t2001=0.4))
    found.on_trial(trial(2000, 0.3))
    assert Watched.looked == 3


def test_a_trial_that_is_over_tells_what_its_curve_left_out() -> None:
    found = Trials()
    found.on_epochs({"epoch": 1, "numbers": [0], "value": [0.9]})
    found.on_epochs({"epoch": 4, "numbers": [0], "value": [0.6]})
    record = {"number": 0, "state": "completed", "value": 0.6, "epochs": 4}
    found.on_trial({**record, "curve": {"epochs": [1, 2, 3, 4], "values": [0.9, None, 0.7, 0.6]}})
    curve = found.rows[0].curve
    assert list(curve.epochs) == [1, 2, 3, 4] and math.isnan(curve.values[1]) and curve.last == 0.6
    assert found.points == len(curve) == 4
    found.on_trial(record)
    assert len(curve) == 4
