"""What each column is for: target, feature (of which type), part of the split, or nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.data.column import Column, infer
from engine.data.errors import DataError, listing, raise_all
from engine.recipe.paths import child


@dataclass(frozen=True)
class Roles:
    """The columns of a table, shared out. Features keep the file's order, or that of `source.features`."""

    targets: list[str]
    features: list[tuple[str, str]]
    """Name and type (number, category or image), in the order in which they enter the network."""
    types: dict[str, str]
    """Type of every column: number | category | image | ignore."""
    roles: dict[str, str]
    """What every column is used as: feature | target | split | ignored."""

    @property
    def image(self) -> str | None:
        """The column of images, which is then the only feature."""
        return self.features[0][0] if self.features and self.features[0][1] == "image" else None


def nearest(name: str, names: Sequence[str]) -> str:
    """A hint: the name that was perhaps meant, and the names there are."""
    close = difflib.get_close_matches(name, names, 1, 0.6)
    there = f"the columns are: {listing(list(names), 20)}"
    return f"did you mean '{close[0]}'? {there}" if close else there


def choose(columns: dict[str, Column], targets: list[str], data: Any, image: str | None = None) -> Roles:
    """Share out a table's columns. `data` is the recipe's data section; `image` a column that holds the paths of
    images, whatever it says. Raises DataError.

    Without `source.features` every column is a feature but the target, those that the split uses (group, time,
    column), and those of type `ignore`.
    """
    names = list(columns)
    check_names(columns, targets, data)
    by = [getattr(data.split, use) for use in ("group", "time", "column")]
    reserved = [name for name in by if name is not None]
    listed = getattr(data.source, "features", None)
    listed = list(listed) if isinstance(listed, list | tuple) else None
    types = {}
    for name, column in columns.items():
        kind = "image" if name == image else data.columns.get(name)
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
    raise_all([*_wrong_images(features)])
    used = dict.fromkeys(names, "ignored") | dict.fromkeys(reserved, "split")
    used |= {name: "feature" for name, _ in features} | dict.fromkeys(targets, "target")
    return Roles(targets, features, types, used)


def check_names(columns: dict[str, Column], targets: list[str], data: Any) -> None:
    """Raises DataError where the recipe's data section names columns that are not there, or for two ends at once."""
    raise_all(
        [
            *_wrong_targets(columns, targets),
            *_wrong_columns(columns, targets, data),
            *_wrong_features(columns, targets, data),
        ]
    )


def _wrong_targets(columns: dict[str, Column], targets: list[str]) -> Iterator[DataError]:
    where = "data.source.target"
    if not targets:
        yield DataError("no column is named as target", nearest("", list(columns)), where)
    for name in targets:
        if name not in columns:
            yield DataError(f"there is no column '{name}' to predict", nearest(name, list(columns)), where)
    if len(set(targets)) < len(targets):
        yield DataError("a target column is listed twice", "list each column once", where)


def _wrong_columns(columns: dict[str, Column], targets: list[str], data: Any) -> Iterator[DataError]:
    for name, kind in data.columns.items():
        where = child("data.columns", name)
        if name not in columns:
            yield DataError(f"there is no column '{name}'", nearest(name, list(columns)), where)
        elif kind == "image" and name in targets:
            yield DataError(f"column '{name}' is the target: it cannot hold images", "name another column", where)
        elif kind == "image" and columns[name].number is not None:
            yield DataError(f"column '{name}' holds numbers, not the paths of images", "take its type out", where)
    for use in ("group", "time", "column"):
        name, where = getattr(data.split, use), f"data.split.{use}"
        if name is not None and name not in columns:
            yield DataError(f"there is no column '{name}' to split by", nearest(name, list(columns)), where)
        elif use == "column" and name in targets:
            yield DataError(f"column '{name}' cannot be both target and split", "name another column", where)


def _wrong_features(columns: dict[str, Column], targets: list[str], data: Any) -> Iterator[DataError]:
    listed = getattr(data.source, "features", None)
    if not isinstance(listed, list | tuple):
        return
    where = "data.source.features"
    for name in listed:
        if name not in columns:
            yield DataError(f"there is no column '{name}'", nearest(name, list(columns)), where)
        elif name in targets:
            yield DataError(f"column '{name}' is the target: it cannot be a feature too", "remove it", where)
        elif name == data.split.column:
            yield DataError(f"column '{name}' says which part a row is in: no feature", "remove it", where)
    if len(set(listed)) < len(listed):
        yield DataError("a feature is listed twice", "list each column once", where)


def _wrong_images(features: list[tuple[str, str]]) -> Iterator[DataError]:
    """A network takes one image a row, and nothing beside it."""
    images = [name for name, kind in features if kind == "image"]
    others = [name for name, kind in features if kind != "image"]
    if not images:
        return
    if others:
        yield DataError(
            f"an image and other features cannot enter one network: '{images[0]}' is an image, {listing(others)} "
            f"{'are' if len(others) > 1 else 'is'} not",
            f"name the image alone: features: [{images[0]}]",
            "data.source.features",
        )
    elif len(images) > 1:
        yield DataError(
            f"{listing(images)} are all images, and a network takes one a row",
            f"name one of them: features: [{images[0]}]",
            "data.source.features",
        )
