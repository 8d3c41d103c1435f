"""What a part starts with when a person picks it: a value for every field that has no default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.parts.part import FieldInfo, find
from tui.forms.fields import fields_of

_USUAL: dict[str, Any] = {
    "out_features": 64,
    "out_channels": 16,
    "kernel_size": 3,
    "output_size": 1,
    "step_size": 10,
    "milestones": [10, 20],
    "gamma": 0.9,
    "degrees": 10.0,
    "std": 0.1,
    "path": "data.csv",
    "target": "target",
    "features": "features.npy",
    "layers": [],
}


def starting_value(info: FieldInfo) -> Any:
    """A usual value for a required field, else the smallest that its bounds allow."""
    if info.name in _USUAL:
        return _USUAL[info.name]
    if info.choices:
        return info.choices[0]
    if info.kind == "integer":
        return int(max(1, info.ge or 0))
    if info.kind == "number":
        return max(info.ge if info.ge is not None else 0.1, info.gt + 0.1 if info.gt is not None else 0.1)
    return {"boolean": True, "text": "", "list": [], "layers": [], "mapping": {}}.get(info.kind)


def starting_part(family: str, name: str) -> Any:
    """A part as a recipe writes it: the bare word where nothing needs to be said, else a mapping."""
    cls = find(family, name)
    if cls is None:
        return name
    fields = {info.name: starting_value(info) for info in fields_of(cls) if info.required}
    if family == "layer" and name == "Residual":
        fields["layers"] = ["ReLU"]
    return {"type": name, **fields} if fields else name


def starting_section(fields: Sequence[FieldInfo]) -> dict[str, Any]:
    """A section as a recipe writes it when it is switched on: what it needs, else its first field with its default."""
    found = {info.name: starting_value(info) for info in fields if info.required}
    return found or {info.name: info.default for info in fields[:2]}
