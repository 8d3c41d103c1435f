"""The language as documented: a recipe with every key is read, and each key has help."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from engine.parts.part import Part
from engine.recipe.check import check
from engine.recipe.document import Document
from engine.recipe.order import models
from engine.recipe.resolve import recipe_of
from engine.recipe.schema import Recipe

WHOLE = """\
goodfit: 1
name: water
task: binary
seed: 7
data:
  source: {type: CSV, path: water.csv, target: Potability, features: [ph, Sulfate, Conductivity, Organic_carbon]}
  columns: {zip: category, id: ignore}
  missing: median
  split: {validation: 0.15, test: 0.15, stratify: true, seed: 0}
  normalize: standard
  target_scale: standard
  augment: []
  limit: 100
  batch_size: 32
  shuffle: true
  drop_last: false
  num_workers: 0
  pin_memory: false
model:
  layers:
    - {type: Linear, out_features: 64}
    - ReLU
    - {type: Dropout, p: 0.3, name: drop1}
    - {type: Linear, out_features: outputs}
  init: {type: kaiming_normal}
loss: BCEWithLogitsLoss
optimizer: {type: Adam, lr: 1e-3, weight_decay: 1e-4}
scheduler: {type: CosineAnnealingLR, warmup: {epochs: 2, start_factor: 0.1}}
train:
  epochs: 40
  device: auto
  precision: fp32
  executor: auto
  threads: auto
  clip_grad_norm: 1.0
  early_stopping: {monitor: val_loss, patience: 8}
  checkpoints: {budget: 1GB}
  deterministic: true
metrics: [Accuracy, AUROC]
find_lr: {start: 1e-7, end: 10, steps: 100}
search: {trials: 10, space: {optimizer.lr: {log_uniform: [1e-4, 1e-2]}, data.batch_size: {choice: [32, 64]}}}
findings: {ignore: []}
"""


def test_a_recipe_with_every_key_is_read() -> None:
    recipe = recipe_of(Document.from_text(WHOLE))
    assert set(Document.from_text(WHOLE).data) == set(Recipe.model_fields)
    assert recipe.data.batch_size == 32


def test_a_recipe_with_every_key_has_no_problem() -> None:
    assert check(Document.from_text(WHOLE)).problems == []


@pytest.mark.parametrize(
    "split",
    ["{group: a}", "{time: a}", "{column: a}", "{test: {path: t.csv}}", "{validation: {path: v}, test: {path: t}}"],
)
def test_ways_to_split(split: str) -> None:
    text = WHOLE.replace("{validation: 0.15, test: 0.15, stratify: true, seed: 0}", split)
    assert recipe_of(Document.from_text(text)).data.split is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("normalize: standard", "normalize: {mean: [0.0, 1.0], std: [1.0, 2.0]}"),
        ("missing: median", "missing: drop"),
        ("target: Potability", "target: [a, b]"),
        ("type: CSV", "type: Parquet"),
        ("early_stopping: {monitor: val_loss, patience: 8}", "early_stopping: null"),
        ("clip_grad_norm: 1.0", "clip_grad_value: 1"),
        ("device: auto", "device: cuda:1"),
        ("augment: []", "augment: [{type: RandomRotation, degrees: 10}]"),
        ("limit: 100", "reshape: [1, 8, 8]"),
    ],
)
def test_what_else_may_stand_there(old: str, new: str) -> None:
    assert old in WHOLE
    recipe_of(Document.from_text(WHOLE.replace(old, new)))


def sections(cls: type[BaseModel]) -> list[type[BaseModel]]:
    inner = [m for field in cls.model_fields.values() for m in models(field.annotation) if not issubclass(m, Part)]
    return [cls, *(deeper for model in inner for deeper in sections(model))]


def test_every_key_has_help() -> None:
    bare: list[Any] = [
        (cls.__name__, name)
        for cls in sections(Recipe)
        for name, field in cls.model_fields.items()
        if not field.description
    ]
    assert bare == []
