"""Between what a person types and the value of a field: read, shown, stepped. Pure."""

from __future__ import annotations

import math
from typing import Any

from engine.errors import UserError
from engine.parts.part import FieldInfo
from engine.recipe.edits import MISSING
from engine.recipe.reader import parse_value
from engine.recipe.scalars import write_flow, write_scalar

_LADDER = (1.0, 2.0, 5.0)


def show(value: Any, log: bool = False) -> str:
    """A value as a recipe writes it, in one line; nothing for a value that is missing. `log`: small as 1e-3."""
    if value is MISSING:
        return ""
    if log and isinstance(value, float) and 0 < abs(value) < 0.1:
        return write_scalar(value, "e")
    try:
        return write_flow(value)
    except TypeError:
        return str(value)


def default_words(info: FieldInfo) -> str:
    """What a form shows, dimmed, where the recipe leaves the field out."""
    if info.required:
        return "needed"
    if info.default is None:
        return "not set"
    if info.kind in ("mapping", "list") and not info.default:
        return "none"
    dump = getattr(info.default, "model_dump", None)
    return show(dump()) if dump is not None else show(info.default, info.log)


def parse(info: FieldInfo, text: str) -> Any:
    """The value that `text` means for a field. Raises UserError saying what is wrong with it."""
    text = text.strip()
    if info.kind == "text" and not info.choices:
        return _text(info, text)
    if text in ("", "null", "none") and info.nullable:
        return None
    value = parse_value(text)
    if value in info.choices and not isinstance(value, bool):
        return value
    if info.kind in ("number", "integer"):
        return _number(info, value)
    if info.kind == "boolean":
        if not isinstance(value, bool):
            raise UserError(f"{text} is neither true nor false")
        return value
    if info.kind == "choice":
        if isinstance(value, dict) and info.fields:
            return value
        raise UserError(f"{text} is not one of {', '.join(map(str, info.choices))}")
    if info.kind in ("list", "layers"):
        if isinstance(value, list):
            return value
        if isinstance(value, dict):
            raise UserError("this is a list", "put it in [ ]")
        return [value]
    if info.kind == "mapping":
        if not isinstance(value, dict):
            raise UserError("this is a mapping", "like {name: value}")
        return value
    return value


def _text(info: FieldInfo, text: str) -> Any:
    if text in ("", "null") and info.nullable:
        return None
    if text[:1] in "\"'[{":
        value = parse_value(text)
        return value if isinstance(value, list | dict) else str(value)
    return text


def _number(info: FieldInfo, value: Any) -> Any:
    kind = "a whole number" if info.kind == "integer" else "a number"
    words = f" or {', '.join(map(str, info.choices))}" if info.choices else ""
    if isinstance(value, list | dict):
        return value  # One value a side, or a file in place of a share: the recipe's own check decides.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"this must be {kind}{words}")
    if info.kind == "integer" and isinstance(value, float):
        if not value.is_integer():
            raise UserError(f"this must be {kind}{words}")
        value = int(value)
    if math.isnan(value):
        raise UserError(f"this must be {kind}{words}")
    if said := out_of_bounds(info, value):
        raise UserError(said)
    return value


def out_of_bounds(info: FieldInfo, value: float) -> str:
    """Why a number is out of a field's bounds, or ""."""
    if info.ge is not None and value < info.ge:
        return f"must be at least {info.ge:g}"
    if info.gt is not None and value <= info.gt:
        return f"must be above {info.gt:g}"
    if info.le is not None and value > info.le:
        return f"must be at most {info.le:g}"
    if info.lt is not None and value >= info.lt:
        return f"must be below {info.lt:g}"
    return ""


def bounds_words(info: FieldInfo) -> str:
    """The bounds of a number in a few signs: `0 to 1`, `> 0`."""
    low = f"≥ {info.ge:g}" if info.ge is not None else f"> {info.gt:g}" if info.gt is not None else ""
    high = f"≤ {info.le:g}" if info.le is not None else f"< {info.lt:g}" if info.lt is not None else ""
    return f"{low}, {high}" if low and high else low or high


def step(info: FieldInfo, value: Any, up: bool) -> Any:
    """The next value of a number: along 1, 2, 5 for fields on a log scale (integers double), else by a round step.

    Returns `value` itself where there is no next one.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return value
    if info.kind == "integer":
        found: float = (value * 2 if up else value // 2) if info.log and value > 0 else value + (1 if up else -1)
    elif info.log and value > 0:
        found = _along_ladder(value, up)
    else:
        size = _step_size(info, value)
        found = round((round(value / size) + (1 if up else -1)) * size, 12)
    return value if out_of_bounds(info, found) else found


def _along_ladder(value: float, up: bool) -> float:
    power = math.floor(math.log10(value))
    rungs = [float(f"{m:g}e{p}") for p in range(power - 1, power + 3) for m in _LADDER]
    if up:
        return next(r for r in rungs if r > value * (1 + 1e-9))
    return next(r for r in reversed(rungs) if r < value * (1 - 1e-9))


def _step_size(info: FieldInfo, value: float) -> float:
    top = info.le if info.le is not None else info.lt
    if top is not None and top <= 1:
        return 0.05 if 0.05 < abs(value) < 0.95 or value == 0 else 0.01
    return 10.0 ** (math.floor(math.log10(abs(value))) - 1) if abs(value) >= 1 else 0.1
