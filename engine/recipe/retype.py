"""Changing the type of a part: what the new type has too is kept, the rest is dropped and named."""

from __future__ import annotations

from typing import Any

from engine.parts import catalog
from engine.parts.part import Part, find, names
from engine.recipe.document import Document
from engine.recipe.edits import Edit, EditRefused, Transaction
from engine.recipe.paths import child, family_at, split
from engine.recipe.validate import part_problems
from engine.recipe.words import suggestion


def change_type(document: Document, path: str, new_type: str) -> tuple[Transaction, list[str]]:
    """The edits that make the part at `path` one of `new_type`, and the names of the fields that it thereby loses.

    `path` names the part (`optimizer`, `model.layers.3`). A field is dropped where the new type has none of its name,
    or one that does not take its value. Raises EditRefused where no part stands there or the type is unknown.
    """
    catalog.load()
    value = document.get(path)
    family = family_at(split(path)) or ""
    cls = find(family, new_type) if family else None
    if not family:
        raise EditRefused(f"{path} is no place of a part", "name one like optimizer or model.layers.3")
    if cls is None:
        raise EditRefused(f"there is no {family} {new_type!r}", suggestion(new_type, names(family), "types"))
    if not isinstance(value, dict):
        return (Edit("set", path, new_type, expect=value) if value is not None else Edit("set", path, new_type),), []
    dropped = _lost(cls, {key: item for key, item in value.items() if key != "type"})
    if value.get("type") == new_type and not dropped:
        return (), []
    # Unknown fields go first, so that no text in between names a field that its type lacks.
    edits = [Edit("unset", child(path, key), expect=value[key]) for key in dropped]
    return (*edits, Edit("set", child(path, "type"), new_type)), dropped


def _lost(cls: type[Part], settings: dict[str, Any]) -> list[str]:
    """The settings that a type does not take, one by one or together, in their order."""
    unavoidable = {problem.message for problem in part_problems(cls, {})}

    def faults(names: list[str]) -> int:
        found = part_problems(cls, {name: settings[name] for name in names})
        return sum(1 for problem in found if problem.message not in unavoidable)

    kept = list(settings)
    while faults(kept):
        kept = min(([name for name in kept if name != other] for other in reversed(kept)), key=faults)
    return [name for name in settings if name not in kept]
