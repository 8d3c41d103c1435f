"""Hints that lead from what was written to what was probably meant, with the edits that put it right."""

from __future__ import annotations

import re
import typing
from functools import cache
from typing import Any

from pydantic import BaseModel

from engine.parts.part import FAMILIES, Part, find, names
from engine.recipe import reader
from engine.recipe.edits import MISSING, Edit
from engine.recipe.order import models
from engine.recipe.paths import child
from engine.recipe.reader import Entry, Node
from engine.recipe.scalars import NumberTooLong, plain_value
from engine.recipe.schema import Model, Recipe
from engine.recipe.words import allows_none, choices, listed, members, nearest, shown, suggestion

OTHER_NAMES = {
    "learning_rate": "lr",
    "units": "out_features",
    "out_dim": "out_features",
    "filters": "out_channels",
    "max_epochs": "epochs",
    "num_epochs": "epochs",
    "n_epochs": "epochs",
    "wd": "weight_decay",
    "rate": "p",
    "prob": "p",
    "sigma": "std",
    "criterion": "loss",
    "objective": "loss",
    "lr_scheduler": "scheduler",
    "batchsize": "batch_size",
    "bs": "batch_size",
    "random_state": "seed",
    "network": "model",
    "dataset": "data",
    "val": "validation",
    "valid": "validation",
    "val_split": "validation",
    "transforms": "augment",
    "augmentation": "augment",
    "gradient_clip_val": "clip_grad_norm",
    "grad_clip": "clip_grad_norm",
    "max_norm": "clip_grad_norm",
    "label": "target",
    "warmup_epochs": "warmup",
    "file": "path",
    "filename": "path",
}
"""Names that other tools have for a key."""
FROM_THE_LAYER_IN_FRONT = ("in_features", "in_channels", "num_features", "normalized_shape")
A_LAYER_OF_ITS_OWN = {"activation": "ReLU", "dropout": "Dropout", "batch_norm": "BatchNorm1d"}
"""What other tools take as a setting of a layer, and here is a layer."""
INSTEAD = {
    "BCELoss": ("BCEWithLogitsLoss", "it takes the network's plain outputs and is steadier: leave out the Sigmoid"),
    "NLLLoss": ("CrossEntropyLoss", "it takes the network's plain outputs: leave out the LogSoftmax"),
}
"""Losses that want an activation in front, and the steadier form that goodfit has in their place."""
OTHER_TYPES = {
    "Swish": "SiLU",
    "MSE": "MSELoss",
    "L2Loss": "MSELoss",
    "MAE": "L1Loss",
    "MAELoss": "L1Loss",
    "CrossEntropy": "CrossEntropyLoss",
    "BCE": "BCEWithLogitsLoss",
    "Dense": "Linear",
    "FullyConnected": "Linear",
    "Momentum": "SGD",
    "ROCAUC": "AUROC",
    "F1": "F1Score",
    "R2": "R2Score",
    "MaxPool": "MaxPool2d",
    "BatchNorm": "BatchNorm1d",
    "Conv": "Conv2d",
    "GlobalAveragePooling2D": "AdaptiveAvgPool2d",
    "CosineAnnealing": "CosineAnnealingLR",
}


OTHER_WORDS = {
    "zscore": "standard",
    "multiclass": "classification",
    "categorical": "category",
    "string": "category",
    "text": "category",
    "numeric": "number",
    "float": "number",
    "int": "number",
}
"""Words that other tools have for a choice."""


def unknown_type(family: str, name: str, path: str, node: Node) -> tuple[str, str, list[Edit]]:
    """Message, hint and fix for a word that is no type of this family."""
    known = names(family)
    place = path if node.kind == "scalar" else child(path, "type")
    if name in INSTEAD and INSTEAD[name][0] in known:
        other, why = INSTEAD[name]
        return f"{name} is not offered: use {other}", why, [Edit("set", place, other, expect=name)]
    elsewhere = next((other for other in FAMILIES if other != family and find(other, name)), None)
    if elsewhere:
        return f"{shown(name)[1:-1]} is a type of {elsewhere}, not of {family}", f"types: {listed(known)}", []
    alias = OTHER_TYPES.get(name)
    close = alias if alias in known else nearest(name, known)
    hint = f"did you mean {close}?" if close else f"types: {listed(known)}"
    fixes = [Edit("set", place, close, expect=name)] if close else []
    return f"there is no {family} {shown(name)}", hint, fixes


