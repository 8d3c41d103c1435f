"""Where a new key goes: keys of a section keep the order in which the language declares them."""

from __future__ import annotations

import types
import typing

from pydantic import BaseModel

from engine.recipe.paths import PathParts
from engine.recipe.schema import Recipe


def predecessor(parts: PathParts, key: str, present: list[str]) -> str | None:
    """The present key behind which `key` goes in the mapping at `parts`; None: in front of all."""
    if key == "type":
        return None
    section = section_at(parts)
    order = list(section.model_fields) if section else []
    if key in order:
        before = order[: order.index(key)]
        known = [name for name in present if name in before]
        if known:
            return max(known, key=present.index)
        return None
    return present[-1] if present else None


def section_at(parts: PathParts) -> type[BaseModel] | None:
    """The section of the language at a path, or None where it holds a part or free keys."""
    section: type[BaseModel] = Recipe
    for part in parts:
        field = section.model_fields.get(str(part))
        inner = next(iter(models(field.annotation)), None) if field else None
        if inner is None or hasattr(inner, "family"):
            return None
        section = inner
    return section


def models(annotation: typing.Any) -> list[type[BaseModel]]:
    """The pydantic classes that an annotation names at its top or as a member of a union."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return [model for member in typing.get_args(annotation) for model in models(member)]
    if origin is typing.Annotated:
        return models(typing.get_args(annotation)[0])
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
