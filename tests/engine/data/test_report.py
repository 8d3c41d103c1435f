"""The report before training, and what always guessing the average scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.baseline import baseline
from engine.data.column import number_column, text_column
from engine.data.notes import restless
from engine.data.same_rows import duplicates, row_keys, shared

CsvOf = Callable[..., dict[str, Any]]
Ready = Callable[..., Any]
N = 240
X = [round(value, 6) for value in np.random.default_rng(0).normal(size=N).tolist()]
Y = ["p", "q"] * (N // 2)


def kinds(prepared: Any) -> dict[str, Any]:
    return {note["kind"]: note for note in prepared.facts.warnings}


@pytest.mark.parametrize(
    ("kind", "name", "cells"),
    [
        ("id_like", "id", [row * 7 for row in range(N)]),
        ("id_like", "anything", list(range(5, N + 5))),
        ("constant", "c", [3] * N),
        ("near_constant", "c", [3] * 9 + [1] + [3] * (N - 10)),
        ("text_ignored", "remark", [f"word {row}" for row in range(N)]),
        ("mostly_missing", "m", [X[row] if row % 3 == 0 else "" for row in range(N)]),
        ("empty", "m", [""] * N),
        ("odd_numbers", "price", [f'"{row % 9},{row % 7}0"' if row % 4 else "12" for row in range(N)]),
        ("odd_numbers", "share", ["" if row % 50 == 0 else f"{row / 7:.3f} %" for row in range(N)]),
        ("target_copy", "code", [{"p": 10, "q": 20}[kind] for kind in Y]),
        ("straddling_groups", "patient_id", [f"p{row // 4}" for row in range(N)]),
        ("unseen_categories", "k", [("u", "v")[row % 2] if row % 5 else f"w{row}" for row in range(N)]),
    ],
)
def test_notes(kind: str, name: str, cells: list[Any], csv_of: CsvOf, ready: Ready) -> None:
    assert kind not in kinds(ready(csv_of({"a": X, "y": Y}))), "a clean table has no such note"
    note = kinds(ready(csv_of({name: cells, "a": X, "y": Y}), missing="median"))[kind]
    assert note["columns"] == [name]
    assert name in note["message"]
    for edit in note["fix"]:
        assert edit["op"] == "set"


@pytest.mark.parametrize("cells", [["1,5", "red"], ["2024-01-01", "2024-01-02"], ["a,b", "c"], ["1.2", "3"]])
def test_text_and_plain_numbers_are_not_written_oddly(cells: list[str], csv_of: CsvOf, ready: Ready) -> None:
    quoted = [f'"{cells[row // 3 % 2]}"' for row in range(N)]
    assert "odd_numbers" not in kinds(ready(csv_of({"c": quoted, "a": X, "y": Y})))


def test_what_never_changes_in_a_builtin_set_is_not_noted(ready: Ready) -> None:
    assert not {"constant", "near_constant"} & {*kinds(ready({"type": "Builtin", "name": "digits"}))}


def test_real_numbers_are_no_ids(csv_of: CsvOf, ready: Ready) -> None:
    columns = {"acid": X, "paid": [row * row + 3 for row in range(N)], "fluid": X[::-1], "y": Y}
    assert "id_like" not in kinds(ready(csv_of(columns)))


def test_a_fix_of_straddling_groups_mends_them(csv_of: CsvOf, ready: Ready) -> None:
    source = csv_of({"user": [f"p{row // 4}" for row in range(N)], "a": X, "y": Y})
    fix = kinds(ready(source))["straddling_groups"]["fix"][0]
    assert (fix["path"], fix["value"]) == ("data.split.group", "user")
    assert "straddling_groups" not in kinds(ready(source, split={"group": "user"}))


def test_counts(csv_of: CsvOf, ready: Ready) -> None:
    columns: dict[str, list[Any]] = {"a": [*X[:-2], *X[:2]], "k": ["", *["u"] * (N - 1)], "y": Y}
    columns["k"][-2] = ""
    facts = ready(csv_of(columns), missing="median").facts
    assert (facts.duplicates, facts.missing) == (2, 2)
    rows = {row["name"]: row for row in facts.features}
    assert (rows["a"]["type"], rows["a"]["missing"], rows["a"]["unique"]) == ("number", 0, len(set(columns["a"])))
    assert (rows["k"]["type"], rows["k"]["missing"], rows["k"]["constant"]) == ("category", 2, True)
    assert (rows["y"]["role"], rows["y"]["example"]) == ("target", "p")
    assert json.loads(json.dumps(asdict(facts), allow_nan=False))["rows"] == facts.rows


CELLS = st.one_of(st.none(), st.sampled_from([0.0, -0.0, 1.0, 2.5]))


@given(st.lists(st.tuples(CELLS, CELLS, st.sampled_from(["a", "b", None])), min_size=1, max_size=30))
def test_equal_rows_are_found_and_no_others(rows: list[tuple[Any, Any, Any]]) -> None:
    import polars as pl

    columns = [
        number_column("a", np.array([np.nan if row[0] is None else row[0] for row in rows])),
        number_column("b", np.array([np.nan if row[1] is None else row[1] for row in rows])),
        text_column("c", pl.Series([row[2] for row in rows], dtype=pl.String)),
    ]
    keys = row_keys(columns, None, len(rows))
    same = [tuple(None if cell is None else cell for cell in row) for row in rows]
    assert duplicates(keys) == len(rows) - len(set(same))
    half = len(rows) // 2
    both = sum(row in same[:half] for row in same[half:])
    assert shared({"train": keys[:half], "test": keys[half:]}) == ({"train/test": both} if both else {})


def test_equal_images_are_found() -> None:
    x = np.random.default_rng(0).integers(0, 3, (200, 1, 1, 3), dtype=np.uint8)
    keys = row_keys([], x, 200)
    assert len(np.unique(keys)) == len({image.tobytes() for image in x})


class Loss:
    """A loss part with some of its fields."""

    def __init__(self, kind: str, **fields: Any) -> None:
        type(self).type_name = classmethod(lambda cls: kind)  # type: ignore[attr-defined]
        self.__dict__ |= fields


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 3), min_size=4, max_size=40), st.floats(0, 0.5), st.booleans())
def test_the_baseline_of_classes_is_torchs(labels: list[int], smoothing: float, balanced: bool) -> None:
    train, y = np.array([0, 1, 2, 3, *labels]), np.array([*labels[: len(labels) // 2], 1])
    goal = {"task": "classification", "classes": list("abcd")}
    loss = Loss("CrossEntropyLoss", label_smoothing=smoothing, weight="balanced" if balanced else None)
    found = baseline(goal, train, y, loss)
    counts = np.bincount(train, minlength=4)
    weight = torch.tensor(len(train) / (4 * counts)) if balanced else None
    outputs = torch.tensor(np.log(counts / len(train))).expand(len(y), 4)
    wanted = torch.nn.CrossEntropyLoss(weight=weight, label_smoothing=smoothing)(outputs, torch.tensor(y))
    assert found["val_loss"] == pytest.approx(float(wanted), rel=1e-6)
    assert found["val_accuracy"] == (y == counts.argmax()).mean()


def test_the_baseline_of_two_classes_and_of_numbers() -> None:
    train, y = np.array([[1.0], [0.0], [0.0], [0.0]]), np.array([[1.0], [0.0]])
    found = baseline({"task": "binary", "classes": ["n", "y"]}, train, y)
    assert found["val_loss"] == pytest.approx(-(np.log(0.25) + np.log(0.75)) / 2)
    assert (found["val_accuracy"], found["val_recall"], found["val_auroc"]) == (0.5, 0.0, 0.5)
    goal = {"task": "regression", "classes": [], "mean": [10.0], "std": [2.0]}
    numbers = baseline(goal, np.array([[-1.0], [1.0]]), np.array([[1.0], [-2.0]]))
    assert numbers["val_loss"] == numbers["MSELoss"] == 2.5
    assert numbers["val_mean_absolute_error"] == 3.0
    assert numbers["val_r2_score"] == pytest.approx(1 - 5 / 4.5)


@given(st.lists(st.sampled_from([0.0, 1.0, float("nan")]), min_size=2, max_size=30), st.integers(1, 99))
def test_a_column_is_only_passed_over_where_no_value_stands_almost_everywhere(few: list[float], share: int) -> None:
    values = np.array((few + [2.0] * len(few) * share) if share > 40 else few * 7)
    np.random.default_rng(share).shuffle(values)
    _, counts = np.unique(values, return_counts=True)
    if counts.max() >= 0.99 * len(values):
        assert not restless(values)
