"""Which task a target makes, and its classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.data.column import Column, number_column, text_column
from engine.data.errors import DataError
from engine.data.target import decide, encode, fit_scale, to_units


def column(cells: list[Any], name: str = "y") -> Column:
    return text_column(name, pl.Series([str(cell) for cell in cells]))


@pytest.mark.parametrize(
    ("cells", "task", "classes"),
    [
        (["no", "yes", "no"], "binary", ["no", "yes"]),
        (["b", "a", "C"], "classification", ["C", "a", "b"]),
        (["true", "false"], "binary", ["false", "true"]),
        ([10, 9, 2], "classification", ["2", "9", "10"]),
        ([1.0, 0.0, 1.0], "binary", ["0", "1"]),
        (list(range(20)), "classification", [str(value) for value in range(20)]),
        (list(range(21)), "regression", []),
        ([0.5, 1, 2], "regression", []),
        ([-1, 1], "binary", ["-1", "1"]),
    ],
)
def test_inference(cells: list[Any], task: str, classes: list[str]) -> None:
    goal = decide([column(cells)], None, {})
    assert (goal["task"], goal["classes"]) == (task, classes)
    assert goal["outputs"] == {"binary": 1, "regression": 1}.get(task, len(classes))


def test_a_declared_type_wins() -> None:
    assert decide([column([1, 2, 3])], None, {"y": "number"})["task"] == "regression"
    assert decide([column([1.5, 2, 3])], None, {"y": "category"})["classes"] == ["1.5", "2", "3"]


def table(rows: list[list[float]]) -> list[Column]:
    return [number_column(f"c{index}", np.array(values)) for index, values in enumerate(zip(*rows, strict=True))]


@pytest.mark.parametrize(
    ("rows", "task", "given"),
    [
        ([[1, 0, 0], [0, 0, 1]], "classification", None),
        ([[1, 0, 0], [0, 1, 1]], "multilabel", None),
        ([[1, 0, 0], [0, 0, 0]], "multilabel", None),
        ([[1, 0, 0], [0, 0, 1]], "multilabel", "multilabel"),
        ([[1, 0, 0], [0, 0, 1]], "regression", "regression"),
        ([[1.5, 0, 0], [0, 0, 1]], "regression", None),
    ],
)
def test_several_columns(rows: list[list[float]], task: str, given: str | None) -> None:
    goal = decide(table(rows), given, {})
    assert goal["task"] == task
    assert goal["outputs"] == 3
    y = encode(fit_scale(goal, table(rows), np.arange(2), "none"), table(rows))
    if task == "classification":
        assert y.dtype == np.int64
        assert y.tolist() == [row.index(1) for row in rows]
    else:
        assert y.dtype == np.float32
        assert y.tolist() == rows


def test_one_hot_columns_are_sorted_like_classes() -> None:
    columns = [number_column(name, np.array(values)) for name, values in {"b": [1, 0], "a": [0, 1]}.items()]
    goal = decide(columns, None, {})
    assert goal["classes"] == ["a", "b"]
    assert encode(goal, columns).tolist() == [1, 0]


def test_the_second_class_of_two_is_the_positive_one() -> None:
    cells = column(["benign", "malignant", "benign"])
    assert encode(decide([cells], None, {}), [cells]).tolist() == [[0.0], [1.0], [0.0]]
    two = decide([cells], "classification", {})
    assert (two["task"], two["outputs"]) == ("classification", 2)
    assert encode(two, [cells]).tolist() == [0, 1, 0]


def test_a_regression_is_scaled_by_its_training_rows_and_back() -> None:
    values = number_column("y", np.array([1.5, 2.25, 9.0, 100.0]))
    goal = fit_scale(decide([values], None, {}), [values], np.arange(3), "standard")
    scaled = encode(goal, [values])
    assert scaled[:3].mean() == pytest.approx(0, abs=1e-6)
    assert scaled[:3].std() == pytest.approx(1, abs=1e-6)
    assert to_units(goal, scaled)[:, 0] == pytest.approx([1.5, 2.25, 9.0, 100.0], rel=1e-6)


def test_a_target_that_does_not_vary_in_training_is_not_blown_up() -> None:
    values = number_column("y", np.array([0.1] * 7 + [0.2]))
    goal = fit_scale(decide([values], None, {}), [values], np.arange(7), "standard")
    assert (goal["mean"], goal["std"]) == ([0.1], [1.0]), "its std is rounding noise"


@pytest.mark.parametrize(
    ("cells", "task", "words"),
    [
        (["a", "a"], None, "single value"),
        (["0.1", "", "0.1"], None, "single value, '0.1'"),
        (["3", "3"], "regression", "single value, '3'"),
        (["", "NA"], None, "empty in every row"),
        (["a", "b", "c"], "binary", "two classes"),
        (["a", "b"], "regression", "'a'"),
        (["a", "b"], "multilabel", "list"),
        ([f"text {n}" for n in range(40)], None, "40 different values"),
    ],
)
def test_refuses(cells: list[Any], task: str | None, words: str) -> None:
    with pytest.raises(DataError, match=words) as error:
        decide([column(cells)], task, {})
    assert error.value.path in ("data.source.target", "task")
    assert error.value.hint


def test_a_class_never_seen_is_named() -> None:
    goal = decide([column(["a", "b"])], None, {})
    with pytest.raises(DataError, match="'c', never seen"):
        encode(goal, [column(["a", "c"])])
