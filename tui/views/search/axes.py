"""The settings that a search tries, as axes: where a value stands, what it is called, which ticks there are. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import UserError
from engine.recipe.paths import join, split
from engine.recipe.scalars import write_flow, write_scalar
from tui.charts.scale import Scale, number
from tui.clean import clean


@dataclass(frozen=True)
class Axis:
    """One searched setting: a range of numbers, or words that stand at even distances."""

    path: str
    label: str
    """Short, and unlike that of any other."""
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    keys: tuple[str, ...] = ()
    """Of a choice: its values as `key_of` has them, from bottom to top."""
    words: tuple[str, ...] = ()
    """Of a choice: how its values are shown."""

    def share(self, value: Any) -> float:
        """Where a value stands: 0 at the low end, 1 at the high end; nan where it has no place."""
        if self.keys:
            try:
                at = self.keys.index(key_of(value))
            except ValueError:
                return math.nan
            return (at + 0.5) / len(self.keys)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return math.nan
        share = Scale(self.low, self.high, self.log).share(value)
        return min(1.0, max(0.0, share)) if math.isfinite(share) else math.nan

    def shown(self, value: Any) -> str:
        """A value in few cells."""
        return value_words(value, self.log)

    @property
    def ends(self) -> tuple[str, str]:
        """What stands at the bottom and at the top of the axis."""
        if self.keys:
            return self.words[0], self.words[-1]
        return value_words(self.low, self.log), value_words(self.high, self.log)


def key_of(value: Any) -> str:
    """One text for a value, whichever way it was written: 1 and 1.0 are the same, 1 and true are not."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(float(value))
    return json.dumps(value, sort_keys=True, default=str)


def value_words(value: Any, log: bool = False) -> str:
    """A setting's value in few cells: `3.2e-3`, `64`, `Adam lr 0.1`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return number(value)
        short = float(f"{value:.3g}")
        if 0 < abs(short) < 0.1:
            return write_scalar(short, "e") if log or abs(short) < 1e-3 else f"{short:.3g}"
        return number(short)
    if isinstance(value, Mapping):
        rest = " ".join(f"{key} {value_words(inner)}" for key, inner in value.items() if key != "type")
        return clean(f"{value['type']} {rest}".strip() if "type" in value else rest)
    if isinstance(value, list):
        return "[" + ", ".join(value_words(inner) for inner in value) + "]"
    return clean(value)


def labels(paths: Sequence[str]) -> list[str]:
    """Short names of edit paths: the last part of each, with as many before it as tell it from the others."""
    parts = []
    for path in paths:
        try:
            parts.append(split(path))
        except UserError:
            parts.append([path])
    found = []
    for mine in parts:
        size = 1
        while size < len(mine) and sum(other[-size:] == mine[-size:] for other in parts) > 1:
            size += 1
        # An index alone says nothing: layers.3 does.
        while size < len(mine) and isinstance(mine[-size], int):
            size += 1
        found.append(clean(join(mine[-size:])))
    return found


def axes_of(space: Any, params: Iterable[Mapping[str, Any]]) -> list[Axis]:
    """The axes of a search: those of its `space` in their order, then whatever else its trials have.

    What the space does not say is read from the trials' `params`.
    """
    space = space if isinstance(space, Mapping) else {}
    given = list(params)
    paths = list(dict.fromkeys([*map(str, space), *(path for row in given for path in row)]))
    made = []
    for path, label in zip(paths, labels(paths), strict=True):
        axis = _declared(path, label, space.get(path))
        made.append(axis or _seen(path, label, [row[path] for row in given if path in row]))
    return made


def _declared(path: str, label: str, entry: Any) -> Axis | None:
    if not isinstance(entry, Mapping) or len(entry) != 1:
        return None
    ((kind, bounds),) = entry.items()
    if kind == "choice" and isinstance(bounds, list) and bounds:
        return _choice(path, label, bounds)
    if not isinstance(bounds, list) or len(bounds) < 2:
        return None
    low, high = bounds[:2]
    if not all(isinstance(bound, int | float) and math.isfinite(bound) for bound in (low, high)) or not low < high:
        return None
    return Axis(path, label, float(low), float(high), "log" in str(kind) and low > 0)


def _choice(path: str, label: str, values: Sequence[Any]) -> Axis:
    found = {key_of(value): value for value in values}
    words = [value_words(value) for value in found.values()]
    # Two values with one short name are written out.
    words = [
        write_flow(value) if words.count(word) > 1 else word for word, value in zip(words, found.values(), strict=True)
    ]
    return Axis(path, label, keys=tuple(found), words=tuple(map(clean, words)))


def _seen(path: str, label: str, values: Sequence[Any]) -> Axis:
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)]
    if len(numbers) < len(values) or not values:
        kinds = {key_of(value): value for value in values}
        return _choice(path, label, [kinds[key] for key in sorted(kinds)] or [None])
    low, high = float(min(numbers)), float(max(numbers))
    log = low > 0 and high / low >= 100
    if low == high:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    return Axis(path, label, low, high, log)
