"""The exported file's arrays are the prepared ones, whatever the source, the split and the types."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engine.export.exported import namespace, written

LAYERS = "[Flatten, {type: Linear, out_features: outputs}]"
TABLE = "data: {source: {type: CSV, path: table.csv, target: %s}, %s}\nmodel: {layers: %s}\noptimizer: Adam\n"


def same(text: str, base: Path) -> None:
    code, _, prepared = written(text, base)
    made = namespace(code)["prepare"]()
    parts = made[0] if isinstance(made, tuple) else made
    for name in ("train", "validation", "test"):
        expected = getattr(prepared, name)
        if expected is None:
            assert name not in parts or not len(parts[name][0])
            continue
        x, y = parts[name]
        assert x.dtype == expected.x.dtype and y.dtype == expected.y.dtype
        assert x.shape == expected.x.shape and y.shape == expected.y.shape
        assert x.tobytes() == np.ascontiguousarray(expected.x).tobytes(), name
        assert y.tobytes() == np.ascontiguousarray(expected.y).tobytes(), name
    if prepared.scaling is not None:
        scale, mean, std = made[1]
        assert (scale, tuple(mean), tuple(std)) == (
            prepared.scaling.scale,
            prepared.scaling.mean,
            prepared.scaling.std,
        )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A CSV with numbers, holes, categories, times, groups, parts and targets of all kinds."""
    rng = np.random.default_rng(3)
    head = "size,colour,code,when,who,part,kind,score,yes,a,b,hot1,hot2,note"
    lines = [head]
    for row in range(90):
        size = "" if row % 17 == 3 else f"{rng.normal():.3f}"
        colour = ["red", "green", "", "blue"][int(rng.integers(4))]
        code = ["1", "2.0", "2", "10"][int(rng.integers(4))]
        hot = int(rng.integers(2))
        lines.append(
            f"{size},{colour},{code},2024-01-{row % 28 + 1:02d},p{row // 7},{['train', 'val', 'test'][row // 4 % 3]},"
            f"{['x', 'y', 'z'][row % 3]},{rng.normal():.4f},{row % 2},{int(rng.integers(2))},{int(rng.integers(2))},"
            f"{hot},{1 - hot},note {row}"
        )
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "more.csv").write_text("\n".join([head, *lines[5:25]]) + "\n")
    return tmp_path


FEATURES = "missing: median, columns: {part: ignore, who: ignore, when: ignore}"


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\x0b", "\x0c", "\x1c", '"\n"', '"\r"', "\u00a0"])
def test_marks_that_end_a_line_elsewhere(mark: str, tmp_path: Path) -> None:
    lines = [f"{row / 7},{'red' if row % 3 else f'da{mark}rk'},{'no' if row % 2 else 'yes'}" for row in range(40)]
    lines = [line.replace('da"', '"da').replace('"rk', 'rk"') for line in lines]
    (tmp_path / "table.csv").write_text("\n".join(["size,colour,y", *lines]) + "\n", newline="")
    same(TABLE % ("y", "batch_size: 4", LAYERS), tmp_path)


@pytest.mark.parametrize(
    ("target", "data"),
    [
        ("kind", FEATURES),
        ("yes", FEATURES),
        ("score", FEATURES),
        ("score", FEATURES + ", target_scale: none"),
        ("[a, b]", FEATURES),
        ("[hot1, hot2]", FEATURES),
        ("[score, size]", FEATURES.replace("median", "drop")),
        ("kind", FEATURES.replace("median", "mean") + ", normalize: minmax"),
        ("kind", FEATURES.replace("median", "drop") + ", normalize: none"),
        ("kind", "missing: median, columns: {code: category}"),
        ("kind", FEATURES + ", split: {group: who}"),
        ("kind", FEATURES + ", split: {time: when}"),
        ("kind", FEATURES + ", split: {time: score}"),
        ("kind", FEATURES + ", split: {column: part}"),
        ("kind", FEATURES + ", split: {stratify: false, seed: 4}"),
        ("kind", FEATURES + ", split: {validation: 0.3, test: 0}"),
        ("kind", FEATURES + ", limit: 20"),
        ("score", FEATURES + ", limit: 20"),
        ("kind", FEATURES + ", split: {test: {path: more.csv}}"),
        (
            "kind",
            FEATURES.replace("median", "drop") + ", split: {validation: {path: more.csv}, test: {path: more.csv}}",
        ),
    ],
)
def test_tables(table: Path, target: str, data: str) -> None:
    same(TABLE % (target, data, LAYERS), table)


def test_chosen_features_and_own_statistics(table: Path) -> None:
    source = "source: {type: CSV, path: table.csv, target: kind, features: [score, size]}"
    data = f"data: {{{source}, missing: mean, normalize: {{mean: [0.5, 1.0], std: [2.0, 3.0]}}}}"
    same(f"{data}\nmodel: {{layers: {LAYERS}}}\noptimizer: Adam\n", table)


