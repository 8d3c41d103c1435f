"""What is wrong with the data of a recipe, and which key of the recipe to look at."""

from __future__ import annotations

from engine.errors import UserError


class DataError(UserError):
    """Data that cannot be used. `path` is the edit path of the key to mend, such as `data.source.path`."""

    def __init__(self, message: str, hint: str = "", path: str = "data.source") -> None:
        super().__init__(message, hint)
        self.path = path
        self.others: list[DataError] = []
        """What else was found wrong at the same time."""


def raise_all(found: list[DataError]) -> None:
    """Raise the first, if there is one, with the rest of them as its `others`."""
    if found:
        found[0].others = found[1:]
        raise found[0]


def listing(names: list[str], most: int = 8) -> str:
    """`a, b, c and 12 more`: names for a message that must stay short."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
