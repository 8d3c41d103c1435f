"""What the dense executor covers: chains of Linear, activations and Dropout. Nothing here imports torch.

Everything else is refused in words; nothing is ever approximated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from engine.parts.layer import Layer
from engine.parts.stack import trace

if TYPE_CHECKING:
    from engine.data.facts import Facts
    from engine.recipe.schema import Recipe

ACTIVATIONS = ("ReLU", "LeakyReLU", "GELU", "SiLU", "Tanh", "Sigmoid")
LOSSES = ("CrossEntropyLoss", "BCEWithLogitsLoss", "MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss")
OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad")
OWN_OPTIMIZER = {
    "SGD": ("lr", "momentum", "dampening", "weight_decay"),
    "Adam": ("lr", "betas", "eps", "weight_decay"),
    "AdamW": ("lr", "betas", "eps", "weight_decay"),
    "RMSprop": ("lr", "alpha", "eps", "momentum", "weight_decay"),
    "Adagrad": ("lr", "lr_decay", "eps", "weight_decay"),
}
"""What each model of a stack may have for itself."""


@dataclass(frozen=True)
class Node:
    """One layer of the chain."""

    name: str
    """What the layer is called among the network's children."""
    kind: str
    layer: Layer
    inputs: int
    outputs: int


def refuses(recipe: Recipe, facts: Facts, device: Any, precision: str) -> str | None:
    """Why the dense executor does not cover a resolved recipe, in words that follow "since"; None where it does."""
    if getattr(device, "type", device) != "cpu":
        return "it works on the CPU"
    if precision != "fp32":
        return f"it computes in fp32, and the precision is {precision}"
    return _layers(recipe, facts) or _training(recipe) or _torch()


def _layers(recipe: Recipe, facts: Facts) -> str | None:
    linear = False
    for row in trace(recipe.model.layers, facts.shape, facts.outputs):
        where = f"{row.type} (layer {row.name or row.path.rpartition('.')[2]})"
        if row.input is None or row.output is None:
            return f"{where} does not fit what reaches it"
        if row.type == "Flatten":
            if len(row.output) != 1:
                return f"{where} leaves more than one axis"
        elif row.type == "Linear":
            if len(row.input) != 1:
                return f"{where} works along one of several axes"
            linear = True
        elif row.type not in (*ACTIVATIONS, "Dropout"):
            return f"it has no {where}"
        elif not linear and len(row.input) != 1:
            return f"{where} stands in front of Flatten"
        elif type(row.layer).__module__.partition(".")[0] != "engine":
            return f"{where} is a part of your own"
    return None if linear else "there is no Linear layer"


def _training(recipe: Recipe) -> str | None:
    loss, optimizer = recipe.loss, recipe.optimizer
    if loss is None or loss.type_name() not in LOSSES:
        return f"it has no {loss.type_name() if loss else 'loss'}"
    if optimizer.type_name() not in OPTIMIZERS:
        return f"it has no {optimizer.type_name()}"
    for part in recipe.data.augment:
        if part.type_name() == "Mixup":
            return "it does not mix targets, as Mixup does"
    return None


def _torch() -> str | None:
    from engine.train.executors.dense import private

    missing = private.missing()
    return f"this torch has no {missing[0]}" if missing else None


def chain(recipe: Recipe, facts: Facts) -> list[Node]:
    """The layers of a covered recipe, Flatten left out: samples are rows from the start."""
    nodes = []
    for index, row in enumerate(trace(recipe.model.layers, facts.shape, facts.outputs)):
        assert row.input is not None and row.output is not None
        if row.type != "Flatten":
            name = row.layer.name or str(index)
            nodes.append(Node(name, row.type, row.layer, prod(row.input), prod(row.output)))
    return nodes


def same_stack(a: Recipe, b: Recipe) -> bool:
    """Whether two recipes can be trained together: the same data, order, batches, layers, loss and optimizer.

    They may differ in the optimizer's numbers, in dropout's p, in the clipping of gradients, in schedules, and in what
    the arithmetic of a step does not know: name, metrics, epochs, early stopping, findings. The seed decides on the
    order of the rows as well as on the weights, so it is the same for all.
    """
    return _shared(a) == _shared(b)


def _shared(recipe: Recipe) -> dict[str, Any]:
    """What models of one stack have in common."""
    optimizer = recipe.optimizer.type_name()
    own = OWN_OPTIMIZER.get(optimizer, ())
    settings = {name: value for name, value in recipe.optimizer.arguments().items() if name not in own}
    if optimizer == "SGD":
        settings["nesterov"] = getattr(recipe.optimizer, "nesterov", False)
    return {
        "task": recipe.task,
        "seed": recipe.seed,
        "data": recipe.data.model_dump(mode="json", serialize_as_any=True),
        "data_types": [type(part).__name__ for part in (recipe.data.source, *recipe.data.augment)],
        "layers": list(_layer_settings(recipe.model.layers)),
        "init": _typed(recipe.model.init),
        "loss": _typed(recipe.loss),
        "optimizer": (optimizer, settings),
        "train": (recipe.train.device, recipe.train.precision, recipe.train.executor, recipe.train.threads),
        "clip": (recipe.train.clip_grad_norm is None, recipe.train.clip_grad_value is None),
    }


def _layer_settings(layers: list[Layer]) -> Iterator[Any]:
    for layer in layers:
        settings = {name: value for name, value in layer.arguments().items() if name not in ("name", "init")}
        if layer.type_name() == "Dropout":
            settings.pop("p", None)
        yield layer.type_name(), repr(settings), _typed(getattr(layer, "init", None))


def _typed(part: Any) -> Any:
    return None if part is None else (part.type_name(), part.arguments())
