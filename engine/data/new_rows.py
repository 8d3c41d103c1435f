"""Rows that come after training: through the fitted state to the network, and its outputs back to names and units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data import features, images, target
from engine.data.column import Column
from engine.data.errors import DataError, listing
from engine.data.facts import Facts
from engine.data.gather import arrange, silent, with_images
from engine.data.pixels.folder import list_classes, list_images
from engine.data.pixels.read import Size
from engine.data.prepared import Scaling
from engine.data.read_arrays import array_rows, read_npy, read_npz
from engine.data.read_csv import read_csv
from engine.data.read_parquet import read_parquet
from engine.data.rows import Rows
from engine.data.samples import Samples
from engine.data.sources import CLASS, FILE, class_rows, read_bytes
from engine.data.usable import usable

Array = npt.NDArray[Any]
KEY = "data"


@dataclass(frozen=True)
class NewRows:
    """The rows of a file, as the network takes them."""

    x: Samples
    """(valid rows, *shape), as `Part.x`."""
    y: Array | None
    """(valid rows, ...), as `Part.y`; None where the file has no target, or none was asked for."""
    valid: npt.NDArray[np.bool_]
    """(n,) which of the file's rows are in `x`: all but those that `missing: drop` leaves out."""
    n: int
    """Rows of the file."""
    sha256: str = ""
    """Of the file."""
    files: list[str] | None = None
    """Of a folder of images: the file of each row."""


def transform(state: dict[str, Any], facts: Facts | None, file: Path, *, with_target: bool = False) -> NewRows:
    """Read `file` (CSV, Parquet, NPZ, NPY, or a folder of images) and take its rows through a run's fitted state
    (`Fitted.state`).

    `with_target`: the file must hold the target too (`goodfit test`); else a target column is ignored, whatever it
    holds. Categories never seen in training are allowed, classes never seen are not. Raises DataError.
    """
    import hashlib

    if state.get("image") is not None:
        return _images(state, file, with_target)
    content, path = read_bytes(Path(), str(file), KEY)
    rows = _read(content, path, state)
    if state["pictures"] != (rows.x is not None):
        have, want = ("images", "a table") if rows.x is not None else ("a table", "images")
        raise DataError(f"{path.name} holds {have}, but the run was trained on {want}", "give a file of that kind", KEY)
    if rows.x is not None and list(rows.x.shape[1:]) != state["shape"]:
        raise DataError(
            f"{path.name} holds samples of shape {rows.x.shape[1:]}, but the run takes {tuple(state['shape'])}", "", KEY
        )
    chosen = [(item["name"], item["type"]) for item in state["features"]]
    goals = state["target"]["columns"] if with_target else []
    missing = state["missing"]
    found = usable(
        rows, chosen, goals, missing=missing, is_bytes=state["bytes"], path=KEY, where=f"{path.name}: ", nothing=True
    )
    x = images.raw(found.x) if found.x is not None else _table(found.columns, state)
    y = target.encode(state["target"], found.targets, found.where, KEY) if with_target else None
    valid = np.zeros(rows.n, dtype=bool)
    valid[found.rows] = True
    return NewRows(x, y, valid, rows.n, hashlib.sha256(content).hexdigest())


def _images(state: dict[str, Any], file: Path, with_target: bool) -> NewRows:
    """The images of a folder, or those that a table names; classes are the folder's subfolders."""
    held, goals = state["image"], list(state["target"]["columns"]) if with_target else []
    column, files = held["column"] or FILE, None
    if file.is_dir():
        listed = list_classes(file, KEY) if with_target else list_images(file, KEY)
        table = class_rows(listed, file)
        columns = {column: table.columns[FILE]} | dict.fromkeys(goals[:1], table.columns[CLASS])
        rows = replace(table, columns=columns)
        files = listed.names
    else:
        content, path = read_bytes(Path(), str(file), KEY)
        if path.suffix.lower() in (".npz", ".npy"):
            raise DataError(
                f"{path.name} holds arrays, but the run takes image files", "give a folder, or a table", KEY
            )
        read = read_parquet if path.suffix.lower() in (".parquet", ".pq") else read_csv
        rows = replace(_rows(read(content, path, KEY), path), root=path.parent)
    where = f"{rows.label}: "
    chosen = [(column, "image")]
    found = usable(rows, chosen, goals, missing=state["missing"], is_bytes=False, path=KEY, where=where, nothing=True)
    size = Size(held["height"], held["width"], held["channels"])
    found, sha256 = with_images(found, rows, size, silent, KEY)
    assert found.x is not None
    y = target.encode(state["target"], found.targets, found.where, KEY) if with_target else None
    valid = np.zeros(rows.n, dtype=bool)
    valid[found.rows] = True
    return NewRows(found.x, y, valid, rows.n, sha256, files)


def _table(columns: list[Column], state: dict[str, Any]) -> Array:
    return images.view(features.encode(columns, state["features"]), state["reshape"])