def unknown_key(entry: Entry, path: str, known: list[str], present: list[str]) -> tuple[str, list[Edit]]:
    """Hint and fix for a key that its section or part does not have: the nearest key here, or its right place."""
    key = entry.key
    if key in FROM_THE_LAYER_IN_FRONT:
        return "it follows from the layer in front: leave it out", [Edit("unset", child(path, key))]
    if key in A_LAYER_OF_ITS_OWN and "name" in known and path.startswith("model.layers."):
        return f"it is a layer of its own: put {A_LAYER_OF_ITS_OWN[key]} behind this one", []
    if key in ("train", "training") and path == "data.split":
        return "training takes the rows that are left: leave it out", [Edit("unset", child(path, key))]
    other = OTHER_NAMES.get(key, key)
    close = other if other in known else None
    home = None if close else homes().get(other)
    home = None if home == child(path, key) else home
    if not close and not home:
        close = nearest(key, known)
    if close:
        if close in present:
            return f"did you mean {close}? It is here already", []
        value = reader.data(entry.value)
        rename = [Edit("unset", child(path, key)), Edit("set", child(path, close), value)]
        return f"did you mean {close}?", rename
    if home:
        value = reader.data(entry.value)
        return f"it belongs to {home.rpartition('.')[0] or 'the top level'}: {home}", [
            Edit("unset", child(path, key)),
            Edit("set", home, value, expect=MISSING),
        ]
    return suggestion(key, known, "keys"), []


@cache
def homes() -> dict[str, str]:
    """Where each key of the language belongs, for keys that have one place only."""
    found: dict[str, list[str]] = {}

    def walk(cls: type[BaseModel], path: str) -> None:
        for name, field in cls.model_fields.items():
            here = child(path, name)
            found.setdefault(name, []).append(here)
            for model in models(field.annotation):
                if not issubclass(model, Part):
                    walk(model, here)

    walk(Recipe, "")
    for name in ("lr", "weight_decay", "momentum"):
        found[name] = [f"optimizer.{name}"]
    for name in ("path", "target", "features"):
        found[name] = [f"data.source.{name}"]
    found["layers"] = ["model.layers"]
    found["seed"] = ["seed"]
    return {name: places[0] for name, places in found.items() if len(places) == 1}


def together(path: str, value: Any) -> tuple[Any, ...]:
    """Hint and fix for settings of a part that contradict each other, where there is a usual way out."""
    if not isinstance(value, dict):
        return ()
    if value.get("nesterov") is True:
        fixes = [Edit("set", child(path, "momentum"), 0.9)] if not value.get("momentum") else []
        if value.get("dampening"):
            fixes.append(Edit("unset", child(path, "dampening")))
        return "momentum: 0.9 is usual", *fixes
    if value.get("type") == "OneCycleLR" and "warmup" in value:
        return "remove warmup", Edit("unset", child(path, "warmup"))
    return ()


_YES_NO = {"yes": True, "on": True, "y": True, "no": False, "off": False, "n": False}


def meant(node: Node, annotation: Any) -> tuple[str, Any]:
    """A hint for a value of the wrong kind, and the value that was probably meant, or MISSING."""
    value = reader.data(node)
    kinds = members(annotation)
    words = [word for word in choices(annotation) if isinstance(word, str)]
    if value is None:
        return "give it a value, or remove the key", MISSING
    if isinstance(value, str):
        text = value.strip()
        if bool in kinds and text.lower() in _YES_NO:
            return f"write {'true' if _YES_NO[text.lower()] else 'false'}", _YES_NO[text.lower()]
        if text.lower() in ("none", "nil", "nothing") and allows_none(annotation) and "none" not in words:
            return "write null", None
        number = _number(text, kinds)
        if number is not None:
            return ("write it without quotes" if node.style else f"write {number}"), number
        if bool in kinds and node.style and text in ("true", "false"):
            return "write it without quotes", text == "true"
        if words:
            alias = OTHER_WORDS.get(text.lower())
            close = alias if alias in words else nearest(text, words)
            return (f"did you mean {close}?", close) if close else ("", MISSING)
    if isinstance(value, float) and int in kinds and value == int(value):
        return f"write {int(value)}", int(value)
    if isinstance(value, bool | int | float) and str in kinds and node.text:
        return f'put it in quotes: "{node.text}"', node.text
    if any(typing.get_origin(kind) is list for kind in kinds) and node.kind == "scalar":
        return f"write [{node.text}]", [value]
    if kinds == [Model] and isinstance(value, list):
        return "put the list under layers", {"layers": value}
    sections = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return (f"its keys: {listed(sections[0].model_fields)}" if sections else ""), MISSING


def _number(text: str, kinds: list[Any]) -> Any:
    """The number that a text means: quoted, with separators, or as a percentage."""
    if float not in kinds and int not in kinds:
        return None
    percent = re.fullmatch(r"([0-9.]+) ?%", text)
    try:
        number = plain_value(percent.group(1)) if percent else plain_value(re.sub(r"(?<=\d)[_, ](?=\d{3})", "", text))
    except (NumberTooLong, IndexError):
        return None
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    if percent:
        return round(number / 100, 10) if float in kinds else None
    if isinstance(number, float) and float not in kinds:
        return int(number) if number == int(number) else None
    return number