def test_rows_of_a_table_as_images(table: Path) -> None:
    source = "source: {type: CSV, path: table.csv, target: kind, features: [score, yes, a, b]}"
    same(f"data: {{{source}, reshape: [1, 2, 2]}}\nmodel: {{layers: {LAYERS}}}\noptimizer: Adam\n", table)


def test_parquet(table: Path) -> None:
    import polars as pl

    pl.read_csv(table / "table.csv").write_parquet(table / "table.parquet")
    text = TABLE % ("kind", FEATURES, LAYERS)
    same(text.replace("type: CSV, path: table.csv", "type: Parquet, path: table.parquet"), table)


def test_other_separators_and_quotes(tmp_path: Path) -> None:
    rows = [f'{row / 7:.4f};"{row % 3}, and more";{"yes" if row % 2 else "no"}' for row in range(40)]
    (tmp_path / "table.csv").write_bytes(("\ufeffx;text;label\r\n" + "\r\n".join(rows) + "\r\n").encode())
    same(TABLE % ("label", "batch_size: 8", LAYERS), tmp_path)


ARRAYS = "data: {source: {type: NPZ, path: a.npz}, %s}\nmodel: {layers: %s}\noptimizer: Adam\n"


def arrays(tmp_path: Path, **given: Any) -> Path:
    np.savez(tmp_path / "a.npz", **given)
    return tmp_path


@pytest.mark.parametrize("data", ["batch_size: 8", "normalize: minmax", "normalize: none", "reshape: [48]", "limit: 9"])
@pytest.mark.parametrize("kind", ["uint8", "float64", "int16"])
def test_images(tmp_path: Path, data: str, kind: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 200, (60, 3, 4, 4)).astype(kind)
    same(ARRAYS % (data, LAYERS), arrays(tmp_path, x=x, y=np.arange(60) % 3))


def test_images_without_channels_and_with_holes(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(60, 5, 4))
    x[7, 1, 1] = np.nan
    same(ARRAYS % ("missing: drop", LAYERS), arrays(tmp_path, x=x, y=np.array(["no", "yes"])[np.arange(60) % 2]))


@pytest.mark.parametrize(
    "y",
    [
        np.arange(60) % 4,
        np.arange(60) % 2 == 0,
        np.linspace(0, 1, 60),
        np.linspace(0, 1, 120).reshape(60, 2),
        np.eye(3)[np.arange(60) % 3],
        (np.arange(120) % 3 == 0).astype(int).reshape(60, 2),
    ],
    ids=["classes", "booleans", "numbers", "two numbers", "one-hot", "labels"],
)
def test_targets_of_arrays(tmp_path: Path, y: Any) -> None:
    x = np.random.default_rng(1).normal(size=(60, 5))
    same(ARRAYS % ("batch_size: 8", LAYERS), arrays(tmp_path, x=x, y=y))


def test_archives_with_parts_of_their_own(tmp_path: Path) -> None:
    x, y = np.random.default_rng(1).normal(size=(60, 5)), np.arange(60) % 3
    given = {
        "x_train": x[:40],
        "y_train": y[:40],
        "x_val": x[40:50],
        "y_val": y[40:50],
        "x_test": x[50:],
        "y_test": y[50:],
    }
    same(ARRAYS % ("batch_size: 8", LAYERS), arrays(tmp_path, **given))
    del given["x_val"], given["y_val"]
    same(ARRAYS % ("batch_size: 8", LAYERS), arrays(tmp_path, **given))


def test_rows_with_holes_in_arrays(tmp_path: Path) -> None:
    x, y = np.random.default_rng(1).normal(size=(60, 5)), np.array(["a", "b", " NA "])[np.arange(60) % 3]
    x[4, 2] = np.nan
    same(ARRAYS % ("missing: drop", LAYERS), arrays(tmp_path, x=x, y=y))


def test_two_array_files(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(1).normal(size=(50, 3)))
    np.save(tmp_path / "y.npy", np.linspace(-1, 1, 50))
    text = ARRAYS % ("columns: {x1: ignore}", LAYERS)
    same(text.replace("type: NPZ, path: a.npz", "type: NPY, features: x.npy, target: y.npy"), tmp_path)


def test_names_from_outside_stay_names(tmp_path: Path) -> None:
    evil = [f'{{exit(7)}}"""\'\\ {index}' for index in range(9)]
    counted = [f"{{exit(7)}}{index}" for index in range(9)]
    for columns in (evil, counted):
        with (tmp_path / "table.csv").open("w", newline="") as file:
            rows = [[*(f"{row * 0.37 % 1:.3f}" for _ in columns), f'"""{row % 2}\\'] for row in range(40)]
            csv.writer(file).writerows([[*columns, "label"], *rows])
        same(TABLE % ("label", "batch_size: 8", LAYERS) + 'name: \'a"""; exit(8) #\\\'\n', tmp_path)
