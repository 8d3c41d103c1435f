"""`PATH=VALUE` on the command line: edits of a recipe."""

from __future__ import annotations

from collections.abc import Iterable

from engine.errors import UserError
from engine.recipe.edits import Edit


def split_setting(text: str) -> tuple[str, str]:
    """`PATH=VALUE` at the first `=` outside quotes. Raises UserError."""
    quote = ""
    for i, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "=":
            if not text[:i].strip():
                break
            return text[:i].strip(), text[i + 1 :]
    raise UserError(f"'{text}' is no setting", "write PATH=VALUE, such as optimizer.lr=3e-4")


def read_settings(texts: Iterable[str]) -> tuple[Edit, ...]:
    """Settings as edits; each VALUE is one line of YAML. Raises UserError naming the setting."""
    from engine.recipe.reader import parse_value

    edits = []
    for text in texts:
        path, value = split_setting(text)
        try:
            edits.append(Edit("set", path, parse_value(value)))
        except UserError as error:
            raise UserError(f"{path}: {error.message}", error.hint) from error
    return tuple(edits)
