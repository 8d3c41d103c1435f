"""`PATH=VALUE` on the command line: edits of a recipe."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import UserError
from engine.recipe.edits import Edit


def read_settings(texts: Sequence[str]) -> tuple[Edit, ...]:
    """Settings as edits; each VALUE is one line of YAML. Raises UserError that quotes the setting."""
    from engine.recipe.document import parse_sets

    edits: list[Edit] = []
    for text in texts:
        try:
            edits += parse_sets([text])
        except UserError as error:
            raise UserError(f"'{text}': {error.message}", error.hint) from error
    return tuple(edits)
