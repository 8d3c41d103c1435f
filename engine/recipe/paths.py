"""Edit paths: `optimizer.lr`, `model.layers.3.p`, `model.layers.drop1.p`, `data.columns."sepal.length"`.

A part of a path is the key of a mapping, or an item of a list: by index (from 0) or by the item's `name`. A key with
dots, quotes, `=` or spaces stands in double quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from engine.errors import UserError

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_BARE = re.compile(r"[^\s.\"'=\\\x00-\x1f\x7f]+")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'', re.DOTALL)

PathParts = list[str | int]


class PathError(UserError):
    """A path that cannot be read."""


def split(path: str) -> PathParts:
    """The parts of a path; digits outside quotes are an index. Raises PathError where the path cannot be read."""
    parts: PathParts = []
    if path == "":
        return parts
    at = 0
    while True:
        if quoted := _QUOTED.match(path, at):
            parts.append(_unquote(quoted.group()))
            at = quoted.end()
        elif bare := re.compile(r"[^.\"']+").match(path, at):
            word = bare.group()
            parts.append(int(word) if _INDEX.fullmatch(word) else word)
            at = bare.end()
        else:
            raise PathError(f"the path {path!r} has an empty or unfinished part", "write it like model.layers.3.p")
        if at == len(path):
            return parts
        if path[at] != ".":
            raise PathError(f"the path {path!r} needs a dot after {parts[-1]!r}", 'like data.columns."sepal.length"')
        at += 1


def _unquote(text: str) -> str:
    if text.startswith("'"):
        return text[1:-1]
    try:
        word = json.loads(text, strict=False)
    except ValueError:
        raise PathError(f"the quoted key {text} cannot be read", 'write it like data.columns."sepal.length"') from None
    assert isinstance(word, str)
    return word


def join(parts: Iterable[str | int]) -> str:
    """The path of its parts: `split(join(parts)) == parts`."""
    return ".".join(_word(part) for part in parts)


def _word(part: str | int) -> str:
    if isinstance(part, int):
        return str(part)
    if _BARE.fullmatch(part) and not _INDEX.fullmatch(part):
        return part
    return json.dumps(part, ensure_ascii=False)


def child(path: str, part: str | int) -> str:
    """The path one part further down."""
    return f"{path}.{_word(part)}" if path else _word(part)


def parent(path: str) -> str:
    """The path without its last part."""
    return join(split(path)[:-1])


def split_assignment(text: str) -> tuple[str, str]:
    """`PATH=VALUE` at the first `=` outside quotes. Raises PathError where there is none."""
    at = 0
    while at < len(text):
        if text[at] == "=":
            return text[:at].strip(), text[at + 1 :]
        if quoted := _QUOTED.match(text, at):
            at = quoted.end()
        else:
            at += 1
    raise PathError(f"{text!r} has no value", "write PATH=VALUE, like optimizer.lr=1e-3")


def family_at(parts: PathParts) -> str | None:
    """The family of part that a path names (`layer` at model.layers.3), or None where no part stands there.

    These are the places where a word may stand for a mapping: `ReLU` is short for `{type: ReLU}`.
    """
    match parts:
        case ["loss"] | ["optimizer"] | ["scheduler"]:
            return str(parts[0])
        case ["metrics", _]:
            return "metric"
        case ["data", "source"]:
            return "source"
        case ["data", "augment", _]:
            return "augmentation"
        case ["model", "init"]:
            return "init"
        case ["model", "layers", _, *rest]:
            while len(rest) >= 2 and rest[0] == "layers":
                rest = rest[2:]
            return "layer" if not rest else "init" if rest == ["init"] else None
    return None
