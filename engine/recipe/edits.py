"""Edits: the one way in which a recipe changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from engine.errors import UserError


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
class Patch:
    """What an edit did to the text, so that its inverse gives the text back byte for byte."""

    start: int
    removed: str
    added: str


@dataclass(frozen=True)
class Edit:
    """One change of a recipe.

    `set` puts `value` at `path` (making parent mappings as needed); `unset` removes the key or list item; `insert`
    puts `value` in front of the list item that `path` names (or at the end where the index is the list's length);
    `move` takes the list item at `path` to index `to`. `expect` is the value that the edit expects to find at `path`;
    the edit is refused where the document holds another.
    """

    op: Literal["set", "unset", "insert", "move"]
    path: str
    value: Any = None
    to: int | None = None
    expect: Any = ANY
    patch: Patch | None = field(default=None, compare=False, repr=False)
    """For inverses only: the text to put back where it is still what the edit left. Never leaves the process."""


Transaction = tuple[Edit, ...]
"""Edits that are done and undone together."""


class EditRefused(UserError):
    """An edit that does not fit the document: nothing was changed."""


def edit_to_json(edit: Edit) -> dict[str, Any]:
    """The edit as JSON: `op` and `path`, with `value`, `to` and `expect` where they say something."""
    fields: dict[str, Any] = {"op": edit.op, "path": edit.path}
    if edit.op in ("set", "insert"):
        fields["value"] = edit.value
    if edit.op == "move":
        fields["to"] = edit.to
    if edit.expect is MISSING:
        fields["expect_missing"] = True
    elif edit.expect is not ANY:
        fields["expect"] = edit.expect
    return fields


def edit_from_json(fields: dict[str, Any]) -> Edit:
    """The edit of `edit_to_json`. Raises UserError where the fields are not one."""
    op, path, to = fields.get("op"), fields.get("path"), fields.get("to")
    if op not in ("set", "unset", "insert", "move") or not isinstance(path, str):
        raise UserError(f"{fields!r} is not an edit", 'like {"op": "set", "path": "optimizer.lr", "value": 0.001}')
    if (op in ("set", "insert") and "value" not in fields) or (op == "move" and type(to) is not int):
        raise UserError(f"the edit of {path} lacks its {'to' if op == 'move' else 'value'}")
    expect = MISSING if fields.get("expect_missing") else fields.get("expect", ANY)
    return Edit(op, path, fields.get("value"), to, expect)
