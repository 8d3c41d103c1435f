"""Colours for YAML, a line at a time: keys, parts, numbers, words, text, comments."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?P<comment>(?:^|(?<=\s))\#.*)
    |(?P<quoted>"(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?)
    |(?P<key>[^\s\[\]{},:#'"&*!|>%@`-][^\[\]{},:#\n]*?(?=\s*:(?:\s|$)))
    |(?P<sign>[\[\]{},]|(?:^|(?<=\s))-(?=\s|$)|:(?=\s|$))
    |(?P<value>[^\s\[\]{},#][^\[\]{},#\n]*?(?=\s*(?:[\[\]{},]|\s\#|$)))""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$")
_WORD = re.compile(r"(true|True|TRUE|false|False|FALSE|null|Null|NULL|~|auto|outputs)$")


def tokens(line: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, kind) for what deserves a colour; kinds: key, part, number, word, text, comment, sign."""
    last_key = ""
    for found in _TOKEN.finditer(line):
        kind = found.lastgroup or ""
        text = found.group()
        if kind == "key":
            last_key = text
        elif kind == "value":
            kind = _value_kind(text, last_key)
        elif kind == "quoted":
            # A quoted word in front of a colon is a key.
            kind = "key" if line[found.end() :].lstrip().startswith(":") else "text"
        yield found.start(), found.end(), kind


def _value_kind(text: str, key: str) -> str:
    if _NUMBER.match(text):
        return "number"
    if _WORD.match(text):
        return "word"
    # What a recipe names by a capital letter is a part: `ReLU`, `{type: Adam}`.
    if text[:1].isupper() and text.isalnum() and key in ("type", "loss", "optimizer", "scheduler", "metrics", ""):
        return "part"
    return "text"
