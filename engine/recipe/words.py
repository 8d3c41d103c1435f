"""Words of problems: what a field takes, what was found, and the nearest valid word."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The valid word that was probably meant, or None."""
    known = {name.lower().replace("_", ""): name for name in words}
    plain = word.lower().replace("_", "").replace("-", "").replace(" ", "")
    if plain in known:
        return known[plain]
    close = difflib.get_close_matches(plain, known, 1, 0.6)
    if close:
        return known[close[0]]
    longer = [name for key, name in known.items() if len(plain) >= 3 and (key.startswith(plain) or plain in key)]
    return longer[0] if len(longer) == 1 else None


def suggestion(word: str, words: Iterable[str], what: str) -> str:
    """A hint that names the nearest word, or all of them."""
    words = list(words)
    close = nearest(word, words)
    if close:
        return f"did you mean {close}?"
    return f"{what}: {listed(words)}" if words else ""


def listed(words: Iterable[Any], last: str = "") -> str:
    """`a, b, c`, or `a, b or c` with `last` as "or"."""
    texts = [str(word) for word in words]
    if len(texts) > 24:
        texts = [*texts[:24], "..."]
    if last and len(texts) > 1:
        return f"{', '.join(texts[:-1])} {last} {texts[-1]}"
    return ", ".join(texts)


def shown(value: Any) -> str:
    """A value as a recipe would show it, shortened."""
    if value is None:
        return "empty"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def expected(annotation: Any) -> str:
    """What a field of this annotation takes, in plain words."""
    return listed(dict.fromkeys(_alternatives(annotation)), "or")


def members(annotation: Any) -> list[Any]:
    """The alternatives of an annotation, without None and without bounds."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return [inner for member in typing.get_args(annotation) for inner in members(member)]
    if origin is typing.Annotated:
        return members(typing.get_args(annotation)[0])
    return [] if annotation is type(None) else [annotation]


def allows_none(annotation: Any) -> bool:
    """Whether a field of this annotation can be null."""
    if annotation is None or annotation is type(None):
        return True
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return any(allows_none(member) for member in typing.get_args(annotation))
    return False


def choices(annotation: Any) -> list[Any]:
    """The words that a field of this annotation takes, if it names any."""
    return [
        word
        for member in members(annotation)
        if typing.get_origin(member) is Literal
        for word in typing.get_args(member)
    ]


def _alternatives(annotation: Any) -> list[str]:
    words: list[str] = []
    for member in members(annotation):
        origin = typing.get_origin(member)
        if origin is Literal:
            words += [str(word) for word in typing.get_args(member)]
        elif origin in (list, tuple):
            words.append(_list_words(member, origin))
        elif origin is dict or member is dict or (isinstance(member, type) and issubclass(member, BaseModel)):
            words.append("a mapping")
        else:
            words.append(_PLAIN.get(member, "another value"))
    return words


_PLAIN = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    list: "a list",
    Any: "any value",
}
_PLURAL = {int: "whole numbers", float: "numbers", str: "texts"}


def _list_words(member: Any, origin: Any) -> str:
    arguments = [argument for argument in typing.get_args(member) if argument is not Ellipsis]
    inner = members(arguments[0]) if arguments else []
    kind = _PLURAL.get(inner[0], "values") if len(inner) == 1 else "values"
    if origin is tuple and Ellipsis not in typing.get_args(member):
        return f"a list of {len(arguments)} {kind}"
    return "a list" if kind == "values" else f"a list of {kind}"
