"""Scalars and values as text: typed by YAML 1.2's core schema, and written so that they read back the same."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INF = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NAN = frozenset((".nan", ".NaN", ".NAN"))
_MAX_DIGITS = 300
_OTHER_READERS = re.compile(r"(?i)y|n|yes|no|on|off|=|<<|[-+0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|[-+]?[0-9][0-9_,]*")
"""Words that YAML 1.1 readers take for something else than text."""
_PLAIN = re.compile(
    r"[A-Za-z0-9_./~$\\^+*()<>;|=!?%&@À-ÖØ-öø-ɏͰ-ϿЀ-ӿ一-鿿ぁ-ヿ-]+( [A-Za-z0-9_./()+*<>=À-ÖØ-öø-ɏͰ-ϿЀ-ӿ一-鿿ぁ-ヿ-]+)*"
)
_PLAIN_START = re.compile(r"[A-Za-z0-9_./(+\\^$À-ÖØ-öø-ɏͰ-ϿЀ-ӿ一-鿿ぁ-ヿ]")
_ESCAPE = re.compile("[\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
WIDTH = 110
"""Columns that a value written in brackets may reach before it is broken into lines."""


class NumberTooLong(ValueError):
    """A number with more digits than anything here can use."""


def plain_value(text: str) -> Any:
    """The value of an unquoted scalar by the core schema: `1e-4` is a float, `yes` is text.

    Raises NumberTooLong for numbers of hundreds of digits.
    """
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text[0] not in "+-.0123456789":
        return text
    if len(text) > _MAX_DIGITS and (_FLOAT.fullmatch(text) or _BASED.fullmatch(text)):
        raise NumberTooLong(text)
    if _INT.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if infinite := _INF.fullmatch(text):
        return -math.inf if infinite.group(1) == "-" else math.inf
    return math.nan if text in _NAN else text


def write_scalar(value: Any, like: str = "") -> str:
    """Text of a scalar that reads back as `value`; `like` is the text that stood there, whose style is kept."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _write_float(value, like)
    if isinstance(value, str):
        return _write_text(value, like[:1])
    raise TypeError(f"{type(value).__name__} is not a value of a recipe")


def _write_float(value: float, like: str) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    small = 0 < abs(value) < (1 if "e" in like.lower() else 1e-3)
    if "e" not in text and not small:
        return text
    text = next(t for t in (f"{value:.{digits}e}" for digits in range(18)) if float(t) == value)
    mantissa, exponent = text.split("e")
    return f"{mantissa}e{int(exponent)}"


def _write_text(value: str, quote: str) -> str:
    if quote == "'" and not re.search("[\x00-\x1f]", value) and not _ESCAPE.search(value):
        return "'" + value.replace("'", "''") + "'"
    if quote != '"' and is_plain(value):
        return value
    return _ESCAPE.sub(lambda match: f"\\u{ord(match.group()):04x}", json.dumps(value, ensure_ascii=False))


def is_plain(text: str) -> bool:
    """Whether a text can stand without quotes, anywhere, for any reader of YAML."""
    if not _PLAIN.fullmatch(text) or not _PLAIN_START.match(text) or _OTHER_READERS.fullmatch(text):
        return False
    try:
        return isinstance(plain_value(text), str)
    except NumberTooLong:
        return False


def write_flow(value: Any) -> str:
    """A value in one line: `{type: Adam, lr: 1e-3}`."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{write_key(key)}: {write_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(write_flow(item) for item in value) + "]"
    return write_scalar(value)


def write_key(key: str) -> str:
    """A key, quoted where it needs to be."""
    return _write_text(key, "")


def write_block(value: Any, indent: int, newline: str = "\n", *, top: bool = False) -> str:
    """A value for the place behind `key:` or `-` : " text" on the same line, or lines of their own, indented.

    Mappings stand on lines of their own where `top` asks for it or where one line would be too long.
    """
    if not isinstance(value, dict | list | tuple) or not value:
        return " " + write_flow(value)
    plain = top and isinstance(value, dict) and "type" not in value
    flow = write_flow(value)
    nested = isinstance(value, list | tuple) and any(isinstance(item, dict | list | tuple) for item in value)
    if not plain and not nested and len(flow) + indent + 12 <= WIDTH:
        return " " + flow
    pad = newline + " " * indent
    if isinstance(value, dict):
        return "".join(f"{pad}{write_key(key)}:{write_block(item, indent + 2, newline)}" for key, item in value.items())
    return "".join(f"{pad}-{write_item(item, indent, newline)}" for item in value)


def write_item(value: Any, indent: int, newline: str = "\n") -> str:
    """A list item for the place behind a dash that stands in column `indent` (from 0)."""
    text = write_block(value, indent + 2, newline)
    if text.startswith(newline):
        return " " + text[len(newline) + indent + 2 :]
    return text
