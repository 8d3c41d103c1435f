"""What a search varies: ranges and choices by edit path, and the edits that a set of values stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from engine.errors import UserError
from engine.recipe.edits import Edit, Transaction
from engine.recipe.paths import PathParts, split
from engine.recipe.retype import with_types

Kind = Literal["uniform", "log_uniform", "int", "choice"]
DIGITS = 6
"""Significant digits of a number that is tried, so that a person can read and write it."""
KINDS: tuple[Kind, ...] = ("uniform", "log_uniform", "int", "choice")


@dataclass(frozen=True)
class Dimension:
    """One setting that a search varies."""

    path: str
    """Edit path."""
    kind: Kind
    low: float = 0.0
    """Both bounds are included."""
    high: float = 0.0
    choices: tuple[Any, ...] = ()

    def key(self, value: Any) -> float | int | str:
        """The value as the search's storage keeps it: a choice by its JSON, since it may be a whole mapping."""
        return _json(value) if self.kind == "choice" else value

    def value(self, key: Any) -> Any:
        """The value of a `key`. Raises UserError where the space has no such choice any more."""
        if self.kind == "int":
            return int(key)
        if self.kind != "choice":
            return min(max(float(f"{key:.{DIGITS}g}"), float(self.low)), float(self.high))
        for choice in self.choices:
            if _json(choice) == key:
                return choice
        raise UserError(f"the search has tried {key} for {self.path}, which is none of its choices")

    @property
    def keys(self) -> list[str]:
        """The choices as the storage keeps them, each once."""
        return list(dict.fromkeys(map(_json, self.choices)))

    @property
    def size(self) -> int | None:
        """How many values there are; None where they cannot be counted."""
        if self.kind == "choice":
            return len(self.keys)
        return int(self.high) - int(self.low) + 1 if self.kind == "int" else None


Space = tuple[Dimension, ...]


def read_space(entries: Mapping[str, Any]) -> Space:
    """The dimensions of `search.space`. Raises UserError where an entry is not one: `goodfit check` says more."""
    return tuple(_dimension(path, entry) for path, entry in entries.items())


def _dimension(path: str, entry: Any) -> Dimension:
    if isinstance(entry, dict) and len(entry) == 1:
        ((kind, bounds),) = entry.items()
        if kind == "choice" and isinstance(bounds, list) and bounds:
            return Dimension(path, "choice", choices=tuple(bounds))
        if kind in KINDS[:3] and isinstance(bounds, list) and len(bounds) == 2:
            low, high = bounds
            return Dimension(path, kind, low, high)
    raise UserError(f"search.space holds no range for {path}", "like {uniform: [0, 1]}: goodfit check says more")


def settings(params: Mapping[str, Any]) -> Transaction:
    """The plain settings that these values stand for: what holds others first, so that it does not wipe them out."""
    return tuple(Edit("set", path, params[path]) for path in sorted(params, key=_depth))


def edits_of(data: dict[str, Any], params: Mapping[str, Any]) -> Transaction:
    """The edits that make a recipe with these plain values that of a trial; a new type drops fields that it lacks.

    Raises EditRefused where one does not fit.
    """
    return with_types(data, settings(params))[0]


def _depth(path: str) -> tuple[int, bool]:
    """A type comes before the other settings of its part."""
    parts: PathParts = split(path)
    return len(parts), parts[-1:] != ["type"]


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
