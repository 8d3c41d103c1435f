"""`PATH=VALUE` on the command line: edits of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.recipe.edits import Edit

if TYPE_CHECKING:
    from engine.recipe.document import Document


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


def make_settings(document: Document, edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """Make the edits that a person typed, and return all that they came to.

    A new `type` drops the fields that it lacks, and says so on stderr. Raises EditRefused.
    """
    from engine.recipe.retype import with_types
    from tui.commands.output import narrate

    done, notes = with_types(document.data, edits)
    for note in notes:
        narrate(note)
    document.apply(done)
    return done
