from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.history.best import best_row, lower_is_better


def row(epoch: int, val_loss: Any, **metrics: Any) -> dict[str, Any]:
    return {"epoch": epoch, "train_loss": 1 / epoch, "val_loss": val_loss, "metrics": metrics}


@pytest.mark.parametrize(
    ("series", "lower"),
    [
        ("val_loss", True),
        ("train_loss", True),
        ("val_mean_squared_error", True),
        ("val_mean_absolute_error", True),
        ("val_accuracy", False),
        ("val_r2_score", False),
        ("val_auroc", False),
    ],
)
def test_losses_and_errors_are_better_lower(series: str, lower: bool) -> None:
    assert lower_is_better(series) is lower


def test_the_earliest_wins_a_tie() -> None:
    rows = [row(1, 0.5, val_accuracy=0.9), row(2, 0.5, val_accuracy=0.9)]
    for monitor in ("val_loss", "val_accuracy"):
        best = best_row(rows, monitor)
        assert best is not None and best["epoch"] == 1


@pytest.mark.parametrize(
    ("losses", "best"),
    [
        ([0.5, "nan", 0.4], 3),
        (["nan", 0.5], 2),
        (["inf", "nan"], 1),
        (["inf", 3.0], 2),
        ([None, None], 2),  # no validation part: train_loss decides
        (["nan", "nan"], 2),
    ],
)
def test_what_is_no_number_is_never_best(losses: list[Any], best: int) -> None:
    found = best_row([row(i, loss) for i, loss in enumerate(losses, 1)], "val_loss")
    assert found is not None and found["epoch"] == best


def test_without_rows_there_is_no_best() -> None:
    assert best_row([], "val_loss") is None


def test_a_table_cannot_be_monitored() -> None:
    rows = [row(1, 0.5, confusion_matrix=[[1]]), row(2, 0.4, confusion_matrix=[[2]])]
    found = best_row(rows, "confusion_matrix")
    assert found is not None and found["epoch"] == 2


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1), st.sampled_from(["val_loss", "val_auroc"]))
def test_the_best_of_a_growing_run_is_the_best_of_the_whole(numbers: list[float], monitor: str) -> None:
    name = "val_auroc"
    rows = [row(i, n, **{name: n}) for i, n in enumerate(numbers, 1)]
    growing = None
    for item in rows:
        growing = best_row([item] if growing is None else [growing, item], monitor)
    assert growing == best_row(rows, monitor) or all(math.isnan(n) for n in numbers)
