"""Rows after training: as the training rows were encoded, every row in its place, in the target's own words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.data.errors import DataError
from engine.data.new_rows import in_units, predictions, scaling, transform

CsvOf = Callable[..., dict[str, Any]]
Ready = Callable[..., Any]
N = 45
COLUMNS: dict[str, list[Any]] = {
    "a": [round(v, 3) for v in np.random.default_rng(0).normal(size=N).tolist()],
    "k": ["u", "v", "w"] * (N // 3),
    "zip": [7, 8, 9] * (N // 3),
    "y": ["no", "yes", "maybe"] * (N // 3),
}


def state_of(prepared: Any) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(json.dumps(prepared.fitted.state))
    return state


@pytest.mark.parametrize("target", ["y", "a"])
def test_training_rows_come_out_as_they_were(target: str, csv_of: CsvOf, ready: Ready, tmp_path: Path) -> None:
    prepared = ready(csv_of(COLUMNS, target), columns={"zip": "category"})
    found = transform(state_of(prepared), prepared.facts, tmp_path / "data.csv", with_target=True)
    assert found.n == N
    assert found.valid.all()
    assert found.x[prepared.train.rows].tobytes() == prepared.train.x.tobytes()
    assert found.y is not None
    assert found.y[prepared.train.rows].tobytes() == prepared.train.y.tobytes()


@pytest.mark.parametrize(
    ("kind", "reshape"), [("uint8", None), ("float32", None), ("float32", [1, 2, 6]), ("uint8", [12])]
)
def test_arrays_come_out_as_they_were(kind: str, reshape: Any, ready: Ready, tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (N, 3, 2, 2)).astype(kind)
    np.savez(tmp_path / "d.npz", x=x, y=np.array(COLUMNS["y"]))
    prepared = ready({"type": "NPZ", "path": "d.npz"}, reshape=reshape)
    state = state_of(prepared)
    found = transform(state, prepared.facts, tmp_path / "d.npz", with_target=True)
    assert found.x[prepared.train.rows].tobytes() == prepared.train.x.tobytes()
    assert found.x.dtype == prepared.train.x.dtype
    assert scaling(state) == prepared.scaling
    np.save(tmp_path / "x.npy", x)
    assert transform(state, prepared.facts, tmp_path / "x.npy").x.tobytes() == found.x.tobytes()
    np.save(tmp_path / "x.npy", x[:, :1])
    with pytest.raises(DataError):
        transform(state, prepared.facts, tmp_path / "x.npy")


def test_new_rows_without_a_target_and_with_new_categories(csv_of: CsvOf, ready: Ready, tmp_path: Path) -> None:
    prepared = ready(csv_of(COLUMNS), columns={"zip": "category"})
    csv_of({"zip": ["7.0", 70], "more": [1, 2], "k": ["never", "u"], "a": [0.5, 1.5]}, name="new.csv")
    found = transform(state_of(prepared), prepared.facts, tmp_path / "new.csv")
    assert found.y is None
    assert found.x[:, 1:].tolist() == [[0, 0, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0]]


def test_dropped_rows_keep_their_line(csv_of: CsvOf, ready: Ready, tmp_path: Path) -> None:
    prepared = ready(csv_of(COLUMNS), missing="drop")
    csv_of({"a": [0.5, "", 1.5], "k": ["u", "u", "NA"], "zip": [7, 7, 7]}, name="new.csv")
    state = state_of(prepared)
    found = transform(state, prepared.facts, tmp_path / "new.csv")
    assert found.valid.tolist() == [True, False, False]
    assert len(found.x) == 1
    table = predictions(state, np.array([[0.2, 0.5, 0.3]]), found.valid)
    assert table.header == ["row", "prediction", "p_maybe", "p_no", "p_yes"]
    assert table.rows == [[0, "no", 0.2, 0.5, 0.3], [1, *[None] * 4], [2, *[None] * 4]]
    csv_of({"a": [""], "k": ["u"], "zip": [7]}, name="new.csv")
    assert len(transform(state, prepared.facts, tmp_path / "new.csv").x) == 0


def test_holes_are_refused_or_filled_as_in_training(csv_of: CsvOf, ready: Ready, tmp_path: Path) -> None:
    csv_of({"a": ["", 0.5], "k": ["u", "u"], "zip": [7, 7]}, name="new.csv")
    filled = ready(csv_of(COLUMNS), missing="median")
    found = transform(state_of(filled), filled.facts, tmp_path / "new.csv")
    assert np.isfinite(found.x).all()
    strict = ready(csv_of(COLUMNS))
    with pytest.raises(DataError, match=r"new.csv: .*row 0"):
        transform(state_of(strict), strict.facts, tmp_path / "new.csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,k\n1,u\n", "no column 'zip'"),
        ("a,k,zip\nx,u,7\n", "column 'a' should hold numbers, but row 0"),
        ("a,k,zip\n", "no rows"),
        ("", "empty"),
    ],
)
def test_refuses(content: str, words: str, csv_of: CsvOf, ready: Ready, tmp_path: Path) -> None:
    prepared = ready(csv_of(COLUMNS))
    (tmp_path / "new.csv").write_text(content)
    with pytest.raises(DataError, match=words):
        transform(state_of(prepared), prepared.facts, tmp_path / "new.csv")
    with pytest.raises(DataError, match="no file"):
        transform(state_of(prepared), prepared.facts, tmp_path / "none.csv")


def test_a_test_file_needs_known_classes(csv_of: CsvOf, ready: Ready, tmp_path: Path) -> None:
    prepared = ready(csv_of(COLUMNS))
    csv_of({"a": [1.5], "k": ["u"], "zip": [7]}, name="new.csv")
    with pytest.raises(DataError, match="no target column 'y'"):
        transform(state_of(prepared), prepared.facts, tmp_path / "new.csv", with_target=True)
    csv_of({"a": [1.5], "k": ["u"], "zip": [7], "y": ["perhaps"]}, name="new.csv")
    with pytest.raises(DataError, match="'perhaps', never seen"):
        transform(state_of(prepared), prepared.facts, tmp_path / "new.csv", with_target=True)
    assert transform(state_of(prepared), prepared.facts, tmp_path / "new.csv").n == 1, "predict does not look at it"


def test_predictions_have_the_targets_own_names_and_units(csv_of: CsvOf, ready: Ready) -> None:
    valid = np.array([True, True])
    two = COLUMNS | {"y": [1.0, 0.0, 1.0] * (N // 3)}
    binary = predictions(state_of(ready(csv_of(two))), np.array([[0.25], [0.75]]), valid)
    assert binary.header == ["row", "prediction", "p_0", "p_1"]
    assert binary.rows == [[0, "0", 0.75, 0.25], [1, "1", 0.25, 0.75]]

    labels = {"a": COLUMNS["a"], "wet": [1, 1, 0] * (N // 3), "cold": [1, 0, 0] * (N // 3)}
    several = predictions(state_of(ready(csv_of(labels, ["wet", "cold"]))), np.array([[0.25, 0.75], [1.0, 0.0]]), valid)
    assert several.header == ["row", "prediction_wet", "p_wet", "prediction_cold", "p_cold"]
    assert several.rows == [[0, 0, 0.25, 1, 0.75], [1, 1, 1.0, 0, 0.0]]

    state = state_of(ready(csv_of(COLUMNS, "a")))
    numbers = predictions(state, np.array([[0.0], [1.0]]), valid)
    assert numbers.header == ["row", "prediction"]
    mean, std = state["target"]["mean"][0], state["target"]["std"][0]
    assert [row[1] for row in numbers.rows] == pytest.approx([mean, mean + std])
    assert in_units(state, np.array([[1.0]])).tolist() == [[mean + std]]

    assert predictions(state, np.zeros((0, 1)), ~valid).rows == [[0, None], [1, None]]

    pair = COLUMNS | {"b": [value * 2 for value in COLUMNS["a"]]}
    both = predictions(state_of(ready(csv_of(pair, ["b", "a"]))), np.zeros((2, 2)), valid)
    assert both.header == ["row", "prediction_b", "prediction_a"]
