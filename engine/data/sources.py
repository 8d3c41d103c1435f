"""From a recipe's `data.source` and `data.split` to rows: one reader for each source."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from engine.data.column import Column
from engine.data.errors import DataError
from engine.data.pixels.folder import Listed, folder_at, list_classes, more_than_one_class, parts_of
from engine.data.read_arrays import array_rows, builtin_rows, read_npy, read_npz, split_npz
from engine.data.read_csv import read_csv
from engine.data.read_parquet import read_parquet
from engine.data.rows import Loaded, Rows
from engine.data.source_files import BUILTIN, is_share

TABLES = {"CSV": read_csv, "Parquet": read_parquet}
FILE, CLASS = "file", "class"
"""Columns of the table that a folder of images makes."""


def builtin_names() -> list[str]:
    """Names of the built-in sets."""
    return sorted(path.stem for path in BUILTIN.glob("*.npz"))


def read_bytes(base: Path, name: str, key: str) -> tuple[bytes, Path]:
    """A file's bytes, and its path; `name` is relative to `base`. Raises DataError."""
    path = base / Path(name).expanduser()
    try:
        if not name.strip():
            raise DataError("no file is named", "give the path of a file", key)
        if path.is_dir():
            raise DataError(f"{name} is a folder", "name the file in it", key)
        if path.exists() and not path.is_file():
            raise DataError(f"{name} is no plain file", "copy its content to a file", key)
        return path.read_bytes(), path
    except FileNotFoundError:
        raise DataError(
            f"there is no file {name} in {base}",
            "paths are relative to the recipe's own folder; --data-root or GOODFIT_DATA replaces it",
            key,
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{name} cannot be read: {reason}", "check the path and its permissions", key) from None


def load(data: Any, base: Path) -> Loaded:
    """Read the source of a recipe's data section (`engine.recipe.schema.Data`), and the parts that have files.

    Raises DataError.
    """
    source = data.source
    kind = type(source).type_name()
    digests: list[tuple[str, str]] = []
    files = {
        part: value.path
        for part, value in (("validation", data.split.validation), ("test", data.split.test))
        if not is_share(value)
    }

    def fetch(name: str, key: str, label: str = "source") -> tuple[bytes, Path]:
        content, path = read_bytes(base, name, key)
        digests.append((label, hashlib.sha256(content).hexdigest()))
        return content, path

    parts: dict[str, Rows] = {}
    if kind == "Builtin":
        if source.name not in builtin_names():
            raise DataError(
                f"there is no built-in data set '{source.name}'",
                f"choose one of: {', '.join(builtin_names())}",
                "data.source.name",
            )
        content, path = fetch(str(BUILTIN / f"{source.name}.npz"), "data.source.name")
        main = builtin_rows(content, path)
        if files:
            raise DataError(
                "parts of a built-in set cannot come from files", "give shares", f"data.split.{next(iter(files))}"
            )
    elif kind in TABLES:
        content, path = fetch(source.path, "data.source.path")
        main = _table(TABLES[kind](content, path, "data.source.path"), path)
        for part, name in files.items():
            key = f"data.split.{part}.path"
            content, path = fetch(name, key, part)
            parts[part] = _table(TABLES[kind](content, path, key), path)
    elif kind == "NPZ":
        content, path = fetch(source.path, "data.source.path")
        arrays = read_npz(content, path, "data.source.path")
        main, parts = split_npz(arrays, source.features, source.target, path.name, "data.source")
        for part, name in files.items():
            key = f"data.split.{part}.path"
            content, path = fetch(name, key, part)
            parts[part], _ = split_npz(read_npz(content, path, key), source.features, source.target, path.name, key)
    elif kind == "NPY":
        content, path = fetch(source.features, "data.source.features")
        x = read_npy(content, path, "data.source.features")
        content, y_path = fetch(source.target, "data.source.target", "target")
        y = read_npy(content, y_path, "data.source.target")
        main = array_rows(x, y, path.name, ("x", "y"), "data.source.features")
        if files:
            raise DataError(
                "a part of NPY data cannot come from one file: features and target are two",
                "put the arrays x_train, y_train, x_val, y_val, ... into one NPZ file",
                f"data.split.{next(iter(files))}",
            )
    elif kind == "ImageFolder":
        main, parts = _image_folder(source.path, files, base)
        digests += [(name, _listing(rows)) for name, rows in (("source", main), *parts.items())]
    else:
        raise DataError(f"goodfit cannot read {kind} yet", "use CSV, Parquet, NPZ, NPY or Builtin", "data.source.type")
    return Loaded(main, parts, _fingerprint(digests))


def _table(columns: dict[str, Any], path: Path) -> Rows:
    n = len(next(iter(columns.values()))) if columns else 0
    return Rows(path.name, n, columns, root=path.parent)


def _image_folder(path: str, files: dict[str, str], base: Path) -> tuple[Rows, dict[str, Rows]]:
    """The training images, and those of parts that have a folder of their own."""
    key = "data.source.path"
    root = folder_at(base, path, key)
    folders = parts_of(root, key)
    twice = [part for part in files if part in folders]
    if twice:
        raise DataError(
            f"{path} has a folder for {twice[0]}, and data.split names another",
            "keep one",
            f"data.split.{twice[0]}.path",
        )
    train = folders.pop("train", root)
    listed = list_classes(train, key)
    more_than_one_class(listed, train, key)
    parts = {part: class_rows(list_classes(folder, key), folder) for part, folder in folders.items()}
    for part, name in files.items():
        own = f"data.split.{part}.path"
        folder = folder_at(base, name, own)
        parts[part] = class_rows(list_classes(folder, own), folder)
    return class_rows(listed, train), parts


def class_rows(listed: Listed, root: Path) -> Rows:
    """The table of a folder: each image's file and class."""
    import polars as pl

    # a class is a name, whatever number or word for "missing" it looks like
    columns = {
        name: Column(name, pl.Series(cells, dtype=pl.String), None)
        for name, cells in ((FILE, listed.names), (CLASS, listed.classes))
    }
    return Rows(root.name, len(listed.names), columns, targets=[CLASS], root=root, listed=listed)


def _listing(rows: Rows) -> str:
    assert rows.listed is not None
    text = "\n".join(rows.listed.names)
    return hashlib.sha256(text.encode()).hexdigest()


def _fingerprint(digests: list[tuple[str, str]]) -> str:
    if len(digests) == 1:
        return digests[0][1]
    text = "".join(f"{digest}  {part}\n" for part, digest in digests)
    return hashlib.sha256(text.encode()).hexdigest()
