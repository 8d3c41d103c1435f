"""A problem: something in a recipe that a person should mend, with its place in the text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from engine.recipe.edits import Edit

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Problem:
    """One problem; `line` and `column` count from 1."""

    line: int
    column: int
    path: str
    """Edit path of the value, "" for the document itself."""
    message: str
    hint: str = ""
    severity: Severity = "error"
    fixes: tuple[tuple[Edit, ...], ...] = field(default=())
    """Ways to mend it, best first, each a transaction of edits."""
