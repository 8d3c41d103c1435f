"""Edits: the one way in which a recipe changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


class Marker:
    """A value that no recipe can hold."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


MISSING = Marker("MISSING")
"""An edit with `expect=MISSING` expects to find nothing at its path."""
ANY = Marker("ANY")
"""An edit with `expect=ANY` does not care what it finds."""


@dataclass(frozen=True)
class Edit:
    """One change of a recipe.

    `set` puts `value` at `path` (making parent mappings as needed); `unset` removes the key; `insert` puts `value`
    in front of the list item that `path` names (or at the end where the index is the list's length); `move` takes
    the list item at `path` to index `to`. `expect` is the value that the edit expects to find at `path`; the edit is
    refused where the document holds another.
    """

    op: Literal["set", "unset", "insert", "move"]
    path: str
    value: Any = None
    to: int | None = None
    expect: Any = ANY


Transaction = tuple[Edit, ...]
"""Edits that are done and undone together."""
