"""A mistake of form hides no mistake of meaning elsewhere, and invents none."""

from __future__ import annotations

from typing import Any

import pytest

from engine.recipe.check import check
from engine.recipe.document import Document
from engine.recipe.edits import Edit
from engine.recipe.paths import child

WRONG = """\
task: binary
data:
  source: {type: CSV, path: a.csv, target: y}
  split: {validation: 0.6, test: 0.6, group: a, time: b, stratify: true}
  normalize: {mean: [1.0], std: [0.0, 1.0]}
  batch_size: 64
  shuffle: false
  pin_memory: true
model:
  layers:
    - {type: Linear, out_features: 64}
    - {type: Linear, out_features: outputs}
    - {type: Sigmoid}
    - {type: Dropout, p: 0.5}
loss: {type: MSELoss}
optimizer: {type: Adam, lr: 3.0}
scheduler: {type: CosineAnnealingLR, T_max: 3, eta_min: 5.0, warmup: {epochs: 2}}
train:
  epochs: 40
  device: gpu
  early_stopping: {monitor: val_acc, patience: 50}
  clip_grad_norm: 1.0
  clip_grad_value: 1.0
  checkpoints: {budget: lots}
metrics: [R2Score, Accuracy]
find_lr: {start: 10.0, end: 1.0}
findings: {ignore: [overfit]}
"""


def leaves(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, child(path, key))]
    if isinstance(value, list):
        return [leaf for at, inner in enumerate(value) for leaf in leaves(inner, child(path, at))]
    return [path]


def said(document: Document) -> set[tuple[str, str]]:
    return {(problem.path, problem.message) for problem in check(document).problems}


WHOLE = said(Document.from_text(WRONG))


@pytest.mark.parametrize("path", leaves(Document.from_text(WRONG).data))
def test_a_value_of_the_wrong_kind(path: str) -> None:
    document = Document.from_text(WRONG)
    document.apply(Edit("set", path, {"no": "such"}))
    found = said(document)
    own = {problem for problem in found if problem[0] == path or problem[0].startswith(f"{path}.")}
    assert own, "the mistake itself is reported"
    assert found - own <= WHOLE, "and nothing that is not so"
    section = path.split(".")[0]
    elsewhere = {"train.clip_grad_value", "findings.ignore.0", "data.split", "data.normalize.std", "find_lr"}
    for other in elsewhere:
        if not path.startswith(other) and other.split(".")[0] != section:
            assert other in {where for where, _ in found}, other


@pytest.mark.parametrize(
    ("place", "key", "value", "kept"),
    [
        ("", "nmae", "x", ["loss", "train.clip_grad_value", "data.split"]),
        ("data", "batchsize", 3, ["data.split", "loss", "train.clip_grad_value"]),
        ("train", "epoch", 100, ["train.clip_grad_value", "data.split", "loss"]),
        ("model.layers.0", "units", 3, ["data.split", "loss", "metrics.0"]),
    ],
)
def test_an_unknown_key(place: str, key: str, value: Any, kept: list[str]) -> None:
    document = Document.from_text(WRONG)
    document.apply(Edit("set", child(place, key) if place else key, value))
    found = said(document)
    assert {where for where, _ in found} >= {*kept, child(place, key) if place else key}
    assert {problem for problem in found if key not in problem[0]} <= WHOLE


def test_the_data_can_be_read_where_it_has_no_mistake_itself() -> None:
    text = WRONG.replace("lr: 3.0", "lr: fast")
    checked = check(Document.from_text(text))
    assert checked.recipe is None
    assert checked.to_read is not None
    assert checked.to_read.data.batch_size == 64
    assert check(Document.from_text(text.replace("batch_size: 64", "batch_size: 0"))).to_read is None
    assert check(Document.from_text(text.replace("task: binary", "task: both"))).to_read is None
