"""Which settings of a recipe can be searched, and between which bounds it is usual to look. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.parts.part import FieldInfo, find
from engine.recipe.paths import child
from engine.recipe.schema import Data, Train
from tui.forms.fields import fields_of
from tui.forms.values import show

SECTIONS: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
    ("data", Data, ("batch_size", "normalize")),
    ("train", Train, ("epochs", "clip_grad_norm", "clip_grad_value")),
)
"""Settings of sections that a search may sensibly vary."""
FAMILIES = ("optimizer", "scheduler", "loss")
_USUAL = {"momentum": [0.85, 0.99], "p": [0.0, 0.6], "label_smoothing": [0.0, 0.2], "weight_decay": [1e-6, 1e-2]}
"""Usual ranges of settings whose bounds say too little."""


@dataclass(frozen=True)
class Setting:
    """One setting that may be searched."""

    path: str
    value: Any
    """What the recipe says, or the default."""
    entry: dict[str, Any]
    """A usual range for it."""


def settings(data: Any) -> list[Setting]:
    """The settings of a recipe (as plain data) in its order: optimizer, layers, batches, schedule, loss."""
    recipe = data if isinstance(data, dict) else {}
    found: list[Setting] = []
    for family in FAMILIES[:1]:
        found += _part(family, family, recipe.get(family))
    model = recipe.get("model")
    found += _layers(model.get("layers") if isinstance(model, dict) else None, "model.layers", last=True)
    for section, schema, names in SECTIONS:
        written = recipe.get(section)
        given = written if isinstance(written, dict) else {}
        for info in fields_of(schema):
            if info.name in names:
                found += _setting(child(section, info.name), info, given.get(info.name, info.default))
    for family in FAMILIES[1:]:
        found += _part(family, family, recipe.get(family))
    return found


def _layers(layers: Any, path: str, last: bool) -> list[Setting]:
    found: list[Setting] = []
    for at, layer in enumerate(layers if isinstance(layers, list) else []):
        # The last layer's width is the task's.
        final = last and at == len(layers) - 1
        name = layer.get("name") if isinstance(layer, dict) else None
        here = child(path, name if isinstance(name, str) and name else at)
        found += [setting for setting in _part("layer", here, layer) if not (final and "features" in setting.path)]
        if isinstance(layer, dict):
            found += _layers(layer.get("layers"), child(here, "layers"), last=False)
    return found


def _part(family: str, path: str, value: Any) -> list[Setting]:
    given = value if isinstance(value, dict) else {"type": value}
    cls = find(family, str(given.get("type")))
    # A part that is written as a bare word has no fields that an edit could set.
    if cls is None or not isinstance(value, dict):
        return []
    return [
        setting
        for info in fields_of(cls)
        for setting in _setting(child(path, info.name), info, given.get(info.name, info.default))
    ]


def _setting(path: str, info: FieldInfo, value: Any) -> list[Setting]:
    entry = usual(info, value)
    return [] if entry is None else [Setting(path, value, entry)]


def usual(info: FieldInfo, value: Any) -> dict[str, Any] | None:
    """A usual range for a field that has `value` now; None where none suggests itself."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if info.kind == "boolean":
        return {"choice": [False, True]}
    if info.kind == "choice" and len(info.choices) > 1:
        return {"choice": list(info.choices)}
    if info.kind == "integer":
        return None if not plain else _whole(info, int(value))
    if info.kind != "number":
        return None
    low, high = _bounds(info)
    if info.name in _USUAL:
        low, high = _USUAL[info.name]
        return {"log_uniform" if low > 0 and high / low >= 1000 else "uniform": _round((low, high))}
    if not plain or not math.isfinite(value):
        return {"uniform": [0.1, 10.0]} if info.gt == 0 and info.nullable else None
    if info.log and value > 0:
        around = max(low, value / 10), min(high, value * 10)
        return {"log_uniform": _round(around)} if 0 < around[0] < around[1] else None
    if math.isfinite(low) and math.isfinite(high):
        return {"uniform": _round((low, high))}
    span = abs(value) or 1.0
    bounds = max(low, value - span / 2), min(high, value + span / 2)
    return {"uniform": _round(bounds)} if bounds[0] < bounds[1] else None


def _whole(info: FieldInfo, value: int) -> dict[str, Any] | None:
    low = info.ge if info.ge is not None else math.floor(info.gt) + 1 if info.gt is not None else -1e9
    high = info.le if info.le is not None else math.ceil(info.lt) - 1 if info.lt is not None else 1e9
    if info.log or (value >= 16 and value & (value - 1) == 0):
        # Sizes go by powers of two: the ones around the present.
        steps = [value // 4, value // 2, value, value * 2, value * 4]
        steps = [step for step in dict.fromkeys(steps) if low <= step <= high and step >= 1]
        return {"choice": steps} if len(steps) > 1 else None
    bounds = int(max(low, value // 2)), int(min(high, max(value * 2, value + 1)))
    return {"int": list(bounds)} if bounds[0] < bounds[1] else None


def _bounds(info: FieldInfo) -> tuple[float, float]:
    """Bounds that a value may have, open ends a little inside."""
    low = info.ge if info.ge is not None else info.gt if info.gt is not None else -math.inf
    high = info.le if info.le is not None else info.lt if info.lt is not None else math.inf
    if info.lt is not None and info.le is None and math.isfinite(high):
        high -= 0.01 * abs(high) or 0.01
    if info.gt is not None and info.ge is None and math.isfinite(low) and math.isfinite(high):
        low += 0.01 * (high - low)
    return low, high


def _round(bounds: Sequence[float]) -> list[float]:
    return [float(f"{bound:.3g}") for bound in bounds]


def entry_words(entry: Any) -> str:
    """A range in few cells: `1e-4 … 1e-2 log`, `32, 64, 128`."""
    if not isinstance(entry, dict) or len(entry) != 1:
        return show(entry)
    ((kind, bounds),) = entry.items()
    if kind == "choice" and isinstance(bounds, list):
        return ", ".join(
            str(value.get("type", show(value))) if isinstance(value, dict) else show(value) for value in bounds
        )
    if isinstance(bounds, list) and len(bounds) == 2:
        log = kind == "log_uniform"
        words = {"log_uniform": " log", "int": " whole"}.get(str(kind), "")
        return f"{show(bounds[0], log)} … {show(bounds[1], log)}{words}"
    return f"{kind} {show(bounds)}"
