"""Changing the type of a part: what the new type has too is kept, the rest is dropped and named."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from engine.parts import catalog
from engine.parts.part import Part, find, names
from engine.recipe.document import Document
from engine.recipe.edits import Edit, EditRefused, Transaction
from engine.recipe.paths import child, family_at, split
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
    dropped = [key for key in value if key != "type" and not _takes(cls, key, value[key])]
    if value.get("type") == new_type and not dropped:
        return (), []
    # Unknown fields go first, so that no text in between names a field that its type lacks.
    edits = [Edit("unset", child(path, key), expect=value[key]) for key in dropped]
    return (*edits, Edit("set", child(path, "type"), new_type)), dropped


def _takes(cls: type[Part], key: str, value: Any) -> bool:
    """Whether a type has a field of this name that takes this value."""
    field = cls.model_fields.get(key)
    if field is None:
        return False
    if isinstance(value, dict | list) and key in ("layers", "init", "warmup"):
        return True
    typed: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    try:
        TypeAdapter(typed).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True
