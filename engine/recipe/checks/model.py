"""The network: shapes that fit, an output that fits the task, and the classic slips between layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import prod

from engine.parts.layer import Layer, WeightLayer
from engine.parts.part import Shape
from engine.parts.stack import Row
from engine.recipe.checks.subject import Subject
from engine.recipe.edits import Edit

ACTIVATIONS = ("ReLU", "LeakyReLU", "GELU", "SiLU", "Tanh", "Sigmoid", "Softmax")
DROPOUTS = ("Dropout", "Dropout2d")
BATCH_NORMS = ("BatchNorm1d", "BatchNorm2d")
LINEAR = (*DROPOUTS, *BATCH_NORMS, "Flatten", "AvgPool2d", "AdaptiveAvgPool2d")
"""Layers that bend nothing."""
MOST_PARAMETERS = 5_000_000_000
MOST_VALUES = 100_000_000
"""Values of one sample anywhere in the network."""


def nothing_to_train(subject: Subject) -> None:
    """A model without layers, or without weights."""
    layers = subject.recipe.model.layers
    if not layers:
        first = Edit("insert", "model.layers.0", {"type": "Linear", "out_features": "outputs"})
        subject.error("model.layers", "the model has no layers", "begin with Linear to `outputs`", (first,))
    elif subject.rows and all(row.output for row in subject.rows) and not sum(r.parameters for r in subject.rows):
        subject.error("model.layers", "the model has no weights: there is nothing to train", "add a Linear layer")


def too_large(subject: Subject) -> None:
    """Layers that no machine can hold."""
    for row in every_row(subject.rows):
        if row.parameters > MOST_PARAMETERS or (row.output and prod(row.output) > MOST_VALUES):
            size = f"{row.parameters:,} weights" if row.parameters > MOST_PARAMETERS else f"output of {row.output}"
            subject.error(row.path, f"{row.type} is too large: {size}", "make it narrower")
            return
    if not subject.rows or subject.rows[0].input is None:
        for path, layer in every_layer(subject.recipe.model.layers):
            width = getattr(layer, "out_features", getattr(layer, "out_channels", 0))
            if isinstance(width, int) and width > MOST_VALUES:
                subject.error(path, f"{layer.type_name()} is too large: {width:,} outputs", "make it narrower")


def shapes(subject: Subject) -> None:
    """The first layer that cannot take what reaches it, and the way out if there is one."""
    for row in _failing(subject.rows):
        error = row.error
        assert error is not None
        fixes: list[tuple[Edit, ...]] = []
        if row.input and len(row.input) > 1 and "Flatten" in error.hint:
            fixes.append((Edit("insert", row.path, "Flatten"),))
        if "shortcut: projection" in error.hint:
            fixes.append((Edit("set", f"{row.path}.shortcut", "projection"),))
        side = _square(row.input[0]) if row.input and len(row.input) == 1 else 0
        if side and "data.reshape" in error.hint and row.path == "model.layers.0":
            fixes.append((Edit("set", "data.reshape", [1, side, side]),))
        subject.error(row.path, error.message, error.hint, *fixes)


def _failing(rows: list[Row] | tuple[Row, ...]) -> Iterator[Row]:
    for row in rows:
        inner = list(_failing(row.rows))
        if inner:
            yield from inner
        elif row.error and "`outputs`" not in row.error.hint:
            # The task's width alone is missing where no data was read: nobody's mistake.
            yield row


def _square(size: int) -> int:
    """The side of a square of `size` pixels, or 0."""
    side = round(size**0.5)
    return side if side > 1 and side * side == size else 0


def every_row(rows: list[Row] | tuple[Row, ...]) -> Iterator[Row]:
    """Rows and the rows inside them."""
    for row in rows:
        yield row
        yield from every_row(row.rows)


def every_layer(layers: list[Layer], path: str = "model.layers") -> Iterator[tuple[str, Layer]]:
    """Layers and the layers inside them, with their paths."""
    for index, layer in enumerate(layers):
        here = f"{path}.{index}"
        yield here, layer
        inner = getattr(layer, "layers", None)
        if isinstance(inner, list):
            yield from every_layer(inner, f"{here}.layers")


def output_fits(subject: Subject) -> None:
    """The last layer gives as many numbers as the task needs."""
    outputs = subject.outputs
    shape = subject.rows[-1].output if subject.rows else None
    if shape is None:
        return
    last = subject.rows[-1]
    if len(shape) != 1:
        place = _flatten_in_front_of(subject.rows)
        fix = (Edit("insert", place, "Flatten"),)
        message = f"the network gives {_words(shape)} for each sample, but the loss needs one row of numbers"
        subject.error(place if place != last.path else last.path, message, "put Flatten in front of Linear", fix)
    elif outputs is not None and shape[0] != outputs:
        row, field = _width_of(subject.rows)
        what = {
            "classification": "one for each class",
            "binary": "one: the second class's",
            "multilabel": "one for each label",
            "regression": "one for each target column",
        }.get(subject.task or "", "the task's width")
        numbers = "number" if shape[0] == 1 else "numbers"
        message = f"the network gives {shape[0]} {numbers}, but the task needs {outputs} ({what})"
        fixes = [(Edit("set", f"{row.path}.{field}", "outputs"),)] if row else []
        subject.error(f"{row.path}.{field}" if row else last.path, message, "write `outputs` for the width", *fixes)


def _words(shape: Shape) -> str:
    return " x ".join(map(str, shape)) + " numbers"


def _flatten_in_front_of(rows: list[Row]) -> str:
    """Where a Flatten is missing: in front of the first Linear that is given images, else at the end."""
    for row in rows:
        if row.type == "Linear" and row.input and len(row.input) > 1:
            return row.path
    head, _, index = rows[-1].path.rpartition(".")
    return f"{head}.{int(index) + 1}"


def _width_of(rows: list[Row]) -> tuple[Row | None, str]:
    """The last row whose width can be chosen, and the field that chooses it."""
    for row in reversed(rows):
        for name in ("out_features", "out_channels"):
            if hasattr(row.layer, name):
                return row, name
        if row.rows:
            return None, ""
    return None, ""


def linear_on_images(subject: Subject) -> None:
    """Linear where an image arrives: it sees the last axis alone."""
    if subject.rows and subject.rows[-1].output and len(subject.rows[-1].output) == 1:
        for row in every_row(subject.rows):
            if row.type == "Linear" and row.input and len(row.input) > 1:
                message = f"Linear is given {_words(row.input)} and sees the last axis alone"
                subject.warn(row.path, message, "put Flatten in front", (Edit("insert", row.path, "Flatten"),))


def batch_norm(subject: Subject) -> None:
    """BatchNorm that will meet a single value per channel: it has no variance, and PyTorch refuses it."""
    data = subject.recipe.data
    rows = subject.train_rows
    for row in every_row(subject.rows):
        if row.type not in BATCH_NORMS:
            continue
        pixels = prod(row.input[1:]) if row.input else None
        if pixels is not None and pixels > 1:
            continue
        larger = (Edit("set", "data.batch_size", 2 if rows is None else _batch_size(rows, data.batch_size)),)
        where = "with a batch of one row" if pixels else "with a batch of one row, unless its input is an image"
        if data.batch_size == 1:
            report = subject.error if pixels else subject.warn
            report(row.path, f"{row.type} meets a single value per channel {where}", "use a larger batch_size", larger)
        elif pixels and rows and not data.drop_last and rows % data.batch_size == 1:
            message = (
                f"{row.type} will meet a single value per channel: {rows} training rows in batches of "
                f"{data.batch_size} leave a last batch of one row"
            )
            drop = (Edit("set", "data.drop_last", True),)
            fixes = (drop, larger) if rows > data.batch_size else (larger,)
            subject.error(row.path, message, "set drop_last: true, or another batch_size", *fixes)


def _batch_size(rows: int, size: int) -> int:
    """The nearest larger batch size that leaves no single row over."""
    candidate = max(size, 1) + 1
    while rows % candidate == 1 and candidate <= rows:
        candidate += 1
    return candidate


def activation_on_output(subject: Subject) -> None:
    """Softmax, Sigmoid or another activation behind the last layer with weights."""
    loss, task = subject.loss_name, subject.task
    for path, layer in _tail(subject.recipe.model.layers):
        name = layer.type_name()
        if name not in ACTIVATIONS:
            continue
        remove = (Edit("unset", path),)
        if loss == "CrossEntropyLoss" and name == "Softmax":
            why = "CrossEntropyLoss applies Softmax itself: twice flattens the gradients"
        elif loss == "BCEWithLogitsLoss" and name == "Sigmoid":
            why = "BCEWithLogitsLoss applies Sigmoid itself: twice flattens the gradients"
        elif loss == "BCEWithLogitsLoss" and name == "Softmax":
            why = "BCEWithLogitsLoss wants plain numbers, and Softmax over one number is always 1"
        elif task == "regression":
            why = f"{name} on the output of a regression keeps predictions in its own range"
        elif loss in ("CrossEntropyLoss", "BCEWithLogitsLoss"):
            why = f"{loss} wants plain numbers: {name} on the output cuts off part of their range"
        else:
            continue
        subject.warn(path, why, f"remove {name}", remove)


def dropout_on_output(subject: Subject) -> None:
    """Dropout behind the last layer with weights: it erases predictions."""
    for path, layer in _tail(subject.recipe.model.layers):
        if layer.type_name() in DROPOUTS:
            message = f"{layer.type_name()} on the output erases predictions at random"
            subject.warn(path, message, "remove it, or put it in front of the last layer", (Edit("unset", path),))


def _tail(layers: list[Layer]) -> Iterator[tuple[str, Layer]]:
    """The layers behind the last one with weights; none where there is no such layer."""
    found: list[tuple[str, Layer]] = []
    for index in reversed(range(len(layers))):
        layer = layers[index]
        if isinstance(layer, WeightLayer) or hasattr(layer, "layers"):
            return reversed(found)
        found.append((f"model.layers.{index}", layer))
    return iter(())


def nothing_between(subject: Subject) -> None:
    """Two layers with weights and nothing nonlinear between them: together they are one."""
    _nothing_between(subject, subject.recipe.model.layers, "model.layers")


def _nothing_between(subject: Subject, layers: list[Layer], path: str) -> None:
    before: Layer | None = None
    for index, layer in enumerate(layers):
        here = f"{path}.{index}"
        inner = getattr(layer, "layers", None)
        if isinstance(inner, list):
            _nothing_between(subject, inner, f"{here}.layers")
        if isinstance(layer, WeightLayer):
            if before is not None:
                names = f"{before.type_name()} and {layer.type_name()}"
                message = f"nothing bends between {names}: together they can do no more than one of them"
                subject.warn(here, message, "put an activation between them", (Edit("insert", here, "ReLU"),))
            before = layer
        elif layer.type_name() not in LINEAR:
            before = None


def neighbours(subject: Subject) -> None:
    """Pairs of neighbours of which one is in vain or in the wrong order."""
    layers = list(every_layer(subject.recipe.model.layers))
    for (path, layer), (next_path, following) in pairwise(layers):
        if path.rpartition(".")[0] != next_path.rpartition(".")[0]:
            continue
        name, then = layer.type_name(), following.type_name()
        if name == then == "ReLU" or (name == then and name in (*BATCH_NORMS, "LayerNorm")):
            message = (
                f"a second {name} changes nothing" if name == "ReLU" else f"a second {name} changes next to nothing"
            )
            subject.warn(next_path, message, "remove it", (Edit("unset", next_path),))
        elif name in DROPOUTS and then in BATCH_NORMS:
            index = int(next_path.rpartition(".")[2])
            message = f"{then} behind {name} learns a variance that evaluation lacks"
            swap = (Edit("move", next_path, to=index - 1),)
            subject.warn(next_path, message, "put it in front of the dropout (arXiv:1801.05134)", swap)
    for path, layer in layers:
        inner = getattr(layer, "layers", None)
        if isinstance(inner, list) and not inner:
            subject.warn(f"{path}.layers", f"the {layer.type_name()} block is empty", "fill or remove it")


CHECKS: tuple[Callable[[Subject], None], ...] = (
    nothing_to_train,
    too_large,
    shapes,
    output_fits,
    linear_on_images,
    batch_norm,
    activation_on_output,
    dropout_on_output,
    nothing_between,
    neighbours,
)
