"""A stack of layers: shapes and parameters row by row, without building anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.parts.layer import Layer
from engine.parts.part import Shape, ShapeError


@dataclass(frozen=True)
class Row:
    """One layer in its place."""

    path: str
    """Edit path, by index: `model.layers.3`, in a block `model.layers.3.layers.0`."""
    layer: Layer
    type: str
    name: str | None
    input: Shape | None
    """Shape of one sample as it reaches the layer; None behind a layer that cannot work."""
    output: Shape | None
    parameters: int
    error: ShapeError | None = None
    rows: tuple[Row, ...] = ()
    """The layers that the layer holds."""


def width(value: Any, outputs: int | None) -> Any:
    """`outputs` as the width that the task needs; any other value as it is."""
    return outputs if value == "outputs" and outputs is not None else value


def bind(layer: Layer, outputs: int | None) -> Layer:
    """The layer with a number for every `outputs`, also in the layers that it holds."""
    changed: dict[str, Any] = {}
    for name in type(layer).model_fields:
        value = getattr(layer, name)
        if value == "outputs" and outputs is not None and name != "name":
            changed[name] = outputs
        elif isinstance(value, list) and value and all(isinstance(item, Layer) for item in value):
            changed[name] = [bind(item, outputs) for item in value]
    return layer.model_copy(update=changed) if changed else layer


def trace(layers: Sequence[Layer], shape: Shape | None, outputs: int | None, path: str = "model.layers") -> list[Row]:
    """Follow samples of `shape` through the layers. A layer that cannot take what reaches it has an `error`; rows
    behind it have no shapes."""
    rows: list[Row] = []
    for index, layer in enumerate(layers):
        row = _row(bind(layer, outputs), shape, outputs, f"{path}.{index}")
        rows.append(row)
        shape = row.output
    return rows


def _row(layer: Layer, shape: Shape | None, outputs: int | None, path: str) -> Row:
    inner = getattr(layer, "layers", None)
    rows = tuple(trace(inner, shape, outputs, f"{path}.layers")) if isinstance(inner, list) else ()
    error: ShapeError | None = None
    result: Shape | None = None
    parameters = 0
    if shape is not None:
        try:
            result = layer.output(shape)
            parameters = layer.parameters(shape)
        except ShapeError as problem:
            error = problem
    return Row(path, layer, layer.type_name(), layer.name, shape, result, parameters, error, rows)
