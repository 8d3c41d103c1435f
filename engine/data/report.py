"""What is known about the data before training: the facts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data import same_rows
from engine.data.baseline import baseline
from engine.data.column import HUGE, Column, distinct
from engine.data.facts import Facts
from engine.data.gather import Gathered
from engine.data.notes import notes
from engine.data.prepared import Part
from engine.data.samples import pick
from engine.recipe.schema import Recipe

Row = dict[str, Any]
MOST_COLUMNS = 500
"""Columns that the facts describe one by one: the first so many."""
MANY_CELLS = 20_000_000
"""From so many cells on, distinct values are not counted: it would take longer than reading the file."""


def report(
    recipe: Recipe,
    gathered: Gathered,
    goal: dict[str, Any],
    parts: dict[str, Part],
    shape: tuple[int, ...],
    split_sha256: str,
    counts: npt.NDArray[np.int64] | None,
) -> Facts:
    """The facts of prepared data; `counts` are those of the training images' bytes, by channel.

    Counts of missing and distinct cells are over the whole source; mean, std, min and max over the training part alone.
    """
    keys = {
        name: same_rows.row_keys([column.take(rows) for column in source.columns + source.targets], x, len(rows))
        for name, (source, rows) in gathered.parts.items()
        for x in [None if source.x is None else pick(source.x, rows)]
    }
    own = [keys[name] for name, (source, _) in gathered.parts.items() if source is gathered.usable["main"]]
    judged = parts["validation"] if len(parts["validation"].rows) else parts["train"]
    columns = _columns(gathered, counts)
    return Facts(
        task=goal["task"],
        shape=shape,
        outputs=goal["outputs"],
        rows={name: len(part.rows) for name, part in parts.items()},
        classes=goal["classes"],
        class_counts=_class_counts(goal, parts),
        target_names=goal["columns"],
        features=columns,
        missing=sum(found.missing for found in gathered.usable.values()),
        duplicates=same_rows.duplicates(np.concatenate(own)),
        shared=same_rows.shared(keys),
        warnings=notes(recipe, gathered, goal, columns, parts),
        data_sha256=gathered.sha256,
        split_sha256=split_sha256,
        baseline=baseline(goal, parts["train"].y, judged.y, recipe.loss),
    )


def _class_counts(goal: dict[str, Any], parts: dict[str, Part]) -> dict[str, list[int]]:
    if not goal["classes"]:
        return {}
    counts = {}
    for name, part in parts.items():
        if goal["kind"] == "labels":
            counts[name] = [int(found) for found in part.y.sum(axis=0)]
        else:
            codes = part.y.reshape(-1).astype(np.int64)
            counts[name] = np.bincount(codes, minlength=len(goal["classes"])).tolist()
    return counts


def _columns(gathered: Gathered, counts: npt.NDArray[np.int64] | None) -> list[Row]:
    """A row a column: name, type, role (feature | target | split | ignored), missing, unique, constant, mean, std,
    min, max, example."""
    main, roles = gathered.main, gathered.roles
    if main.x is not None:
        return [
            _image_row(gathered, counts),
            *(_describe(c, "target", "number", None, True) for c in main.columns.values()),
        ]
    source, train = gathered.parts["train"]
    rows = source.rows[train]
    count = main.n * len(main.columns) <= MANY_CELLS
    found = [
        _describe(column, roles.roles[name], roles.types[name], rows, count)
        for name, column in list(main.columns.items())[:MOST_COLUMNS]
    ]
    return [row | _pixels(gathered, counts) if row["name"] == roles.image else row for row in found]


def _describe(column: Column, role: str, kind: str, rows: Any, count: bool) -> Row:
    missing = int(column.missing().sum())
    row: Row = {"name": column.name, "type": kind, "role": role, "missing": missing, "unique": None, "constant": False}
    row |= dict.fromkeys(("mean", "std", "min", "max"))
    first = column.take(np.flatnonzero(~column.missing())[:1]).texts()
    row["example"] = (first[0] or "")[:60] if first else ""
    if column.number is not None:
        there = column.number[~np.isnan(column.number)]
        if count:
            row["unique"] = distinct(there)
        row["constant"] = len(there) > 0 and bool((there == there[0]).all())
        trained = column.number if rows is None else column.number[rows]
        trained = trained[np.abs(trained) <= HUGE]
        if len(trained) and kind == "number":
            row["mean"], row["std"] = float(trained.mean()), float(trained.std())
            row["min"], row["max"] = float(trained.min()), float(trained.max())
    else:
        row["unique"] = column.distinct()
        row["constant"] = row["unique"] == 1
    return row


def _image_row(gathered: Gathered, counts: npt.NDArray[np.int64] | None) -> Row:
    """The row of an array of images."""
    assert gathered.main.x is not None
    x = gathered.main.x
    row: Row = {"name": "x", "type": "image", "role": "feature", "missing": 0, "unique": None, "constant": False}
    return row | _pixels(gathered, counts) | {"example": f"{' x '.join(map(str, x.shape[1:]))} {x.dtype}"}


def _pixels(gathered: Gathered, counts: npt.NDArray[np.int64] | None) -> Row:
    """Mean, std, min and max of the training images' values, as they are stored."""
    if counts is not None:
        times, values = counts.sum(axis=0), np.arange(256)
        n = int(times.sum())
        mean = float((times * values).sum() / n)
        std = float(np.sqrt((times * (values - mean) ** 2).sum() / n))
        there = np.flatnonzero(times)
        low, high = float(there[0]), float(there[-1])
    else:
        source, train = gathered.parts["train"]
        assert source.x is not None
        whole = np.asarray(pick(source.x, train))
        low, high = float(whole.min()), float(whole.max())
        mean, std = float(whole.mean(dtype=np.float64)), float(whole.std(dtype=np.float64))
    return {"mean": mean, "std": std, "min": low, "max": high, "constant": low == high}
