"""What each column is for: target, feature (of which type), part of the split, or nothing."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.data.column import Column, infer
from engine.data.errors import DataError, listing
from engine.recipe.paths import child


@dataclass(frozen=True)
class Roles:
    """The columns of a table, shared out. Features keep the file's order, or that of `source.features`."""

    targets: list[str]
    features: list[tuple[str, str]]
    """Name and type (number or category), in the order in which they enter the network."""
    types: dict[str, str]
    """Type of every column: number | category | ignore."""
    roles: dict[str, str]
    """What every column is used as: feature | target | split | ignored."""


def nearest(name: str, names: Sequence[str]) -> str:
    """A hint: the name that was perhaps meant, and the names there are."""
    close = difflib.get_close_matches(name, names, 1, 0.6)
    there = f"the columns are: {listing(list(names), 20)}"
    return f"did you mean '{close[0]}'? {there}" if close else there


def choose(columns: dict[str, Column], targets: list[str], data: Any) -> Roles:
    """Share out a table's columns. `data` is the recipe's data section. Raises DataError.

    Without `source.features` every column is a feature but the target, those that the split uses (group, time,
    column), and those of type `ignore`.
    """
    names = list(columns)
    for name in targets:
        if name not in columns:
            raise DataError(f"there is no column '{name}' to predict", nearest(name, names), "data.source.target")
    if len(set(targets)) < len(targets):
        raise DataError("a target column is listed twice", "list each column once", "data.source.target")
    for name in data.columns:
        if name not in columns:
            raise DataError(f"there is no column '{name}'", nearest(name, names), child("data.columns", name))
    reserved = {}
    for use in ("group", "time", "column"):
        name = getattr(data.split, use)
        if name is None:
            continue
        if name not in columns:
            raise DataError(f"there is no column '{name}' to split by", nearest(name, names), f"data.split.{use}")
        if use == "column" and name in targets:
            raise DataError(
                f"column '{name}' cannot be both target and split", "name another column", f"data.split.{use}"
            )
        reserved[name] = use
    listed = _listed(columns, targets, data, names)
    types = {}
    for name, column in columns.items():
        kind = data.columns.get(name)
        if kind == "image":
            raise DataError(
                f"column '{name}': image columns cannot be read yet", "use NPZ arrays", child("data.columns", name)
            )
        if kind is None:
            kind = infer(column)
            if kind == "ignore" and listed is not None and name in listed and column.cells is not None:
                kind = "category" if column.cells.null_count() < len(column) else "ignore"
        types[name] = kind
    wanted = listed if listed is not None else [n for n in names if n not in targets and n not in reserved]
    features = [(name, types[name]) for name in wanted if types[name] != "ignore"]
    if not features:
        raise DataError(
            "no column is left to learn from", f"the target is {listing(targets)}; {nearest('', names)}", "data.source"
        )
    used = dict.fromkeys(names, "ignored") | dict.fromkeys(reserved, "split")
    used |= {name: "feature" for name, _ in features} | dict.fromkeys(targets, "target")
    return Roles(targets, features, types, used)


def _listed(columns: dict[str, Column], targets: list[str], data: Any, names: list[str]) -> list[str] | None:
    listed = getattr(data.source, "features", None)
    if not isinstance(listed, list | tuple):
        return None
    where = "data.source.features"
    for name in listed:
        if name not in columns:
            raise DataError(f"there is no column '{name}'", nearest(name, names), where)
        if name in targets:
            raise DataError(f"column '{name}' is the target: it cannot be a feature too", "remove it", where)
        if name == data.split.column:
            raise DataError(f"column '{name}' says which part a row is in: no feature", "remove it", where)
    if len(set(listed)) < len(listed):
        raise DataError("a feature is listed twice", "list each column once", where)
    return list(listed)
