"""Features: statistics of the training rows alone, one-hot categories, filled holes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.data.errors import DataError

CsvOf = Callable[..., dict[str, Any]]
Ready = Callable[..., Any]
N = 40


def numbers(seed: int = 0, n: int = N) -> list[float]:
    return [round(value, 3) for value in np.random.default_rng(seed).normal(5, 3, n).tolist()]


def test_only_training_rows_are_measured(csv_of: CsvOf, ready: Ready) -> None:
    columns: dict[str, list[Any]] = {"a": numbers(1), "k": ["u", "v"] * (N // 2), "y": numbers(2)}
    before = ready(csv_of(columns))
    spoiled = {name: list(cells) for name, cells in columns.items()}
    for row in [*before.validation.rows.tolist(), *before.test.rows.tolist()]:
        spoiled["a"][row] = 1e6
        spoiled["k"][row] = "w"
        spoiled["y"][row] = -1e6
    after = ready(csv_of(spoiled))
    assert after.fitted.state == before.fitted.state
    assert after.train.x.tobytes() == before.train.x.tobytes()
    assert after.train.y.tobytes() == before.train.y.tobytes()
    assert before.train.x[:, 0].mean() == pytest.approx(0, abs=1e-6)
    assert before.train.x[:, 0].std() == pytest.approx(1, abs=1e-5)


def test_a_level_never_seen_in_training_is_none_of_them(csv_of: CsvOf, ready: Ready) -> None:
    columns: dict[str, list[Any]] = {"k": ["u", "v"] * (N // 2), "y": numbers(2)}
    rows = ready(csv_of(columns)).validation.rows.tolist()
    columns["k"][rows[0]] = "never"
    found = ready(csv_of(columns))
    assert found.fitted.state["features"] == [{"name": "k", "type": "category", "levels": ["u", "v"]}]
    assert found.validation.x[0].tolist() == [0, 0]
    assert set(found.train.x.sum(axis=1).tolist()) == {1.0}


@pytest.mark.parametrize("policy", ["mean", "median"])
def test_holes_are_filled_with_the_training_rows_average(policy: str, csv_of: CsvOf, ready: Ready) -> None:
    cells: list[Any] = numbers(1)
    cells[3] = cells[20] = ""
    found = ready(csv_of({"a": cells, "k": ["", "v"] * (N // 2), "y": numbers(2)}), missing=policy)
    there = [cells[row] for row in found.train.rows.tolist() if cells[row] != ""]
    fitted = found.fitted.state["features"][0]
    assert fitted["fill"] == (np.mean(there) if policy == "mean" else np.median(there))
    whole = np.concatenate([found.train.x, found.validation.x, found.test.x])
    rows = np.concatenate([found.train.rows, found.validation.rows, found.test.rows])
    assert np.isfinite(whole).all()
    assert whole[rows == 3][0, 0] == np.float32((fitted["fill"] - fitted["mean"]) / fitted["std"])
    assert whole[rows == 0][0, 1] == 0, "an empty category is no level"


def test_dropped_rows_are_gone_and_counted(csv_of: CsvOf, ready: Ready) -> None:
    cells: list[Any] = numbers(1)
    cells[3] = cells[20] = "NA"
    found = ready(csv_of({"a": cells, "y": numbers(2)}), missing="drop")
    rows = np.concatenate([found.train.rows, found.validation.rows, found.test.rows])
    assert sorted(rows.tolist()) == [row for row in range(N) if row not in (3, 20)]
    assert found.facts.missing == 2
    assert [note["rows"] for note in found.facts.warnings if note["kind"] == "dropped"] == [2]


def test_a_missing_cell_is_refused_by_default(csv_of: CsvOf, ready: Ready) -> None:
    cells: list[Any] = numbers(1)
    cells[3] = ""
    with pytest.raises(DataError, match=r"1 row, the first is row 3.*'a'") as error:
        ready(csv_of({"a": cells, "y": numbers(2)}))
    assert error.value.path == "data.missing"


def test_normalisation(csv_of: CsvOf, ready: Ready) -> None:
    source = csv_of({"a": numbers(1), "b": numbers(3), "y": numbers(2)})
    scaled = ready(source, normalize="minmax").train.x
    assert (scaled.min(axis=0).tolist(), scaled.max(axis=0).tolist()) == ([0, 0], [1, 1])
    plain = ready(source, normalize="none").train
    assert plain.x[:, 0].tolist() == [np.float32(numbers(1)[row]) for row in plain.rows.tolist()]
    given = ready(source, normalize={"mean": [1.0, 2.0], "std": [2.0, 4.0]}).train.x
    assert given == pytest.approx((plain.x - np.array([1, 2])) / np.array([2, 4]), abs=1e-6)
    with pytest.raises(DataError, match="1 values, but there are 2") as error:
        ready(source, normalize={"mean": [1.0], "std": [2.0, 4.0]})
    assert error.value.path == "data.normalize.mean"


def test_a_constant_column_stays_finite(csv_of: CsvOf, ready: Ready) -> None:
    found = ready(csv_of({"a": [0.1] * N, "b": numbers(1), "y": numbers(2)}))
    assert found.fitted.state["features"][0]["std"] == 1.0
    assert found.train.x[:, 0].tolist() == [0.0] * len(found.train.rows)
    assert [note["columns"] for note in found.facts.warnings if note["kind"] == "constant"] == [["a"]]


def test_the_fitted_state_survives_json_bit_for_bit(csv_of: CsvOf, ready: Ready, tmp_path: Path) -> None:
    columns = {"a": [math.pi * value for value in numbers(1)], "k": ["é", 'q"'] * (N // 2), "y": numbers(2)}
    state = ready(csv_of(columns), missing="mean").fitted.state
    assert json.loads(json.dumps(state)) == state


def test_column_types_can_be_set(csv_of: CsvOf, ready: Ready) -> None:
    columns: dict[str, list[Any]] = {"zip": ["01", "1"] * (N // 2), "id": list(range(N)), "y": numbers(2)}
    found = ready(csv_of(columns), columns={"zip": "category", "id": "ignore"})
    assert found.fitted.state["features"] == [{"name": "zip", "type": "category", "levels": ["01", "1"]}]
    roles = {row["name"]: row["role"] for row in found.facts.features}
    assert roles == {"zip": "feature", "id": "ignored", "y": "target"}


def test_text_in_a_column_declared_number_names_its_row(csv_of: CsvOf, ready: Ready) -> None:
    cells: list[Any] = numbers(1)
    cells[7] = "about 3"
    with pytest.raises(DataError, match=r"row 7 .*'about 3'") as error:
        ready(csv_of({"a": cells, "y": numbers(2)}), columns={"a": "number"})
    assert error.value.path == "data.columns.a"
