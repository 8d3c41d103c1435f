"""Changing the type of a part: what the new type has too is kept, the rest is dropped and named."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from engine.parts import catalog
from engine.parts.part import Part, find, names
from engine.recipe.edits import MISSING, Edit, EditRefused, Transaction
from engine.recipe.paths import child, family_at, join, split
from engine.recipe.validate import part_problems
from engine.recipe.values import changed, lookup
from engine.recipe.words import listed, suggestion


class Readable(Protocol):
    """What has values at edit paths: a `Document`."""

    def get(self, path: str, default: Any = None) -> Any:
        """The value at an edit path, or `default`."""
        ...


def change_type(document: Readable, path: str, new_type: str) -> tuple[Transaction, list[str]]:
    """The edits that make the part at `path` one of `new_type`, and the names of the fields that it thereby loses.

    `path` names the part (`optimizer`, `model.layers.3`). A field is dropped where the new type has none of its name,
    or one that does not take its value. Raises EditRefused where no part stands there or the type is unknown.
    """
    value = document.get(path, MISSING)
    edits, dropped = _retyped(value, path, new_type)
    if edits and not isinstance(value, dict):
        return (Edit("set", path, new_type, expect=value),), []
    return edits, dropped


def with_types(values: dict[str, Any], edits: Iterable[Edit]) -> tuple[Transaction, list[str]]:
    """Edits of a recipe's plain values in which a new `type` drops the fields that it lacks, and sentences that say so.

    For edits that a person typed, such as `optimizer.type=Adam`. Raises EditRefused where one does not fit.
    """
    done: list[Edit] = []
    said: list[str] = []
    for edit in edits:
        parts = split(edit.path)
        steps: Transaction = (edit,)
        part = lookup(values, parts[:-1]) if parts else MISSING
        named = isinstance(edit.value, str) and parts[-1:] == ["type"] and family_at(parts[:-1])
        if edit.op == "set" and named and isinstance(part, dict) and find(str(named), edit.value):
            path = join(parts[:-1])
            found, dropped = _retyped(part, path, edit.value)
            steps = (*found[:-1], edit)
            if dropped:
                said.append(f"{path}: {edit.value} has no {listed(dropped)}: dropped")
        for step in steps:
            values = changed(values, step)
        done += steps
    return tuple(done), said


def _retyped(value: Any, path: str, new_type: str) -> tuple[Transaction, list[str]]:
    """The edits of `change_type`, the type last, and the fields that are dropped."""
    catalog.load()
    family = family_at(split(path)) or ""
    cls = find(family, new_type) if family else None
    if not family:
        raise EditRefused(f"{path} is no place of a part", "name one like optimizer or model.layers.3")
    if cls is None:
        raise EditRefused(f"there is no {family} {new_type!r}", suggestion(new_type, names(family), "types"))
    settings = {key: item for key, item in value.items() if key != "type"} if isinstance(value, dict) else {}
    dropped = _lost(cls, settings)
    if isinstance(value, dict) and value.get("type") == new_type and not dropped:
        return (), []
    # Unknown fields go first, so that no text in between names a field that its type lacks.
    edits = [Edit("unset", child(path, key), expect=settings[key]) for key in dropped]
    return (*edits, Edit("set", child(path, "type"), new_type)), dropped


def _lost(cls: type[Part], settings: dict[str, Any]) -> list[str]:
    """The settings that a type does not take, one by one or together, in their order."""
    unavoidable = {problem.message for problem in part_problems(cls, {})}

    def faults(kept: list[str]) -> int:
        found = part_problems(cls, {name: settings[name] for name in kept})
        return sum(1 for problem in found if problem.message not in unavoidable)

    kept = list(settings)
    while faults(kept):
        kept = min(([name for name in kept if name != other] for other in reversed(kept)), key=faults)
    return [name for name in settings if name not in kept]
