"""Features of a table: numbers filled and scaled, categories one-hot; all fitted on the training rows alone.

A number that is missing becomes the training rows' mean or median; then `(value - mean) / std`. A category becomes
one column of 0 and 1 for each level seen in training; an empty cell, or a level never seen in training, is 0 in all
of them. The arithmetic is float64, the result float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data.choose import nearest
from engine.data.column import Column, in_order, is_number, plain_number
from engine.data.errors import DataError
from engine.data.rows import Rows
from engine.recipe.paths import child

Array = npt.NDArray[Any]
Fit = dict[str, Any]
"""One fitted feature, plain JSON: name, type, and fill, mean, std of a number or levels of a category."""


def pick(rows: Rows, features: list[tuple[str, str]], path: str, where: str = "") -> list[Column]:
    """The feature columns of `rows`, in order; numbers are checked to be numbers. Raises DataError."""
    found = []
    for name, kind in features:
        if name not in rows.columns:
            raise DataError(f"{where}there is no column '{name}'", nearest(name, list(rows.columns)), path)
        column = rows.columns[name]
        if kind == "number":
            key_path = path if where else child("data.columns", name)
            column = Column(name, None, column.numbers(key_path, where))
        found.append(column)
    return found


def missing_rows(columns: list[Column], n: int) -> npt.NDArray[np.bool_]:
    """(N,) rows with a missing cell in any of the columns."""
    found = np.zeros(n, dtype=bool)
    for column in columns:
        found |= column.missing()
    return found


def fit(columns: list[Column], features: list[tuple[str, str]], rows: Array, missing: str, normalize: Any) -> list[Fit]:
    """Statistics of the training rows, feature by feature. Raises DataError where given statistics do not fit."""
    numbers = [name for name, kind in features if kind == "number"]
    given = None if isinstance(normalize, str) else normalize
    if given is not None:
        check_given(given, len(numbers), "number column")
    fitted: list[Fit] = []
    position = 0
    for column, (name, kind) in zip(columns, features, strict=True):
        part = column.take(rows)
        if kind == "category":
            fitted.append({"name": name, "type": kind, "levels": in_order(part.levels())})
            continue
        assert part.number is not None
        fill = fill_value(part.number, missing)
        values = np.ascontiguousarray(np.where(np.isnan(part.number), fill or 0.0, part.number))
        if given is not None:
            shift, scale = given.mean[position], given.std[position]
        else:
            shift, scale = shift_scale(values, normalize)
        position += 1
        fitted.append({"name": name, "type": kind, "fill": fill, "mean": float(shift), "std": float(scale)})
    return fitted


def check_given(given: Any, width: int, what: str) -> None:
    """Raises DataError unless the recipe's own statistics have one value a column, and no std of 0."""
    for name in ("mean", "std"):
        values = getattr(given, name)
        if len(values) != width:
            raise DataError(
                f"data.normalize.{name} has {len(values)} values, but there are {width}",
                f"give one value for each {what}",
                f"data.normalize.{name}",
            )
    if any(not value > 0 for value in given.std):
        raise DataError("data.normalize.std must be above 0", "use 1 to leave a column as it is", "data.normalize.std")


def fill_value(values: Array, missing: str) -> float | None:
    """What a missing number becomes: the mean or median of those that are there (0 where none is); else None."""
    if missing not in ("mean", "median"):
        return None
    there = values[~np.isnan(values)]
    if not len(there):
        return 0.0
    return float(np.mean(there) if missing == "mean" else np.median(there))


def shift_scale(values: Array, normalize: str) -> tuple[float, float]:
    """What is subtracted and what is divided by: mean and std (ddof 0), or minimum and range; 1 where that is 0."""
    if normalize == "standard":
        # A column of equal values can have a std of rounding noise, which must not be blown up.
        constant = bool((values == values[0]).all())
        return (float(values[0]), 1.0) if constant else (float(values.mean()), float(values.std()) or 1.0)
    if normalize == "minmax":
        low, high = float(values.min()), float(values.max())
        return low, (high - low) or 1.0
    return 0.0, 1.0


def width(fitted: list[Fit]) -> int:
    """Columns that the network sees."""
    return sum(len(item["levels"]) if item["type"] == "category" else 1 for item in fitted)


def encode(columns: list[Column], fitted: list[Fit]) -> npt.NDArray[np.float32]:
    """(N, width) float32 rows for the network."""
    n = len(columns[0])
    out = np.zeros((n, width(fitted)), dtype=np.float32)
    at = 0
    for column, item in zip(columns, fitted, strict=True):
        if item["type"] == "number":
            values = column.number
            assert values is not None
            if item["fill"] is not None:
                values = np.where(np.isnan(values), item["fill"], values)
            with np.errstate(over="ignore"):
                out[:, at] = (values - item["mean"]) / item["std"]
            if np.isinf(out[:, at]).any():
                raise DataError(
                    f"column '{item['name']}': the value in row {int(np.isinf(out[:, at]).argmax())} of its part is "
                    "too far from the training rows' to be scaled",
                    "look for a wrong cell, or set data.normalize: none",
                    child("data.columns", item["name"]),
                )
            at += 1
            continue
        names = column.levels()
        codes = np.append(level_codes(list(names), item["levels"]), -1)[column.codes(names)]
        known = np.flatnonzero(codes >= 0)
        out[known, at + codes[known]] = 1.0
        at += len(item["levels"])
    return out


def level_codes(texts: list[str | None], levels: list[str]) -> npt.NDArray[np.int64]:
    """(N,) index of each text's level, -1 for none.

    A number written another way (`7.0` for `7`) finds its level, if one level alone has that value.
    """
    index = {level: code for code, level in enumerate(levels)}
    by_value: dict[str, int] = {}
    for level, position in index.items():
        if is_number(level):
            value = plain_number(float(level))
            by_value[value] = position if value not in by_value else -1

    def code(text: str | None) -> int:
        if text is None:
            return -1
        found = index.get(text)
        if found is None and by_value and is_number(text):
            found = by_value.get(plain_number(float(text)))
        return -1 if found is None else found

    return np.array([code(text) for text in texts], dtype=np.int64)
