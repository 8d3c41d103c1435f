"""Changes of a search while it runs: how long it goes on, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.errors import UserError
from engine.recipe.edits import edit_from_json
from engine.recipe.schema import Recipe, Search
from engine.recipe.splice import apply_edits

LIVE = ("search.trials", "search.minutes")


def change(text: str, edits: list[dict[str, Any]], read: Callable[[str], Recipe]) -> tuple[str, Search]:
    """The search's effective recipe after these edits, and the search that it then asks for.

    `read` turns a recipe's text into a recipe. Raises UserError where the search cannot change so.
    """
    transaction = tuple(edit_from_json(edit) for edit in edits)
    for edit in transaction:
        if edit.path not in LIVE:
            raise UserError(
                f"{edit.path} cannot change in a search, whose trials would no longer compare",
                f"these can: {', '.join(LIVE)}; for others, start a new search",
            )
    after = apply_edits(text, transaction)
    search = read(after).search
    if search is None:
        raise UserError("the recipe has no search any more")
    return after, search