def _read(content: bytes, path: Path, state: dict[str, Any]) -> Rows:
    kind = path.suffix.lower()
    if kind in (".parquet", ".pq"):
        return _rows(read_parquet(content, path, KEY), path)
    if kind not in (".npz", ".npy"):
        return _rows(read_csv(content, path, KEY), path)
    x_name, y_name = _array_names(state)
    y = None
    if kind == ".npy":
        x = read_npy(content, path, KEY)
    else:
        arrays = read_npz(content, path, KEY)
        x_key = next((name for name in (x_name, f"{x_name}_test", "x", "x_test") if name in arrays), None)
        if x_key is None:
            raise DataError(f"{path.name} has no array '{x_name}'; it has {listing(list(arrays))}", "", KEY)
        x = arrays[x_key]
        y = arrays.get(f"{y_name}_test" if x_key.endswith("_test") else y_name)
    if (x.dtype == np.uint8) != state["bytes"]:
        wanted = "uint8 (0..255)" if state["bytes"] else "numbers as they are, not uint8"
        raise DataError(f"{path.name} holds {x.dtype}, but the run was trained on {wanted}", "convert it", KEY)
    rows = array_rows(x, y, path.name, (x_name, y_name), KEY)
    names = state["array_names"] or [item["name"] for item in state["features"]]
    if rows.x is not None and rows.x.ndim == 2 and not state["pictures"] and rows.x.shape[1] != len(names):
        raise DataError(
            f"{path.name} has {rows.x.shape[1]} columns, but the run takes {len(names)}", f"{listing(names)}", KEY
        )
    reshape = state["shape"] if state["pictures"] else [len(names)] if names else None
    columns = dict(zip(state["target"]["columns"], rows.columns.values(), strict=False))
    return arrange(Rows(rows.label, rows.n, columns, rows.x, names, list(columns)), reshape)


def _array_names(state: dict[str, Any]) -> tuple[str, str]:
    """Names of the arrays in an NPZ file: those of the run's own source, where it was one."""
    features_key, target_key = state["array_keys"]
    return features_key or "x", target_key or "y"


def _rows(columns: dict[str, Column], path: Path) -> Rows:
    return Rows(path.name, len(next(iter(columns.values()))), columns)


def scaling(state: dict[str, Any]) -> Scaling | None:
    """What the feed does to raw images, from a fitted state."""
    held = state["scaling"]
    return None if held is None else Scaling(held["scale"], tuple(held["mean"]), tuple(held["std"]))


def in_units(state: dict[str, Any], outputs: Array) -> Array:
    """A regression's outputs, or encoded targets, (N, outputs) in the target's own units."""
    return target.to_units(state["target"], outputs)


@dataclass(frozen=True)
class Table:
    """Predictions as a table: column names, and a row of cells for each of the file's rows, in order."""

    header: list[str]
    rows: list[list[Any]]


def predictions(
    state: dict[str, Any], outputs: Array, valid: npt.NDArray[np.bool_], files: list[str] | None = None
) -> Table:
    """Predictions for every row of a file, in the target's own names and units.

    `outputs` (valid rows, width) are probabilities for classes and labels (binary: of the second class), the network's
    own numbers for a regression. Columns: `row` from 0, `prediction` and `p_<class>` for every class (both for
    binary); for several targets `prediction_<column>`, for labels `p_<column>` beside it. Cells of rows that are not
    `valid` are None. `files`, where given, are the last column, `file`.
    """
    goal = state["target"]
    several = goal["kind"] in ("labels", "numbers") and len(goal["columns"]) > 1
    if goal["task"] == "regression":
        header = [f"prediction_{name}" for name in goal["columns"]] if several else ["prediction"]
        cells: list[list[Any]] = (
            in_units(state, outputs.reshape(len(outputs), len(goal["columns"]))).tolist() if len(outputs) else []
        )
    elif goal["task"] == "multilabel":
        header = [f"{what}_{name}" for name in goal["columns"] for what in ("prediction", "p")]
        cells = [[cell for p in row for cell in (int(p > 0.5), p)] for row in outputs.astype(float).tolist()]
    else:
        header = ["prediction", *(f"p_{name}" for name in goal["classes"])]
        if goal["task"] == "binary":
            second = outputs.reshape(-1).astype(np.float64)
            outputs = np.stack([1 - second, second], axis=1)
        best = outputs.argmax(axis=1).tolist()
        if goal["task"] == "binary":
            best = (outputs[:, 1] > 0.5).astype(int).tolist()
        cells = [
            [goal["classes"][index], *row] for index, row in zip(best, outputs.astype(np.float64).tolist(), strict=True)
        ]
    empty: list[Any] = [None] * len(header)
    found = iter(cells)
    rows = [[row, *(next(found) if ok else empty)] for row, ok in enumerate(valid.tolist())]
    if files is not None:
        return Table(["row", *header, FILE], [[*row, file] for row, file in zip(rows, files, strict=True)])
    return Table(["row", *header], rows)
