"""The rows of one file that can be used, and the columns that are used of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data import features
from engine.data.choose import nearest
from engine.data.column import Column
from engine.data.errors import DataError
from engine.data.rows import Rows
from engine.data.samples import Samples

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Usable:
    """Columns, images and targets of the rows that can be used."""

    rows: npt.NDArray[np.int64]
    """(N,) row numbers in the file, ascending."""
    columns: list[Column]
    """Feature columns of a table."""
    x: Samples | None
    """Images, raw."""
    targets: list[Column]
    missing: int
    """Missing cells of features and target in the whole file."""
    path: str
    """Edit path of what the rows come from, for messages."""
    where: str
    """What messages about these rows begin with."""


def usable(
    rows: Rows,
    chosen: list[tuple[str, str]],
    targets: list[str],
    *,
    missing: str,
    is_bytes: bool,
    path: str = "data.source",
    where: str = "",
    nothing: bool = False,
) -> Usable:
    """Take the `chosen` feature columns (name, type), or the images, and the targets of `rows`.

    `missing` is the recipe's policy: `drop` leaves rows with a missing cell out, `error` refuses them, `mean` and
    `median` keep them to be filled, but no policy fills a target or a picture. `is_bytes`: numbers are 0..255, to be
    read as [0, 1]. `nothing`: that no row is left is no mistake. Raises DataError.
    """
    goals = [_target(rows, name, path, where) for name in targets]
    columns = features.pick(rows, chosen, path, where) if rows.x is None else []
    no_target = features.missing_rows(goals, rows.n)
    if no_target.any() and missing != "drop":
        raise DataError(
            f"{where}the target is empty in {_rows(no_target)}",
            "a row without its target teaches nothing: remove such rows, or set data.missing: drop",
            path if where else "data.missing",
        )
    holes = _bad_images(rows.x) if rows.x is not None else features.missing_rows(columns, rows.n)
    if holes.any() and rows.x is not None and missing != "drop":
        raise DataError(
            f"{where}NaN or infinite values in {_rows(holes)}", "mend them, or set data.missing: drop", "data.missing"
        )
    image = [name for name, kind in chosen if kind == "image"]
    if holes.any() and image and missing != "drop":
        raise DataError(
            f"{where}column '{image[0]}' names no image in {_rows(holes)}",
            "fill in the path, or leave such rows out: data.missing: drop",
            "data.missing",
        )
    if holes.any() and missing == "error":
        raise _hole(columns, holes, where, nothing)
    gone = no_target | holes if missing == "drop" else no_target
    if gone.all() and not nothing:
        raise DataError(
            f"{where}no row is without a missing cell", "fill them instead: data.missing: median", "data.missing"
        )
    kept = np.flatnonzero(~gone).astype(np.int64)
    cells = sum(int(column.missing().sum()) for column in columns + goals)
    columns = [column.take(kept) for column in columns]
    if is_bytes:
        columns = [Column(c.name, c.cells, None if c.number is None else c.number / 255) for c in columns]
    x = None if rows.x is None else rows.x[kept]
    return Usable(kept, columns, x, [column.take(kept) for column in goals], cells, path, where)


def _target(rows: Rows, name: str, path: str, where: str) -> Column:
    if name not in rows.columns:
        raise DataError(f"{where}there is no target column '{name}'", nearest(name, list(rows.columns)), path)
    column = rows.columns[name]
    return column if column.number is None else Column(name, None, column.number)


def _bad_images(x: Array) -> npt.NDArray[np.bool_]:
    if x.dtype.kind != "f":
        return np.zeros(len(x), dtype=bool)
    return np.asarray(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))


def _rows(found: npt.NDArray[np.bool_]) -> str:
    count = int(found.sum())
    return f"{count} row{'s' if count > 1 else ''}, the first is row {int(found.argmax())} (from 0)"


def _hole(columns: list[Column], holes: npt.NDArray[np.bool_], where: str, is_trained: bool) -> DataError:
    counts = {column.name: int(column.missing().sum()) for column in columns}
    several = {name: count for name, count in counts.items() if count}
    worst = max(several, key=lambda name: several[name])
    most = f"column '{worst}'" if len(several) == 1 else f"{len(several)} columns, most in '{worst}' ({several[worst]})"
    return DataError(
        f"{where}missing cells in {_rows(holes)}, in {most}",
        "fill them in, or train again with data.missing: median or drop"
        if is_trained
        else "set data.missing: median or mean (fill them), or drop (leave such rows out)",
        "data.missing",
    )
