"""The target: which task it makes, its classes or scale, and the way back to its own names and units."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data.column import Column, distinct, in_order
from engine.data.errors import DataError, listing
from engine.data.features import shift_scale

Array = npt.NDArray[Any]
PATH = "data.source.target"
MOST_CLASSES = 20
"""Integers with at most this many distinct values are classes."""


def decide(columns: list[Column], task: str | None, declared: dict[str, str]) -> dict[str, Any]:
    """What is predicted: `{task, kind, columns, classes, outputs}`, plain JSON. Raises DataError.

    One column of text, booleans, or integers with at most 20 distinct values holds classes (two of them: `binary`);
    other numbers are a regression, and so is a column that `declared` (data.columns) calls a number. A list of 0/1
    columns is `classification` where every row has exactly one 1, else `multilabel`; other lists are a regression
    with several targets. `task`, where given, is kept if the values allow it. Classes are sorted: as numbers where
    all are numbers, else by code point.

    `kind` is how values are stored: `classes` (a name a row), `onehot`, `labels` or `numbers`.
    """
    names = [column.name for column in columns]
    if len(columns) > 1:
        kind, task = _several(columns, task)
        classes = in_order(names) if kind == "onehot" else names if kind == "labels" else []
        return {"task": task, "kind": kind, "columns": names, "classes": classes, "outputs": len(columns)}
    column = columns[0]
    filled = column.missing().sum() < len(column)
    if not filled:
        raise DataError(f"the target '{column.name}' is empty in every row", "choose another column", PATH)
    discrete = column.number is None or declared.get(column.name) == "category"
    if column.number is not None:
        values = column.number[~np.isnan(column.number)]
        whole = bool(np.all(values == np.floor(values)))
        few = whole and declared.get(column.name) != "number" and distinct(values) <= MOST_CLASSES
        discrete = discrete or few
    if task == "multilabel":
        raise DataError("multilabel needs a list of 0/1 columns as target", "list the label columns", PATH)
    if task == "regression" or (task is None and not discrete):
        numbers = column.numbers(PATH)
        if len(numbers) > 1 and distinct(numbers[~np.isnan(numbers)]) == 1:
            raise _single(column)
        return {"task": "regression", "kind": "numbers", "columns": names, "classes": [], "outputs": 1}
    classes = in_order(_by_value(column).levels())
    if len(classes) < 2:
        raise _single(column)
    if len(classes) > MOST_CLASSES and len(classes) > len(column) / 2:
        raise DataError(
            f"the target '{column.name}' holds {len(classes)} different values in {len(column)} rows: no classes",
            "choose another column, or task: regression if its values are numbers",
            PATH,
        )
    if task == "binary" and len(classes) != 2:
        raise DataError(
            f"binary needs two classes, but '{column.name}' has {len(classes)}: {listing(classes)}",
            "use task: classification",
            "task",
        )
    task = task or ("binary" if len(classes) == 2 else "classification")
    outputs = 1 if task == "binary" else len(classes)
    return {"task": task, "kind": "classes", "columns": names, "classes": classes, "outputs": outputs}


def _single(column: Column) -> DataError:
    value = column.levels()[0]
    message = f"the target '{column.name}' has a single value, {value!r}: there is nothing to learn"
    return DataError(message, "choose another column", PATH)


def _several(columns: list[Column], task: str | None) -> tuple[str, str]:
    """Kind and task of a list of target columns."""
    values = np.column_stack([column.numbers(PATH) for column in columns])
    values = values[~np.isnan(values).any(axis=1)]
    labels = bool(np.isin(values, (0.0, 1.0)).all())
    one_hot = labels and bool((values.sum(axis=1) == 1).all())
    if task == "binary":
        raise DataError("binary needs one target column with two classes", "name one column", PATH)
    if task == "classification" and not one_hot:
        hint = "use task: multilabel for several at once, or leave task out"
        raise DataError("these target columns are not one-hot: some row has no 1, or several", hint, PATH)
    if task == "multilabel" and not labels:
        raise DataError("multilabel needs columns of 0 and 1", "use task: regression for other numbers", PATH)
    if task is None:
        task = "classification" if one_hot else "multilabel" if labels else "regression"
    return {"classification": "onehot", "multilabel": "labels", "regression": "numbers"}[task], task


def fit_scale(target: dict[str, Any], columns: list[Column], rows: Array, scale: str) -> dict[str, Any]:
    """`target` with mean and std (ddof 0, 0 taken as 1) of the training rows; 0 and 1 where nothing is scaled."""
    mean, std = [], []
    if target["kind"] == "numbers":
        for column in columns:
            values = np.ascontiguousarray(column.numbers(PATH)[rows])
            shift, spread = shift_scale(values, scale)
            mean.append(shift)
            std.append(spread)
    return target | {"mean": mean, "std": std}


def encode(target: dict[str, Any], columns: list[Column], where: str = "", path: str = PATH) -> Array:
    """Targets as the network sees them: int64 (N,) for classification, else float32 (N, outputs).

    No cell may be missing. Raises DataError for a class, or a label, that `target` does not know.
    """
    kind = target["kind"]
    if kind == "classes":
        column = _by_value(columns[0])
        unknown = sorted(set(column.levels()) - set(target["classes"]))
        if unknown:
            raise DataError(
                f"{where}target '{columns[0].name}' holds {listing([repr(name) for name in unknown])}, "
                f"never seen in training (classes: {listing(target['classes'])})",
                "correct the cells, or split the rows so that training sees every class",
                path,
            )
        codes = column.codes(target["classes"])
        return codes.astype(np.float32)[:, None] if target["task"] == "binary" else codes
    values: Array = np.column_stack([column.numbers(path, where) for column in columns])
    if kind == "numbers":
        return np.asarray((values - np.array(target["mean"])) / np.array(target["std"]), dtype=np.float32)
    if not np.isin(values, (0.0, 1.0)).all():
        raise DataError(f"{where}the target columns hold more than 0 and 1", "correct the cells", path)
    if kind == "labels":
        return values.astype(np.float32)
    if (values.sum(axis=1) != 1).any():
        raise DataError(f"{where}the target columns are not one-hot in every row", "correct the cells", path)
    order = [target["classes"].index(name) for name in target["columns"]]
    return np.asarray(np.array(order, dtype=np.int64)[values.argmax(axis=1)])


def _by_value(column: Column) -> Column:
    """Classes that are numbers by their value, however they are written: `1.0` and `1` are one class."""
    return column if column.number is None else Column(column.name, None, column.number)


def to_units(target: dict[str, Any], values: Array) -> Array:
    """Regression values (N, outputs) in the target's own units, float64."""
    return np.asarray(values.astype(np.float64) * np.array(target["std"]) + np.array(target["mean"]))
