"""Resolving, plain data, differences, changed types, and the schema for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.data.facts import Facts
from engine.parts import catalog
from engine.parts.part import every_part
from engine.recipe.diff import diff, edits_between
from engine.recipe.document import Document, load
from engine.recipe.edits import EditRefused
from engine.recipe.json_schema import recipe_schema
from engine.recipe.reader import data, read
from engine.recipe.resolve import dump, recipe_of, resolve, to_data, usual_loss, usual_metrics
from engine.recipe.retype import change_type
from engine.recipe.splice import apply_edits
from engine.recipe.validate import validate

TEXT = """\
data:
  source: {type: CSV, path: a.csv, target: [y, z], features: [a b, "c: d", 'yes', "1e3"]}
  columns: {"x.y": ignore, zip: category}
  split: {validation: {path: v.csv}, test: 0.2}
  normalize: {mean: [0.0, 1e-9], std: [1, 2]}
  augment: [{type: GaussianNoise, std: 0.1}]
model:
  layers:
    - {type: Residual, shortcut: projection, layers: [{type: Linear, out_features: outputs}, ReLU], name: block}
    - {type: Linear, out_features: outputs, init: {type: kaiming_normal}}
  init: xavier_uniform
optimizer: {type: SGD, lr: 1e-7, momentum: 0.9, nesterov: true}
scheduler: {type: CosineAnnealingLR, warmup: {epochs: 2}}
train: {early_stopping: {patience: 3}, threads: 2}
search: {space: {optimizer.lr: {log_uniform: [1e-4, 1e-2]}}}
"""
FACTS = Facts("regression", (4,), 2, {"train": 10, "validation": 2, "test": 2})


def test_resolving_writes_out_every_default() -> None:
    recipe = recipe_of(Document.from_text(TEXT))
    resolved = resolve(recipe, FACTS, "water")
    values = to_data(resolved)
    assert (resolved.name, resolved.task) == ("water", "regression")
    assert values["loss"] == {"type": "MSELoss"}
    assert values["metrics"] == [{"type": "R2Score"}]
    assert values["model"]["layers"][0]["layers"][0]["out_features"] == 2
    assert values["model"]["layers"][1]["out_features"] == 2
    assert values["data"]["batch_size"] == 32
    assert recipe.model.layers[1].out_features == "outputs"  # type: ignore[attr-defined]


@pytest.mark.parametrize("resolved", [False, True])
def test_a_dumped_recipe_reads_back_the_same(resolved: bool) -> None:
    recipe = recipe_of(Document.from_text(TEXT))
    if resolved:
        recipe = resolve(recipe, FACTS)
    text = dump(to_data(recipe))
    back, problems = validate(read(text))
    assert problems == []
    assert back == recipe
    assert back is not None
    assert to_data(back) == to_data(recipe)
    assert all(len(line) <= 120 for line in text.splitlines())


@pytest.mark.parametrize("task", ["classification", "binary", "multilabel", "regression"])
def test_the_usual_loss_and_metrics_fit_their_task(task: str) -> None:
    assert task in usual_loss(task).tasks
    assert all(task in metric.tasks for metric in usual_metrics(task))


DIFFERENCES: list[tuple[Any, Any, list[tuple[str, Any, Any]]]] = [
    ({"a": 1}, {"a": 1.0}, []),
    ({"a": 1}, {"a": True}, [("a", 1, True)]),
    ({"a": {"b": 1, "c": 2}}, {"a": {"b": 2, "d": 3}}, [("a.b", 1, 2), ("a.c", 2, None), ("a.d", None, 3)]),
    ({"loss": "MSELoss"}, {"loss": {"type": "MSELoss"}}, []),
    ({"loss": "MSELoss"}, {"loss": {"type": "L1Loss"}}, [("loss.type", "MSELoss", "L1Loss")]),
    ({"x": {"a.b": 1}}, {"x": {"a.b": 2}}, [('x."a.b"', 1, 2)]),
    ({"x": [1, 2]}, {"x": [1, 3]}, [("x", [1, 2], [1, 3])]),
    (
        {"model": {"layers": ["ReLU", {"type": "Linear", "out_features": 1}]}},
        {"model": {"layers": ["ReLU", "GELU", {"type": "Linear", "out_features": 1}]}},
        [("model.layers.1", None, {"type": "GELU"})],
    ),
    (
        {"model": {"layers": [{"type": "Dropout", "p": 0.1}, "ReLU"]}},
        {"model": {"layers": [{"type": "Dropout", "p": 0.2}, {"type": "ReLU"}]}},
        [("model.layers.0.p", 0.1, 0.2)],
    ),
]


@pytest.mark.parametrize(("a", "b", "found"), DIFFERENCES)
def test_differences(a: Any, b: Any, found: list[tuple[str, Any, Any]]) -> None:
    assert diff(a, b) == found
    assert {path: (one, other) for path, other, one in diff(b, a)} == {path: (one, other) for path, one, other in found}
    assert data(read(apply_edits(dump(a), edits_between(a, b))).root) == b


BASE = """\
model:
  layers:
    - ReLU  # bends
    - {type: Dropout, p: 0.3, name: d}
    - {type: Conv2d, out_channels: 8, kernel_size: 3, padding: same, init: kaiming_normal}
