"""Every semantic problem, in its place, with fixes that mend it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from engine.data.errors import DataError
from engine.data.facts import Facts
from engine.recipe.check import Checked, check
from engine.recipe.document import Document
from engine.recipe.edits import Edit

TABLE = """\
goodfit: 1
task: classification
data:
  source: {type: CSV, path: a.csv, target: y}
  batch_size: 32
model:
  layers:
    - {type: Linear, out_features: 16}
    - ReLU
    - {type: Linear, out_features: outputs}
loss: CrossEntropyLoss
optimizer: {type: SGD, lr: 1e-2, momentum: 0.9}
train: {epochs: 40}
metrics: [Accuracy, F1Score]
"""
FACTS: dict[str, Any] = {
    "task": "classification",
    "shape": (4,),
    "outputs": 3,
    "rows": {"train": 100, "validation": 20, "test": 20},
    "classes": ["a", "b", "c"],
}
IMAGES = {"shape": (1, 8, 8)}
REGRESSION = {"task": "regression", "outputs": 1, "classes": []}
BINARY = {"task": "binary", "outputs": 1, "classes": ["no", "yes"]}
AS_REGRESSION = {"task": "regression", "loss": "MSELoss", "metrics": ["R2Score"]}
AS_BINARY = {"task": "binary", "loss": "BCEWithLogitsLoss"}
LINEAR: dict[str, Any] = {"type": "Linear", "out_features": 8}
LAST: dict[str, Any] = {"type": "Linear", "out_features": "outputs"}
CONV: dict[str, Any] = {"type": "Conv2d", "out_channels": 4}


def document(changes: dict[str, Any]) -> Document:
    found = Document.from_text(TABLE)
    for path, value in changes.items():
        new_item = path.startswith("model.layers.") and path.count(".") == 2 and found.get(path) is None
        found.apply(Edit("insert" if new_item else "set", path, value))
    return found


def look(changes: dict[str, Any], facts: dict[str, Any] | None = None, *, known: bool = True) -> Checked:
    return check(document(changes), Facts(**(FACTS | (facts or {}))) if known else None)


def test_a_sound_recipe_has_no_problems() -> None:
    checked = look({})
    assert checked.problems == []
    assert [row.output for row in checked.rows] == [(16,), (16,), (3,)]
    assert look({}, known=False).problems == []


E, W, N = "error", "warning", "info"
CASES: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    # severity, changes, facts, path, words of the message
    (E, {"model.layers": []}, {}, "model.layers", "no layers"),
    (E, {"model.layers": ["ReLU"]}, {"shape": (3,)}, "model.layers", "no weights"),
    (E, {"model.layers.0.out_features": 10**12}, {}, "model.layers.0", "too large"),
    (E, {"model.layers.0": CONV}, {}, "model.layers.0", "needs images"),
    (E, {"model.layers.0": CONV}, {"shape": (64,)}, "model.layers.0", "needs images"),
    (E, {"model.layers": [CONV, "BatchNorm1d", "Flatten", LAST]}, IMAGES, "model.layers.1", "needs rows"),
    (E, {"model.layers": [CONV, "ReLU", {"type": "MaxPool2d", "kernel_size": 9}]}, IMAGES, "model.layers.2", "window"),
    (E, {"model.layers": [CONV, "ReLU", LAST]}, IMAGES, "model.layers.2", "one row of numbers"),
    (E, {"model.layers": [CONV]}, IMAGES, "model.layers.1", "one row of numbers"),
    (E, {"model.layers": [{"type": "Residual", "layers": [LINEAR]}, LAST]}, {}, "model.layers.0", "cannot be added"),
    (
        E,
        {"model.layers": [{"type": "Residual", "layers": [LINEAR, CONV]}, LAST]},
        {},
        "model.layers.0.layers.1",
        "needs images",
    ),
    (E, {"model.layers.2.out_features": 5}, {}, "model.layers.2.out_features", "5 numbers, but the task needs 3"),
    (E, AS_BINARY | {"model.layers.2.out_features": 2}, BINARY, "model.layers.2.out_features", "needs 1"),
    (W, {"model.layers": [LAST, "ReLU", LAST, "Flatten"]} | {"model.layers.0": LINEAR}, {}, "", ""),
    (W, {"model.layers": [{**LINEAR}, "ReLU", "Flatten", LAST]}, IMAGES, "model.layers.0", "last axis alone"),
    (E, {"model.layers.1": "BatchNorm1d"}, {"rows": {"train": 97}}, "model.layers.1", "single value per channel"),
    (E, {"model.layers.1": "BatchNorm1d", "data.batch_size": 1}, {}, "model.layers.1", "single value per channel"),
    (
        E,
        {"model.layers": [CONV, {"type": "AdaptiveAvgPool2d"}, "BatchNorm2d", "ReLU", "Flatten", LAST]},
        IMAGES | {"rows": {"train": 33}},
        "model.layers.2",
        "single value per channel",
    ),
    (W, {"model.layers.3": "Softmax"}, {}, "model.layers.3", "applies Softmax itself"),
    (W, {"model.layers.3": "ReLU"}, {}, "model.layers.3", "wants plain numbers"),
    (W, AS_BINARY | {"model.layers.3": "Sigmoid"}, BINARY, "model.layers.3", "applies Sigmoid itself"),
    (W, AS_BINARY | {"model.layers.3": "Softmax"}, BINARY, "model.layers.3", "always 1"),
    (W, AS_REGRESSION | {"model.layers.3": "Tanh"}, REGRESSION, "model.layers.3", "own range"),
    (W, {"model.layers.3": "Dropout"}, {}, "model.layers.3", "erases predictions"),
    (W, {"model.layers.1": "Dropout"}, {}, "model.layers.2", "nothing bends between Linear and Linear"),
    (
        W,
        {"model.layers.1": {"type": "Residual", "layers": [LINEAR, {**LINEAR, "out_features": 16}]}},
        {},
        "model.layers.1.layers.1",
        "nothing bends",
    ),
    (W, {"model.layers.2": "ReLU", "model.layers.3": LAST}, {}, "model.layers.2", "second ReLU"),
    (W, {"model.layers": [LINEAR, "ReLU", "Dropout", "BatchNorm1d", LAST]}, {}, "model.layers.3", "variance"),
    (W, {"model.layers.1": {"type": "Residual", "layers": []}}, {}, "model.layers.1.layers", "empty"),
    (E, {"loss": "MSELoss"}, {}, "loss", "is for regression"),
    (E, {"loss": {"type": "BCEWithLogitsLoss"}}, {}, "loss", "is for binary or multilabel"),
    (E, {"loss": {"type": "CrossEntropyLoss", "weight": [1.0, 2.0]}}, {}, "loss.weight", "2 weights for 3 classes"),
    (E, {"metrics": ["Accuracy", "R2Score"]}, {}, "metrics.1", "is for regression"),
    (E, {"metrics": ["R2Score"]}, {}, "metrics.0", "is for regression"),
    (W, {"metrics": ["Accuracy", "Accuracy"]}, {}, "metrics.1", "twice"),
    (E, {"train.early_stopping.monitor": "val_auroc"}, {}, "train.early_stopping.monitor", "no metric gives"),
    (E, {"train.early_stopping.monitor": "val_acuracy"}, {}, "train.early_stopping.monitor", "no series"),
    (E, {"train.early_stopping.monitor": "accuracy"}, {}, "train.early_stopping.monitor", "no series"),
    (E, {"train.early_stopping.monitor": "val_auc"}, {}, "train.early_stopping.monitor", "no series"),
    (E, {"train.early_stopping.monitor": "val_prec"}, {}, "train.early_stopping.monitor", "no series"),
    (E, {"train.early_stopping.monitor": "test_loss"}, {}, "train.early_stopping.monitor", "not looked at"),
    (E, {"train.early_stopping.monitor": "val_r2_score"}, {}, "train.early_stopping.monitor", "does not fit"),
    (
        E,
        {"train.early_stopping.monitor": "val_confusion_matrix", "metrics": ["Accuracy", "ConfusionMatrix"]},
        {},
        "train.early_stopping.monitor",
        "cannot be monitored",
    ),
    (W, {"train.early_stopping.patience": 40}, {}, "train.early_stopping.patience", "can never stop"),
    (
        W,
        {"train.early_stopping.patience": 5, "scheduler": {"type": "ReduceLROnPlateau", "patience": 10}},
        {},
        "train.early_stopping.patience",
        "never drops",
    ),
    (E, {"scheduler": {"type": "ReduceLROnPlateau", "monitor": "val_lss"}}, {}, "scheduler.monitor", "no series"),
    (W, {"scheduler": {"type": "ReduceLROnPlateau", "mode": "max"}}, {}, "scheduler.mode", "better when lower"),
    (W, {"scheduler": {"type": "ReduceLROnPlateau", "patience": 40}}, {}, "scheduler.patience", "never drops"),
    (E, {"train.clip_grad_norm": 1.0, "train.clip_grad_value": 1.0}, {}, "train.clip_grad_value", "not both"),
    (W, {"optimizer": {"type": "Adam", "lr": 0.5}}, {}, "optimizer.lr", "very high"),
    (W, {"optimizer.lr": 20}, {}, "optimizer.lr", "very high"),
    (E, {"train.device": "gpu"}, {}, "train.device", "no device"),
    (E, {"train.checkpoints.budget": "lots"}, {}, "train.checkpoints.budget", "no amount"),
    (E, {"find_lr": {"start": 1.0, "end": 0.1}}, {}, "find_lr", "above it"),
    (E, {"findings.ignore": ["overfiting"]}, {}, "findings.ignore.0", "no rule"),
    (W, {"scheduler": {"type": "StepLR", "warmup": {"epochs": 40}}}, {}, "scheduler.warmup.epochs", "the whole run"),
    (E, {"scheduler": {"type": "CosineAnnealingLR", "eta_min": 0.1}}, {}, "scheduler.eta_min", "not below"),
    (W, {"scheduler": {"type": "CosineAnnealingLR", "T_max": 10}}, {}, "scheduler.T_max", "climbs again"),
    (W, {"scheduler": {"type": "CosineAnnealingLR", "T_max": 90}}, {}, "scheduler.T_max", "never gets low"),
    (W, {"scheduler": {"type": "StepLR", "step_size": 50}}, {}, "scheduler.step_size", "before the first drop"),
    (W, {"scheduler": {"type": "StepLR", "step_size": 2}}, {}, "scheduler", "long before the run"),
    (W, {"scheduler": {"type": "ExponentialLR", "gamma": 0.5}}, {}, "scheduler", "long before the run"),
    (W, {"scheduler": {"type": "MultiStepLR", "milestones": [10, 60]}}, {}, "scheduler.milestones", "milestone 60"),
    (E, {"data.split": {"group": "g", "time": "t"}}, {}, "data.split.time", "not by both"),
    (E, {"data.split": {"validation": 0.5, "test": 0.5}}, {}, "data.split", "nothing is left"),
    (E, {"data.split.validation": 0}, {}, "data.split.validation", "needs validation rows"),
    (W, {"data.split": {"column": "part", "test": 0.2}}, {}, "data.split.test", "not used"),
    (E, AS_REGRESSION | {"data.split.stratify": True}, REGRESSION, "data.split.stratify", "has none"),
    (E, {"data.split": {"stratify": True, "group": "g"}}, {}, "data.split.stratify", "cannot be stratified"),
    (
        E,
        {"data.split": {"validation": {"path": "v.csv"}, "test": {"path": "t.csv"}, "time": "t"}},
        {},
        "data.split.time",
        "nothing to split",
    ),
    (E, {"data.normalize": {"mean": [0.0, 1.0], "std": [1.0]}}, {}, "data.normalize.std", "2 means but 1"),
    (E, {"data.normalize": {"mean": [0.0], "std": [0.0]}}, {}, "data.normalize.std.0", "above 0"),
    (E, {"data.augment": [{"type": "RandomRotation"}]}, {}, "data.augment.0", "works on images"),
    (W, {"data.batch_size": 500}, {}, "data.batch_size", "one update an epoch"),
    (E, {"data.batch_size": 500, "data.drop_last": True}, {}, "data.drop_last", "leaves out every row"),
    (W, {"data.target_scale": "none"}, {}, "data.target_scale", "is for regression"),
    (W, {"data.pin_memory": True, "train.device": "cpu"}, {}, "data.pin_memory", "CUDA"),
    (N, {"data.shuffle": False}, {}, "data.shuffle", "same order"),
    (E, {"search.space": {}}, {}, "search.space", "nothing to vary"),
    (E, {"search.space": {"optimizer.lrr": {"uniform": [0.1, 1]}}}, {}, 'search.space."optimizer.lrr"', "no key"),
    (E, {"search.space": {"search.trials": {"int": [1, 2]}}}, {}, 'search.space."search.trials"', "cannot be searched"),
    (
        E,
        {"search.space": {"optimizer.lr": {"log_uniform": [0, 1]}}},
        {},
        'search.space."optimizer.lr".log_uniform',
        "above 0",
    ),
    (
        E,
        {"search.space": {"optimizer.lr": {"uniform": [1, 0.1]}}},
        {},
        'search.space."optimizer.lr".uniform',
        "not below",
    ),
    (E, {"search.space": {"optimizer.lr": {"unifrm": [0.1, 1]}}}, {}, 'search.space."optimizer.lr".unifrm', "no range"),
    (E, {"search.space": {"optimizer.lr": 3}}, {}, 'search.space."optimizer.lr"', "one kind of range"),
    (
        E,
        {"search.space": {"data.batch_size": {"uniform": [8, 64]}}},
        {},
        'search.space."data.batch_size"',
        "whole number",
    ),
    (
        E,
        {"search.space": {"data.split.seed": {"int": [0, 9]}}},
        {},
        'search.space."data.split.seed"',
        "none may see the test part",
    ),
    (
        E,
        {"search.space": {"train.early_stopping.monitor": {"choice": ["val_loss", "val_accuracy"]}}},
        {},
        'search.space."train.early_stopping.monitor"',
        "by the same series",
    ),
    (
        E,
        {"search.space": {"optimizer.momentum": {"uniform": [0.5, 3]}}},
        {},
        'search.space."optimizer.momentum"',
        "with 3.0 for optimizer.momentum",
    ),
    (
        E,
        {"search": {"sampler": "grid", "space": {"optimizer.lr": {"uniform": [0.1, 1]}}}},
        {},
        'search.space."optimizer.lr"',
        "can be counted",
    ),
    (
        E,
        {"search.space": {"model.layers.0": {"choice": [{"type": "Conv2d", "out_channels": 4, "kernel_size": 3}]}}},
        {},
        'search.space."model.layers.0"',
        "Conv2d",
    ),
    (W, {"search.space": {"loss": {"choice": ["CrossEntropyLoss"]}}}, {}, "search.space.loss", "another scale"),
    (E, {"search.space": {"loss": {"choice": ["MSELoss", "Nonsense"]}}}, {}, "search.space.loss", "no loss"),
    (
        E,
        {"search.space": {"model.layers.9.p": {"uniform": [0, 0.5]}}},
        {},
        'search.space."model.layers.9.p"',
        "no item",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[3]}: {case[4]}")
def test_problem(case: tuple[str, dict[str, Any], dict[str, Any], str, str]) -> None:
    severity, changes, facts, path, words = case
    checked = look(changes, facts)
    if not words:
        assert checked.problems == []
        return
    found = [p for p in checked.problems if p.path == path and words in p.message]
    assert found, checked.problems
    (problem,) = found
    assert problem.severity == severity
    assert (problem.line, problem.column) == document(changes).position(path)
    assert severity == E or problem.fixes or "empty" in words, "a warning comes with a fix"
    for fix in problem.fixes:
        mended = document(changes)
        mended.apply(fix)
        reshape = mended.get("data.reshape")
        after = check(mended, Facts(**(FACTS | facts | ({"shape": tuple(reshape)} if reshape else {}))))
        assert not [p for p in after.problems if p.path == path and p.message == problem.message], fix


def test_reading_the_data_is_reported_at_its_own_place() -> None:
    error = DataError("there is no column 'z'", "did you mean y?", "data.source.target")
    checked = check(document({}), None, [error])
    (problem,) = checked.problems
    assert (problem.line, problem.path, problem.severity) == (4, "data.source.target", "error")
    assert (problem.message, problem.hint) == ("there is no column 'z'", "did you mean y?")
    assert checked.errors == [problem]


def test_a_data_error_that_the_recipe_shows_already_is_not_said_twice() -> None:
    error = DataError("a split is by group or by time, not by both", "", "data.split.time")
    found = check(document({"data.split": {"group": "g", "time": "t"}}), None, [error]).problems
    assert [p.path for p in found] == ["data.split.time"]


def test_notes_of_the_data_become_warnings_with_fixes() -> None:
    fix = [{"op": "set", "path": "data.columns.id", "value": "ignore"}]
    note = {"kind": "id_like", "severity": "warning", "message": "column id looks like an id", "path": "data.columns"}
    straddling = {
        "kind": "straddling_groups",
        "severity": "warning",
        "message": "3 of 9 values of column 'patient' have rows in several parts",
        "path": "data.split",
        "fix": [{"op": "set", "path": "data.split.group", "value": "patient"}],
    }
    text = {"kind": "text_ignored", "severity": "info", "message": "column t left out", "path": "data.columns.t"}
    checked = look({}, {"warnings": [note | {"fix": fix}, straddling, text], "shared": {"train/test": 2}})
    by_path = {(p.severity, p.message.split(" ")[0]): p for p in checked.problems}
    assert by_path[W, "column"].fixes == ((Edit("set", "data.columns.id", "ignore"),),)
    assert by_path[W, "3"].fixes == ((Edit("set", "data.split.group", "patient"),),)
    assert by_path[N, "column"].path == "data.columns.t"
    assert "2 test rows (10.0%) also stand in train" in by_path[W, "2"].message
    assert all(problem.line == 3 for problem in checked.problems)


@pytest.mark.parametrize(
    ("shared", "rows", "severity"),
    [(1, 20, "info"), (2, 20, W), (2, 200, "info"), (3, 200, W), (200, 200, W)],
)
def test_rows_that_stand_in_two_parts(shared: int, rows: int, severity: str) -> None:
    facts = {"shared": {"train/test": shared, "validation/test": 20}, "rows": FACTS["rows"] | {"test": rows}}
    (problem,) = look({}, facts).problems
    assert (problem.severity, problem.path) == (severity, "data.split")


def test_without_facts_the_shape_comes_from_reshape() -> None:
    checked = look({"data.reshape": [1, 8, 8], "model.layers.0": {"type": "Conv2d", "out_channels": 4}}, known=False)
    assert checked.rows[0].output == (4, 6, 6)


def test_what_nobody_knows_yet_is_no_mistake() -> None:
    changes = {"data.reshape": [1, 8, 8], "model.layers.0": "Flatten", "task": None}
    assert look(changes, known=False).problems == []


def test_a_recipe_with_mistakes_of_form_has_no_rows() -> None:
    checked = look({"optimizer.lr": -1})
    assert checked.recipe is None
    assert [p.path for p in checked.problems] == ["optimizer.lr"]


def test_the_digits_are_not_mirrored() -> None:
    changes = {
        "data.source": {"type": "Builtin", "name": "digits"},
        "data.reshape": [1, 8, 8],
        "data.augment": ["RandomHorizontalFlip"],
        "model.layers.0": "Flatten",
    }
    found = look(changes, IMAGES).warnings
    assert [p.path for p in found] == ["data.augment.0"]


AUGMENT = "data.augment"
COLOUR = {"shape": (3, 8, 8)}
AUGMENTED: list[tuple[str, Any, dict[str, Any], str, str]] = [
    # severity, augmentations, facts, path, words of the message
    (E, ["RandomErasing"], {}, f"{AUGMENT}.0", "works on images"),
    (E, [{"type": "RandomCrop", "size": 7, "padding": 2}], COLOUR, f"{AUGMENT}.0", "validation has them of 8 x 8"),
    (E, [{"type": "RandomResizedCrop", "size": [8, 9]}], COLOUR, f"{AUGMENT}.0", "images of 8 x 9"),
    (E, [{"type": "RandomCrop", "padding": 8, "padding_mode": "reflect"}], COLOUR, f"{AUGMENT}.0", "no 8 pixels"),
    (E, [{"type": "RandomCrop", "padding": [0, 9]}], COLOUR, f"{AUGMENT}.0", "left empty by 9 pixels"),
    (E, [{"type": "Normalize", "mean": [0.1, 0.2], "std": [1.0, 1.0]}], COLOUR, f"{AUGMENT}.0", "3 channels"),
    (E, ["Mixup", "GaussianNoise", "Mixup"], {}, f"{AUGMENT}.2", "mixed only once"),
    (W, ["RandomCrop"], COLOUR, f"{AUGMENT}.0", "changes nothing"),
    (W, ["ColorJitter"], COLOUR, f"{AUGMENT}.0", "changes nothing"),
    (W, [{"type": "ColorJitter", "hue": 0.1}], IMAGES, f"{AUGMENT}.0", "changes nothing"),
    (W, [{"type": "RandomHorizontalFlip", "p": 0.0}], COLOUR, f"{AUGMENT}.0", "changes nothing"),
    (W, [{"type": "GaussianNoise", "std": 0.0}], {}, f"{AUGMENT}.0", "changes nothing"),
    (W, [{"type": "ColorJitter", "brightness": 0.1, "saturation": 0.1}], IMAGES, f"{AUGMENT}.0.saturation", "three"),
    (W, [{"type": "GaussianNoise", "clip": True}], {}, f"{AUGMENT}.0.clip", "standardised"),
    (W, [{"type": "Normalize", "mean": [0.1], "std": [0.5]}], COLOUR, f"{AUGMENT}.0", "scaled twice"),
]


@pytest.mark.parametrize(("severity", "parts", "facts", "path", "words"), AUGMENTED)
def test_augmentations(severity: str, parts: Any, facts: dict[str, Any], path: str, words: str) -> None:
    network = {"model.layers": ["Flatten", *([LINEAR, "ReLU", LAST])]} if facts else {}
    changes = {AUGMENT: parts, **network}
    if severity == E:
        changes["data.normalize"] = "none"
    (problem,) = look(changes, facts).problems
    assert (problem.severity, problem.path) == (severity, path)
    assert words in problem.message and problem.hint and problem.line > 0


def test_sound_augmentations_have_no_problems() -> None:
    parts = [
        *("RandomRotation", "RandomHorizontalFlip", "RandomVerticalFlip", "RandomResizedCrop", "RandomErasing"),
        {"type": "RandomCrop", "padding": 1, "size": 8},
        {"type": "ColorJitter", "brightness": 0.1, "hue": 0.1},
        *("GaussianNoise", "Mixup"),
        {"type": "Normalize", "mean": [0.1], "std": [0.5]},
    ]
    changes = {AUGMENT: parts, "data.normalize": "none", "model.layers": ["Flatten", LINEAR, "ReLU", LAST]}
    assert look(changes, COLOUR).problems == []
    assert look({AUGMENT: ["Mixup"], "data.batch_size": 1}, {}).warnings[0].message.startswith("Mixup mixes")


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "RandomResizedCrop", "scale": [0.5]}, "scale is two numbers"),
        ({"type": "RandomResizedCrop", "scale": [0.5, 1.5]}, "at most 1"),
        ({"type": "RandomErasing", "ratio": [2.0, 1.0]}, "the smaller first"),
        ({"type": "RandomCrop", "padding": [1, 2, 3]}, "one number, two or four"),
        ({"type": "RandomCrop", "size": [1, 2, 3]}, "height, width"),
        ({"type": "Normalize", "mean": [0.1], "std": [0.0]}, "above 0"),
        ({"type": "Normalize", "mean": [0.1, 0.2], "std": [1.0]}, "2 means but 1"),
        ({"type": "ColorJitter", "hue": 0.6}, "0.5"),
        ({"type": "Mixup", "alpha": 0.0}, "0"),
        ({"type": "RandomRotation", "interpolation": "cubic"}, "nearest"),
    ],
)
def test_settings_of_augmentations(part: dict[str, Any], words: str) -> None:
    (problem,) = look({AUGMENT: [part]}).errors
    assert problem.path.startswith(f"{AUGMENT}.0")
    assert words in f"{problem.message} {problem.hint}"


def test_checking_does_not_load_torch() -> None:
    code = "import sys, engine.recipe.check, engine.recipe.json_schema; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_fixes_lead_to_what_was_meant() -> None:
    (problem,) = look({"train.device": "GPU:0"}).problems
    assert problem.fixes == ((Edit("set", "train.device", "cuda"),),)
    changes = {"train.early_stopping.monitor": "val_auc"}
    (problem,) = look(changes).errors
    assert "AUROC" in problem.hint
    mended = document(changes)
    mended.apply(problem.fixes[0])
    assert check(mended, Facts(**FACTS)).errors == []
