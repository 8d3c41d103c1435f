"""NPZ and NPY files, and the built-in sets: features and target as arrays. Never a pickle."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data.column import Column, number_column, text_column
from engine.data.errors import DataError, listing
from engine.data.rows import Rows

Array = npt.NDArray[Any]
BAD = (
    *(ValueError, TypeError, OSError, EOFError, KeyError, SyntaxError, MemoryError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, RuntimeError),
)
"""What numpy and zipfile raise for files that are no arrays, are damaged, or claim to be larger than the memory."""


def read_npz(data: bytes, path: Path, key: str) -> dict[str, Array]:
    """The arrays of an NPZ file, by name. Raises DataError."""
    arrays: dict[str, Array] = {}
    name = ""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path.name} holds one array, not an NPZ archive", "use {type: NPY, ...}", key)
            for name in archive.files:
                arrays[name] = archive[name]
    except BAD as error:
        raise _unreadable(path, error, key, name) from None
    return arrays


def read_npy(data: bytes, path: Path, key: str) -> Array:
    """The array of an NPY file. Raises DataError."""
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except BAD as error:
        raise _unreadable(path, error, key) from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path.name} is an NPZ archive, not one array", "use {type: NPZ, ...}", key)
    return array


def _unreadable(path: Path, error: Exception, key: str, name: str = "") -> DataError:
    where = f"{path.name}, array '{name}'" if name else path.name
    if "pickle" in str(error):
        return DataError(
            f"{where} holds Python objects, which are never loaded (they can run code)",
            "save plain numbers or text: np.savez(file, x=x.astype('float32'), y=y)",
            key,
        )
    return DataError(f"{where} cannot be read: {error}", "is the file whole?", key)


def array_rows(x: Array, y: Array | None, label: str, names: tuple[str, str], key: str) -> Rows:
    """Rows from a features array (N, D), (N, H, W) or (N, C, H, W) and a target array (N,) or (N, K).

    Columns of a flat `x` are named `x0`, `x1`, ... and of a wide `y` `y0`, `y1`, ..., after the arrays' own names.
    Raises DataError where shapes or types cannot be used.
    """
    feature, target = names
    if x.dtype.kind not in "biuf":
        raise DataError(f"{label}: '{feature}' holds {x.dtype}, not numbers", "save it as float32 or uint8", key)
    if x.ndim == 1:
        x = x[:, None]
    if x.ndim not in (2, 3, 4):
        raise DataError(
            f"{label}: '{feature}' has shape {x.shape}", "use (N, D), (N, H, W) or (N, channels, H, W)", key
        )
    if not x.size:
        raise DataError(f"{label}: '{feature}' is empty (shape {x.shape})", "it needs at least one row", key)
    if x.ndim == 3:
        x = x[:, None]
    columns: dict[str, Column] = {}
    if y is not None:
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.ndim not in (1, 2) or len(y) != len(x):
            raise DataError(
                f"{label}: '{feature}' has {len(x)} rows, but '{target}' has shape {y.shape}",
                "the target needs one entry (or one row of columns) for each row of the features",
                key,
            )
        columns = _target_columns(y, target, label, key)
    flat = [f"{feature}{index}" for index in range(x.shape[1])] if x.ndim == 2 else []
    return Rows(label, len(x), columns, x, flat, list(columns))


def _target_columns(y: Array, name: str, label: str, key: str) -> dict[str, Column]:
    named = {name: y} if y.ndim == 1 else {f"{name}{index}": y[:, index] for index in range(y.shape[1])}
    if y.dtype.kind in "iuf":
        return {each: number_column(each, column) for each, column in named.items()}
    import polars as pl

    if y.dtype.kind == "b":
        return {
            each: text_column(each, pl.Series(["true" if v else "false" for v in column.tolist()]))
            for each, column in named.items()
        }
    if y.dtype.kind in "US":
        texts = {
            each: [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in column.tolist()]
            for each, column in named.items()
        }
        return {each: text_column(each, pl.Series(cells, dtype=pl.String)) for each, cells in texts.items()}
    raise DataError(f"{label}: '{name}' holds {y.dtype}", "save it as integers, floats or text", key)


def split_npz(
    arrays: dict[str, Array], features: str, target: str, label: str, key: str
) -> tuple[Rows, dict[str, Rows]]:
    """Rows, and the parts that the archive has arrays of their own for (`x_val`, `y_val`, `x_test`, `y_test`)."""

    def part(x_name: str, y_name: str) -> Rows:
        if x_name not in arrays:
            raise DataError(
                f"{label} has no array '{x_name}'; it has {listing(list(arrays)) or 'none'}",
                "name the arrays: {type: NPZ, path: ..., features: x, target: y}",
                f"{key}.features",
            )
        if y_name not in arrays:
            raise DataError(
                f"{label} has no array '{y_name}'; it has {listing(list(arrays))}",
                "name the arrays: {type: NPZ, path: ..., features: x, target: y}",
                f"{key}.target",
            )
        return array_rows(arrays[x_name], arrays[y_name], label, (features, target), f"{key}.path")

    if f"{features}_train" not in arrays:
        return part(features, target), {}
    parts = {
        name: part(f"{features}_{short}", f"{target}_{short}")
        for name, short in (("validation", "val"), ("test", "test"))
        if f"{features}_{short}" in arrays
    }
    return part(f"{features}_train", f"{target}_train"), parts


def builtin_rows(data: bytes, path: Path) -> Rows:
    """Rows of a built-in set, with the columns' own names."""
    arrays = read_npz(data, path, "data.source.name")
    target = str(arrays["target"][0])
    rows = array_rows(arrays["x"].astype(np.float64), arrays["y"], path.stem, ("x", target), "data.source.name")
    return Rows(rows.label, rows.n, rows.columns, rows.x, [str(name) for name in arrays["features"]], rows.targets)