optimizer: {type: SGD, lr: 1e-2, momentum: 0.9, nesterov: true}  # how
scheduler: {type: StepLR, step_size: 3, gamma: 0.5, warmup: {epochs: 1}}
data: {normalize: standard}
"""


@pytest.mark.parametrize(
    ("path", "new", "dropped", "value"),
    [
        ("optimizer", "Adam", ["momentum", "nesterov"], {"type": "Adam", "lr": 0.01}),
        ("optimizer", "RMSprop", ["nesterov"], {"type": "RMSprop", "lr": 0.01, "momentum": 0.9}),
        ("model.layers.0", "GELU", [], "GELU"),
        ("model.layers.d", "Dropout2d", [], {"type": "Dropout2d", "p": 0.3, "name": "d"}),
        ("model.layers.1", "ReLU", ["p"], {"type": "ReLU", "name": "d"}),
        (
            "model.layers.2",
            "MaxPool2d",
            ["out_channels", "padding", "init"],
            {"type": "MaxPool2d", "kernel_size": 3},
        ),
        ("scheduler", "OneCycleLR", ["step_size", "gamma", "warmup"], {"type": "OneCycleLR"}),
        ("scheduler", "ExponentialLR", ["step_size"], {"type": "ExponentialLR", "gamma": 0.5, "warmup": {"epochs": 1}}),
        ("loss", "MSELoss", [], "MSELoss"),
    ],
)
def test_a_new_type_keeps_what_it_has_and_names_what_it_drops(
    path: str, new: str, dropped: list[str], value: Any
) -> None:
    document = Document.from_text(BASE)
    edits, lost = change_type(document, path, new)
    assert lost == dropped
    document.apply(edits)
    assert document.get(path) == value
    assert "# bends" in document.text
    assert "# how" in document.text
    document.undo()
    assert document.text == BASE


def test_a_type_that_stands_there_is_no_change() -> None:
    assert change_type(Document.from_text(BASE), "optimizer", "SGD") == ((), [])


def test_a_type_set_on_the_command_line_drops_fields_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(BASE)
    document = load(path, ["optimizer.type=RMSprop", "optimizer.momentum=0.5", "model.layers.0.type=GELU"])
    assert document.get("optimizer") == {"type": "RMSprop", "lr": 0.01, "momentum": 0.5}
    assert document.get("model.layers.0") == "GELU"
    assert document.notes == ["optimizer: RMSprop has no nesterov: dropped"]
    document.undo()
    assert document.text == BASE


def test_a_field_set_for_a_new_type_before_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("optimizer: {type: Adam, betas: [0.9, 0.99]}\n")
    document = load(path, ["optimizer.momentum=0.9", "optimizer.type=SGD", "optimizer.nesterov=true"])
    assert document.get("optimizer") == {"type": "SGD", "momentum": 0.9, "nesterov": True}
    assert document.notes == ["optimizer: SGD has no betas: dropped"]


@pytest.mark.parametrize(("path", "new"), [("optimizer", "Adm"), ("data.normalize", "minmax"), ("optimizer", "ReLU")])
def test_types_that_cannot_stand_there(path: str, new: str) -> None:
    with pytest.raises(EditRefused) as refused:
        change_type(Document.from_text(BASE), path, new)
    assert refused.value.hint


def test_the_schema_names_every_key_and_every_part() -> None:
    catalog.load()
    schema = recipe_schema()
    assert set(schema["properties"]) >= {"data", "model", "loss", "optimizer", "train", "metrics", "search"}
    assert schema["required"] == ["data", "model", "optimizer"]
    assert schema["additionalProperties"] is False
    for cls in every_part():
        entry = schema["$defs"][f"{cls.family}.{cls.type_name()}"]
        assert entry["properties"]["type"] == {"const": cls.type_name()}
        assert set(entry["properties"]) == {"type", *cls.model_fields}
        assert entry["description"]
    assert schema["properties"]["train"]["description"]
    epochs = schema["$defs"]["section.Train"]["properties"]["epochs"]
    assert epochs["minimum"] == 1
    assert epochs["default"] == 20
    assert "passes" in epochs["description"]
    layers = schema["$defs"]["section.Model"]["properties"]["layers"]
    assert (layers["type"], layers["items"]) == ("array", {"$ref": "#/$defs/layer"})
    assert "ReLU" in schema["$defs"]["layer"]["oneOf"][0]["enum"]
    assert "Linear" not in schema["$defs"]["layer"]["oneOf"][0]["enum"]


def test_every_reference_of_the_schema_leads_somewhere() -> None:
    schema = recipe_schema()
    text = json.dumps(schema)
    references = {piece.split('"')[0] for piece in text.split("#/$defs/")[1:]}
    assert references <= set(schema["$defs"])
