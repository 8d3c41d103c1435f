"""The fields of parts and sections, worked out once: a form is built often, its declaration never changes."""

from __future__ import annotations

from functools import cache

from pydantic import BaseModel

from engine.parts import catalog
from engine.parts.part import FieldInfo


@cache
def fields_of(cls: type[BaseModel]) -> tuple[FieldInfo, ...]:
    """As `catalog.describe`."""
    return tuple(catalog.describe(cls))
