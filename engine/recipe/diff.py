"""What differs between two recipes, as values and as edits."""

from __future__ import annotations

from typing import Any

from engine.recipe.edits import MISSING, Edit, Transaction
from engine.recipe.paths import PathParts, family_at, join
from engine.recipe.values import same


def diff(a: Any, b: Any) -> list[tuple[str, Any, Any]]:
    """`(path, a, b)` of every value that differs, in the order of `a`, then `b`; None for what is missing.

    `ReLU` equals `{type: ReLU}`. In lists, what both begin and end with is taken as equal, so that one inserted layer
    is one difference.
    """
    found: list[tuple[str, Any, Any]] = []
    _compare(a, b, [], found)
    return found


def _compare(a: Any, b: Any, parts: PathParts, found: list[tuple[str, Any, Any]]) -> None:
    a, b = _long(a, parts), _long(b, parts)
    if same(a, b) or (_number(a) and _number(b) and a == b):
        return
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            _compare(a.get(key, MISSING), b.get(key, MISSING), [*parts, key], found)
    elif isinstance(a, list) and isinstance(b, list) and (any_nested(a) or any_nested(b)):
        start, tail = _shared(a, b, parts)
        middle_a, middle_b = a[start : len(a) - tail], b[start : len(b) - tail]
        for at in range(max(len(middle_a), len(middle_b))):
            one = middle_a[at] if at < len(middle_a) else MISSING
            other = middle_b[at] if at < len(middle_b) else MISSING
            _compare(one, other, [*parts, start + at], found)
    else:
        found.append((join(parts), None if a is MISSING else a, None if b is MISSING else b))


def _shared(a: list[Any], b: list[Any], parts: PathParts) -> tuple[int, int]:
    """How many items two lists share at the start and at the end."""
    shorter = min(len(a), len(b))
    pairs = [same(_long(a[at], [*parts, at]), _long(b[at], [*parts, at])) for at in range(shorter)]
    start = pairs.index(False) if False in pairs else shorter
    tail = 0
    while tail < shorter - start and same(_long(a[-1 - tail], [*parts, 0]), _long(b[-1 - tail], [*parts, 0])):
        tail += 1
    return start, tail


def _long(value: Any, parts: PathParts) -> Any:
    return {"type": value} if isinstance(value, str) and family_at(parts) else value


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def any_nested(items: list[Any]) -> bool:
    """Whether a list holds more than plain values."""
    return any(isinstance(item, dict | list) for item in items)


def edits_between(a: Any, b: Any) -> Transaction:
    """Edits that turn the values `a` into `b`."""
    edits: list[Edit] = []
    _edits(a, b, [], edits)
    return tuple(edits)


def _edits(a: dict[str, Any], b: dict[str, Any], parts: PathParts, edits: list[Edit]) -> None:
    for key in a:
        if key not in b:
            edits.append(Edit("unset", join([*parts, key]), expect=a[key]))
    for key, value in b.items():
        path = [*parts, key]
        if key not in a:
            edits.append(Edit("set", join(path), value, expect=MISSING))
        elif isinstance(a[key], dict) and isinstance(value, dict) and a[key] and value:
            _edits(a[key], value, path, edits)
        elif not same(a[key], value):
            edits.append(Edit("set", join(path), value, expect=a[key]))
