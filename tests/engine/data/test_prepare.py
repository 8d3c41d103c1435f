"""Data as a whole: every source, the parts, and what cannot be used."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.data.errors import DataError
from engine.data.prepare import prepare
from engine.recipe.check import check
from engine.recipe.document import Document
from engine.recipe.resolve import dump, to_data

Build = Callable[..., Any]
CsvOf = Callable[..., dict[str, Any]]
Ready = Callable[..., Any]
N = 60
X = [round(value, 3) for value in np.random.default_rng(0).normal(size=N).tolist()]
KINDS = ["a", "b", "c"] * (N // 3)


@pytest.mark.parametrize(
    ("name", "shape", "outputs", "task", "rows"),
    [
        ("digits", (64,), 10, "classification", 1797),
        ("iris", (4,), 3, "classification", 150),
        ("wine", (13,), 3, "classification", 178),
        ("breast_cancer", (30,), 1, "binary", 569),
        ("diabetes", (10,), 1, "regression", 442),
    ],
)
def test_builtin(name: str, shape: tuple[int, ...], outputs: int, task: str, rows: int, ready: Ready) -> None:
    found = ready({"type": "Builtin", "name": name})
    facts = found.facts
    assert (facts.shape, facts.outputs, facts.task, sum(facts.rows.values())) == (shape, outputs, task, rows)
    assert found.train.x.dtype == np.float32
    assert found.scaling is None
    if task != "regression":
        shares = [np.array(counts) / sum(counts) for counts in facts.class_counts.values()]
        assert np.abs(shares[0] - shares[1]).max() < 0.05
    if name == "breast_cancer":
        assert facts.classes == ["benign", "malignant"]


def test_the_same_data_and_split_every_time_and_another_by_seed(ready: Ready) -> None:
    source = {"type": "Builtin", "name": "iris"}
    first, second, other = ready(source), ready(source), ready(source, split={"seed": 1})
    assert first.train.x.tobytes() == second.train.x.tobytes()
    assert first.facts == second.facts
    assert first.facts.data_sha256 == other.facts.data_sha256
    assert first.facts.split_sha256 != other.facts.split_sha256


def test_rows_seen_as_images_stay_raw(ready: Ready) -> None:
    flat = ready({"type": "Builtin", "name": "digits"}, normalize="none")
    found = ready({"type": "Builtin", "name": "digits"}, reshape=[1, 8, 8])
    assert found.facts.shape == (1, 8, 8)
    assert found.train.x.reshape(-1, 64).tobytes() == flat.train.x.tobytes()
    assert found.scaling.scale == 1 / 16, "the brightest pixel is 16"
    assert found.scaling.mean[0] == pytest.approx(found.train.x.mean() / 16, rel=1e-5)
    assert found.scaling.std[0] == pytest.approx(found.train.x.std() / 16, rel=1e-5)


@pytest.mark.parametrize("normalize", ["standard", "minmax", "none", {"mean": [2.0, 3.0], "std": [4.0, 5.0]}])
@pytest.mark.parametrize(("low", "high"), [(0, 16), (0, 1), (-3, 2), (0, 0), (0.2, 0.7), (0, 255)])
def test_floats_are_scaled_for_augmentation_alone(
    normalize: Any, low: float, high: float, ready: Ready, tmp_path: Path
) -> None:
    x = np.random.default_rng(1).uniform(low, high, (N, 2, 3, 3)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=x, y=np.array(KINDS))
    found = ready({"type": "NPZ", "path": "d.npz"}, normalize=normalize)
    train, scaling = found.train.x.astype(np.float64), found.scaling
    seen = train * scaling.scale
    assert np.abs(seen).max() <= 1 + 1e-9
    assert np.abs(train).max() <= 1 or np.abs(seen).max() == pytest.approx(1)
    for channel in range(2):
        pixels = train[:, channel]
        shift, scale = {
            "standard": (pixels.mean(), pixels.std() or 1.0),
            "minmax": (pixels.min(), float(np.ptp(pixels)) or 1.0),
            "none": (0.0, 1.0),
        }.get(normalize if isinstance(normalize, str) else "", (2.0 + channel, 4.0 + channel))
        fed = (seen[:, channel] - scaling.mean[channel]) / scaling.std[channel]
        assert fed == pytest.approx((pixels - shift) / scale, rel=1e-6, abs=1e-6)


def test_a_table_seen_as_images_equals_an_array_seen_as_images(csv_of: CsvOf, ready: Ready, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(N, 4)).round(3)
    source = csv_of({f"c{i}": x[:, i].tolist() for i in range(4)} | {"y": KINDS})
    np.savez(tmp_path / "d.npz", x=x, y=np.array(KINDS))
    table = ready(source, reshape=[1, 2, 2])
    array = ready({"type": "NPZ", "path": "d.npz"}, reshape=[1, 2, 2])
    assert table.train.x.tobytes() == array.train.x.tobytes()
    assert table.scaling == array.scaling


def test_bytes_stay_bytes_and_are_read_as_0_to_1(ready: Ready, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (N, 3, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", x=images, y=np.array(KINDS))
    found = ready({"type": "NPZ", "path": "d.npz"})
    assert found.train.x.dtype == np.uint8
    assert (found.facts.shape, found.scaling.scale) == ((3, 4, 4), 1 / 255)
    units = found.train.x.astype(np.float64) / 255
    assert found.scaling.mean == pytest.approx(units.mean(axis=(0, 2, 3)), rel=1e-12)
    assert found.scaling.std == pytest.approx(units.std(axis=(0, 2, 3)), rel=1e-12)
    np.savez(tmp_path / "flat.npz", x=images.reshape(N, -1), y=np.array(KINDS))
    flat = ready({"type": "NPZ", "path": "flat.npz"}, normalize="none")
    assert (flat.train.x.min() >= 0, flat.train.x.max() <= 1) == (True, True)
    seen = ready({"type": "NPZ", "path": "flat.npz"}, reshape=[3, 4, 4])
    assert seen.train.x.tobytes() == found.train.x.tobytes()


@pytest.mark.parametrize("shape", [(N, 5), (N, 6, 7), (N, 2, 6, 7), (N,)])
def test_npy_and_npz_agree(shape: tuple[int, ...], ready: Ready, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    y = np.arange(N) % 3
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    np.savez_compressed(tmp_path / "d.npz", data=x, label=y)
    npy = ready({"type": "NPY", "features": "x.npy", "target": "y.npy"})
    npz = ready({"type": "NPZ", "path": "d.npz", "features": "data", "target": "label"})
    assert npy.train.x.tobytes() == npz.train.x.tobytes()
    assert npy.train.y.tolist() == npz.train.y.tolist()
    assert npy.facts.shape == {1: (1,), 2: (5,), 3: (1, 6, 7), 4: (2, 6, 7)}[len(shape)]


def test_arrays_for_each_part_are_the_parts(ready: Ready, tmp_path: Path) -> None:
    x, y = np.arange(N * 2.0).reshape(N, 2), np.arange(N) % 3
    parts = {"train": slice(0, 40), "val": slice(40, 50), "test": slice(50, 60)}
    arrays = {f"{k}_{part}": v[rows] for part, rows in parts.items() for k, v in (("x", x), ("y", y))}
    np.savez(tmp_path / "d.npz", **arrays)
    found = ready({"type": "NPZ", "path": "d.npz"}, normalize="none")
    assert found.facts.rows == {"train": 40, "validation": 10, "test": 10}
    assert found.validation.x.tolist() == x[40:50].tolist()
    assert found.validation.rows.tolist() == list(range(10))
    del arrays["x_val"], arrays["y_val"]
    np.savez(tmp_path / "d.npz", **arrays)
    shared = ready({"type": "NPZ", "path": "d.npz"})
    assert shared.facts.rows == {"train": 34, "validation": 6, "test": 10}


def test_parquet_equals_csv(csv_of: CsvOf, ready: Ready, tmp_path: Path) -> None:
    cells: list[Any] = ["" if row % 7 == 0 else value for row, value in enumerate(X)]
    source = csv_of({"a": cells, "k": KINDS, "y": X})
    frame = pl.DataFrame({"a": [None if cell == "" else cell for cell in cells], "k": KINDS, "y": X})
    frame.write_parquet(tmp_path / "d.parquet")
    text = ready(source, missing="median")
    found = ready({"type": "Parquet", "path": "d.parquet", "target": "y"}, missing="median")
    assert found.train.x.tobytes() == text.train.x.tobytes()
    assert found.fitted.state == text.fitted.state


def test_parquet_types(ready: Ready, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "flag": [True, False] * (N // 2),
            "kind": pl.Series(KINDS, dtype=pl.Categorical),
            "count": pl.Series(range(N), dtype=pl.Int16),
            "nested": [[1]] * N,
            "y": X,
        }
    )
    frame.write_parquet(tmp_path / "d.parquet")
    found = ready({"type": "Parquet", "path": "d.parquet", "target": "y"})
    features = {item["name"]: item.get("levels", "number") for item in found.fitted.state["features"]}
    assert features == {"flag": ["false", "true"], "kind": ["a", "b", "c"], "count": "number"}


def test_parts_from_files(csv_of: CsvOf, ready: Ready) -> None:
    source = csv_of({"a": X, "y": KINDS})
    csv_of({"a": X[:9], "y": KINDS[:9]}, name="val.csv")
    csv_of({"a": [0.5, 1.5], "y": ["a", "b"]}, name="test.csv")
    found = ready(source, split={"validation": {"path": "val.csv"}, "test": {"path": "test.csv"}})
    assert found.facts.rows == {"train": N, "validation": 9, "test": 2}
    assert found.facts.shared == {"train/validation": 9}
    assert found.test.rows.tolist() == [0, 1]
    assert found.facts.data_sha256 != ready(source).facts.data_sha256
    csv_of({"a": [0.5, 1.5], "y": ["a", "x"]}, name="test.csv")
    with pytest.raises(DataError, match=r"test.csv \(test\).*'x', never seen") as error:
        ready(source, split={"test": {"path": "test.csv"}})
    assert error.value.path == "data.split.test.path"


def test_splits_by_a_column(csv_of: CsvOf, ready: Ready) -> None:
    people = [f"p{row // 4}" for row in range(N)]
    part = ["train"] * 40 + ["validation"] * 10 + ["test"] * 10
    source = csv_of({"a": X, "who": people, "day": list(range(N)), "part": part, "y": KINDS})
    by_part = ready(source, split={"column": "part"})
    assert by_part.validation.rows.tolist() == list(range(40, 50))
    assert "part" not in [item["name"] for item in by_part.fitted.state["features"]]
    by_time = ready(source, split={"time": "day"})
    assert by_time.test.rows.tolist() == list(range(51, 60))
    by_group = ready(source, split={"group": "who"})
    assert [item["name"] for item in by_group.fitted.state["features"]] == ["a", "day", "part"]
    held = [{people[row] for row in part.rows} for part in (by_group.train, by_group.validation, by_group.test)]
    assert sum(map(len, held)) == len(set(people))


def test_a_limit_keeps_shape_and_statistics(ready: Ready) -> None:
    source = {"type": "Builtin", "name": "digits"}
    whole, few = ready(source), ready(source, limit=20)
    assert few.fitted.state == whole.fitted.state
    assert few.facts.rows["train"] == 20
    assert few.facts.class_counts["train"] == [2] * 10
    assert few.validation.x.tobytes() == whole.validation.x.tobytes()
    assert set(few.train.rows.tolist()) <= set(whole.train.rows.tolist())


def test_no_test_part(ready: Ready) -> None:
    found = ready({"type": "Builtin", "name": "iris"}, split={"test": 0.0})
    assert found.test is None
    assert found.facts.rows["test"] == 0


BAD_TABLES: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"target": "z"}, {}, "no column 'z' to predict", "data.source.target"),
    ({"features": ["a", "q"]}, {}, "no column 'q'", "data.source.features"),
    ({"features": ["a", "y"]}, {}, "is the target", "data.source.features"),
    ({"path": "none.csv"}, {}, "no file none.csv", "data.source.path"),
    ({"path": "."}, {}, "a folder", "data.source.path"),
    ({"path": ""}, {}, "no file is named", "data.source.path"),
    ({"target": []}, {}, "no column is named as target", "data.source.target"),
    ({"path": "a\x00b.csv"}, {}, "cannot be read|no file", "data.source.path"),
    ({}, {"columns": {"q": "ignore"}}, "no column 'q'", "data.columns.q"),
    ({}, {"columns": {"a": "ignore", "k": "ignore", "rare": "ignore"}}, "no column is left", "data.source"),
    ({}, {"columns": {"k": "number"}}, "row 0 .*'u'", "data.columns.k"),
    ({}, {"split": {"group": "q"}}, "no column 'q'", "data.split.group"),
    ({}, {"split": {"group": "k", "time": "a"}}, "not by both", "data.split"),
    ({}, {"split": {"group": "k", "stratify": True}}, "cannot be stratified", "data.split.stratify"),
    ({}, {"split": {"column": "k"}}, "says 'u'", "data.split.column"),
    ({}, {"split": {"validation": 0.6, "test": 0.6}}, "nothing for training", "data.split"),
    ({"target": "a"}, {"split": {"stratify": True}}, "needs classes", "data.split.stratify"),
    ({"target": "rare"}, {"split": {"stratify": True}}, r"'once' \(1\)", "data.split.stratify"),
    ({"target": "holes"}, {}, "the target is empty in 1 row, the first is row 5", "data.missing"),
    ({"target": "holes"}, {"missing": "median"}, "the target is empty", "data.missing"),
    ({}, {"reshape": [1, 2, 2]}, "categories cannot be viewed", "data.reshape"),
    ({"features": ["a"]}, {"reshape": [1, 2, 2]}, "1 values a row cannot be viewed", "data.reshape"),
    ({"target": ["a", "a"]}, {}, "twice", "data.source.target"),
    ({"features": ["infinite"]}, {}, "infinite value.* in row 2", "data.columns.infinite"),
]


@pytest.mark.parametrize(("source", "data", "words", "path"), BAD_TABLES)
def test_refuses_a_table(
    source: dict[str, Any], data: dict[str, Any], words: str, path: str, csv_of: CsvOf, ready: Ready
) -> None:
    columns: dict[str, list[Any]] = {
        "a": X,
        "k": ["u", "v"] * (N // 2),
        "rare": ["once", *(["p", "q"] * N)[: N - 1]],
        "holes": [1.5 * row if row != 5 else "" for row in range(N)],
        "infinite": [1.0, 2.0, "inf", *X[3:]],
        "y": KINDS,
    }
    if "infinite" not in source.get("features", ()):
        del columns["infinite"]
    if source.get("target") != "holes":
        del columns["holes"]
    with pytest.raises(DataError, match=words) as error:
        ready(csv_of(columns) | source, **data)
    assert error.value.path == path
    assert error.value.hint


def test_all_wrong_columns_are_named_at_once(csv_of: CsvOf, build: Build, tmp_path: Path) -> None:
    source = csv_of({"a": X, "y": KINDS}, target="yy", features=["b", "a"], size=8, channels=3)
    data = {"columns": {"c": "ignore", "a": "image"}, "split": {"group": "g"}}
    with pytest.raises(DataError) as error:
        prepare(build(source, **data), tmp_path)
    found = {each.path: each.message for each in (error.value, *error.value.others)}
    assert {path: message.split("'")[1] for path, message in found.items()} == {
        "data.source.target": "yy",
        "data.columns.c": "c",
        "data.columns.a": "a",
        "data.split.group": "g",
        "data.source.features": "b",
    }
    document = Document.from_text(dump(to_data(build(source, **data))))
    assert {problem.path for problem in check(document, None, [error.value]).errors} == {*found}


def test_labels_that_training_never_sees(csv_of: CsvOf, ready: Ready) -> None:
    part = ["train" if kind != "c" else "validation" for kind in KINDS]
    with pytest.raises(DataError, match="no training row is of class 'c'"):
        ready(csv_of({"a": X, "part": part, "y": KINDS}), split={"column": "part"})
    with pytest.raises(DataError, match="'validation' in no row"):
        ready(csv_of({"a": X, "part": ["train"] * N, "y": KINDS}), split={"column": "part"})


def test_a_pipe_is_not_waited_for(csv_of: CsvOf, ready: Ready, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="no plain file"):
        ready({"type": "CSV", "path": "pipe.csv", "target": "y"})


def test_too_few_rows(csv_of: CsvOf, ready: Ready) -> None:
    with pytest.raises(DataError, match="part is empty"):
        ready(csv_of({"a": [1.5, 2.5], "y": [0.5, 1.5]}))


TRAIN: dict[str, Any] = {"x_train": np.zeros((9, 2)), "y_train": np.arange(9)}
BAD_ARRAYS: list[tuple[dict[str, Any], str]] = [
    ({"x": np.array([{}] * 4, dtype=object), "y": np.arange(4)}, "Python objects"),
    ({"x": np.zeros((4, 2)), "y": np.arange(5)}, "4 rows, but 'y' has shape"),
    ({"x": np.zeros((4, 2))}, "no array 'y'"),
    ({"other": np.zeros((4, 2))}, "no array 'x'; it has other"),
    ({"x": np.zeros((4, 2, 2, 2, 2)), "y": np.arange(4)}, "shape"),
    ({"x": np.zeros((0, 2)), "y": np.arange(0)}, "empty"),
    ({"x": np.array(["a"] * 4), "y": np.arange(4)}, "not numbers"),
    ({"x": np.zeros((4, 2), complex), "y": np.arange(4)}, "not numbers"),
    ({"x": np.full((N, 1, 2, 2), np.nan), "y": np.arange(N) % 2}, "NaN or infinite values in 60 rows"),
    (
        {"x_train": np.zeros((9, 2)), "y_train": np.arange(9), "x_val": np.zeros((3, 3)), "y_val": np.zeros(3)},
        r"validation samples are \(3,\)",
    ),
    (TRAIN | {"x_val": np.zeros((3, 2))}, "no array 'y_val'"),
]


@pytest.mark.parametrize(("arrays", "words"), BAD_ARRAYS)
def test_refuses_arrays(arrays: dict[str, Any], words: str, ready: Ready, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(DataError, match=words) as error:
        ready({"type": "NPZ", "path": "d.npz"})
    assert error.value.path.startswith(("data.source", "data.missing"))
    assert error.value.hint


HUGE = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,), }".ljust(117) + b"\n"
DAMAGED = [
    b"",
    b"PK\x03\x04 cut short",
    b"\x93NUMPY\x01\x00",
    b"\x93NUMPY\x01\x00\x76\x00" + HUGE,
    b"a,b\n1,2\n",
    b"\x80\x04K\x01.",
]


@pytest.mark.parametrize("content", DAMAGED)
@pytest.mark.parametrize("kind", ["NPZ", "NPY", "Parquet"])
def test_damaged_files_are_refused(kind: str, content: bytes, ready: Ready, tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(content)
    sources = {
        "NPZ": {"type": "NPZ", "path": "d"},
        "NPY": {"type": "NPY", "features": "d", "target": "d"},
        "Parquet": {"type": "Parquet", "path": "d", "target": "y"},
    }
    with pytest.raises(DataError) as error:
        ready(sources[kind])
    assert error.value.path.startswith("data.source")
