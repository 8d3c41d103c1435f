"""Strict validation: each mistake in its place, all at once, with the nearest valid word."""

from __future__ import annotations

import pytest

from engine.recipe.document import Document
from engine.recipe.edits import Edit
from engine.recipe.problem import Problem
from engine.recipe.reader import read
from engine.recipe.validate import validate

GOOD = """\
data:
  source: {type: Builtin, name: digits}
model:
  layers:
    - {type: Linear, out_features: 64}
    - ReLU
    - {type: Linear, out_features: outputs}
optimizer: Adam
"""


def problems(text: str) -> list[Problem]:
    return validate(read(text))[1]


def test_a_good_recipe_is_built_from_parts() -> None:
    recipe, found = validate(read(GOOD))
    assert found == []
    assert recipe is not None
    assert [layer.type_name() for layer in recipe.model.layers] == ["Linear", "ReLU", "Linear"]
    assert recipe.optimizer.lr == 1e-3
    assert recipe.train.epochs == 20


def test_all_problems_come_at_once_in_the_order_of_the_text() -> None:
    text = """\
seed: yes
password: hunter2
data:
  source: {type: CSV, path: a.csv, target: [y, 3]}
  batch_size: 32.0
  columns: {zip: categorie}
  split: {validation: "0.1"}
model:
  layers:
    - {type: Linear, out_features: 0}
    - relu
    - {type: Residual, layers: [{type: Linear, out_features: wide}], shortcut: project}
    - {p: 0.5}
loss: NLLLoss
optimizer: {type: SGD, lr: -1, momentum: 2}
train: {epochs: 1e2, deterministic: on, early_stopping: {patience: none}}
metrics: [acuracy]
"""
    found = [(p.line, p.column, p.path) for p in problems(text)]
    assert found == [
        (1, 7, "seed"),
        (2, 1, "password"),
        (4, 48, "data.source.target.1"),
        (5, 15, "data.batch_size"),
        (6, 18, "data.columns.zip"),
        (7, 23, "data.split.validation"),
        (10, 36, "model.layers.0.out_features"),
        (11, 7, "model.layers.1"),
        (12, 62, "model.layers.2.layers.0.out_features"),
        (12, 80, "model.layers.2.shortcut"),
        (13, 7, "model.layers.3"),
        (14, 7, "loss"),
        (15, 28, "optimizer.lr"),
        (15, 42, "optimizer.momentum"),
        (16, 17, "train.epochs"),
        (16, 37, "train.deterministic"),
        (16, 68, "train.early_stopping.patience"),
        (17, 11, "metrics.0"),
    ]


def test_a_missing_key_is_reported_at_its_parent() -> None:
    text = "\n# words\ndata:\n  batch_size: 3\nmodel: {layers: [ReLU, {type: Linear}]}\n"
    found = {(p.line, p.column, p.path): p.message for p in problems(text)}
    assert found == {
        (1, 1, ""): "the recipe needs the key 'optimizer'",
        (3, 1, "data"): "data needs the key 'source'",
        (5, 24, "model.layers.1"): "Linear needs the key 'out_features'",
    }


ONE = [
    # (a line of the recipe, what is put in its place, path, message, hint)
    ("optimizer: Adam", "optimiser: Adam", "optimiser", "no key 'optimiser'", "did you mean optimizer?"),
    ("optimizer: Adam", "optimizer: Adm", "optimizer", "no optimizer 'Adm'", "did you mean Adam?"),
    ("optimizer: Adam", "optimizer: {type: adamw}", "optimizer.type", "no optimizer 'adamw'", "did you mean AdamW?"),
    ("optimizer: Adam", "optimizer: {type: Adam, momentum: 1}", "optimizer.momentum", "Adam has no key", "keys: "),
    ("optimizer: Adam", "optimizer: {lr: 1}", "optimizer", "needs a type", "types: SGD, Adam"),
    ("optimizer: Adam", "optimizer: {type: 3}", "optimizer.type", "is a word, not 3", "like SGD"),
    ("optimizer: Adam", "optimizer: [Adam]", "optimizer", "not a list", "like SGD"),
    ("optimizer: Adam", "optimizer:", "optimizer", "is a word, not empty", "like SGD"),
    ("optimizer: Adam", "optimizer: {type: Adam, lr: [1]}", "optimizer.lr", "must be a number, not a list", ""),
    ("optimizer: Adam", "optimizer: {type: Adam, lr: .nan}", "optimizer.lr", "not a number that can be used", "finite"),
    ("optimizer: Adam", "optimizer: {type: Adam, lr: 1e999}", "optimizer.lr", "not a number that can", "finite"),
    ("optimizer: Adam", "optimizer: {type: Adam, lr: true}", "optimizer.lr", "must be a number, not true", ""),
    ("optimizer: Adam", "optimizer: {type: Adam, lr: '1e-3'}", "optimizer.lr", "must be a number", "without quotes"),
    ("optimizer: Adam", "optimizer: {type: Adam, lr: 1_0}", "optimizer.lr", "must be a number", ""),
    ("optimizer: Adam", "optimizer: {type: Adam, betas: [0.9]}", "optimizer.betas", "two numbers", ""),
    ("optimizer: Adam", "optimizer: {type: Adam, betas: [0.9, 2]}", "optimizer.betas.1", "less than 1, not 2", ""),
    ("optimizer: Adam", "optimizer: {type: SGD, nesterov: true}", "optimizer", "nesterov needs momentum", ""),
    ("    - ReLU", "    - Relu", "model.layers.1", "no layer 'Relu'", "did you mean ReLU?"),
    ("    - ReLU", "    - Dense", "model.layers.1", "no layer 'Dense'", "did you mean Linear?"),
    ("    - ReLU", "    - Adam", "model.layers.1", "Adam is a type of optimizer", "types: Linear"),
    ("    - ReLU", "    -", "model.layers.1", "is a word, not empty", "like Linear"),
    ("    - ReLU", "    - {type: Dropout, rate: 0.3}", "model.layers.1.rate", "no key 'rate'", "did you mean p?"),
    (
        "    - ReLU",
        "    - {type: Linear, in_features: 3, out_features: 3}",
        "model.layers.1.in_features",
        "",
        "leave it",
    ),
    (
        "    - ReLU",
        "    - {type: Linear, out_features: 3, activation: relu}",
        "model.layers.1.activation",
        "",
        "of its own",
    ),
    ("    - ReLU", "    - {type: ReLU, name: a.b}", "model.layers.1.name", "a name starts with a letter", ""),
    (
        "    - ReLU",
        "    - {type: Conv2d, out_channels: 8, kernel_size: [3]}",
        "model.layers.1",
        "kernel_size takes",
        "",
    ),
    ("    - ReLU", "    - {type: Linear, out_features: 8, init: xavier}", "model.layers.1.init", "no init", ""),
    ("model:", "train: 40\nmodel:", "train", "must be a mapping, not 40", "its keys: epochs, "),
    ("model:", "task: multiclass\nmodel:", "task", "not 'multiclass'", "did you mean classification?"),
    ("model:", "seed: '3'\nmodel:", "seed", "must be a whole number, not '3'", "write it without quotes"),
    ("model:", "name: 3\nmodel:", "name", "must be text, not 3", 'put it in quotes: "3"'),
    ("model:", "name: true\nmodel:", "name", "must be text, not true", 'put it in quotes: "true"'),
    ("model:", "goodfit: 2\nmodel:", "goodfit", "must be 1, not 2", ""),
    ("model:", "task: regresion\nmodel:", "task", "must be classification,", "did you mean regression?"),
    ("model:", "lr: 0.1\nmodel:", "lr", "no key 'lr'", "it belongs to optimizer: optimizer.lr"),
    ("model:", "epochs: 3\nmodel:", "epochs", "no key 'epochs'", "it belongs to train: train.epochs"),
    ("model:", "batch_size: 3\nmodel:", "batch_size", "no key", "it belongs to data: data.batch_size"),
    ("model:", "criterion: MSELoss\nmodel:", "criterion", "no key", "did you mean loss?"),
    ("model:", "api_token: x\nmodel:", "api_token", "no key 'api_token'", "keys: "),
    (
        "model:",
        "loss: BCELoss\nmodel:",
        "loss",
        "BCELoss is not offered: use BCEWithLogitsLoss",
        "leave out the Sigmoid",
    ),
    ("model:", "loss: {type: NLLLoss}\nmodel:", "loss.type", "use CrossEntropyLoss", "LogSoftmax"),
    ("model:", "train: {epochs: 1e2}\nmodel:", "train.epochs", "must be a whole number, not 100.0", "write 100"),
    ("model:", "train: {epochs: 0}\nmodel:", "train.epochs", "must be at least 1, not 0", ""),
    ("model:", "train: {epochs: 10_000}\nmodel:", "train.epochs", "a whole number, not '10_000'", "write 10000"),
    ("model:", "train: {epochs: 1000000000000000000}\nmodel:", "train.epochs", "must be at most", ""),
    ("model:", "seed: 99999999999999999999\nmodel:", "seed", "must be at most 9223372036854775807", ""),
    ("model:", "data: 3\nmodel:", "data", "stands twice", "line 1"),
    ("model:", f"{'k' * 999}: 3\nmodel:", "k" * 999, "...", "keys"),
    ("model:", "train: {deterministic: no}\nmodel:", "train.deterministic", "true or false, not 'no'", "write false"),
    ("model:", "train: {threads: many}\nmodel:", "train.threads", "a whole number or auto, not 'many'", ""),
    ("model:", "train: {threads: 0}\nmodel:", "train.threads", "must be at least 1, not 0", ""),
    ("model:", "train: {early_stopping: 5}\nmodel:", "train.early_stopping", "must be a mapping, not 5", ""),
    ("model:", "train:\nmodel:", "train", "must be a mapping, not empty", "remove the key"),
    ("model:", "metrics: Accuracy\nmodel:", "metrics", "must be a list, not 'Accuracy'", "write [Accuracy]"),
    ("model:", "metrics: [ROCAUC]\nmodel:", "metrics.0", "no metric 'ROCAUC'", "did you mean AUROC?"),
    ("model:", "scheduler: {type: OneCycleLR, warmup: {epochs: 1}}\nmodel:", "scheduler", "warm-up itself", ""),
    ("model:", "scheduler: {type: StepLR, warmup: {epoch: 1}}\nmodel:", "scheduler.warmup.epoch", "no key", "epochs?"),
]


@pytest.mark.parametrize(("line", "instead", "path", "message", "hint"), ONE, ids=lambda value: str(value)[:40])
def test_one_problem(line: str, instead: str, path: str, message: str, hint: str) -> None:
    assert line in GOOD
    text = GOOD.replace(line, instead, 1)
    problem = next(p for p in problems(text) if p.path == path)
    assert message in problem.message
    assert hint in problem.hint if hint else True
    missing = [p for p in problems(text) if "needs the key 'optimizer'" in p.message]
    assert problems(text) in ([problem], [*missing, problem])
    for fix in problem.fixes:
        document = Document.from_text(text)
        document.apply(fix)
        assert not [p for p in problems(document.text) if p.path == path and p.message == problem.message]


def test_a_fix_of_a_misplaced_key_moves_it() -> None:
    document = Document.from_text("lr: 0.1\n" + GOOD)
    (problem,) = problems(document.text)
    document.apply(problem.fixes[0])
    assert document.get("optimizer") == {"type": "Adam", "lr": 0.1}
    assert problems(document.text) == []


def test_short_forms_and_null_stand_where_they_may() -> None:
    text = GOOD + "scheduler: null\nloss: CrossEntropyLoss\ntrain: {early_stopping: null, epochs: 3}\nsearch: ~\n"
    recipe, found = validate(read(text))
    assert found == []
    assert recipe is not None
    assert recipe.loss is not None
    assert recipe.loss.type_name() == "CrossEntropyLoss"


def test_whole_numbers_stand_for_numbers() -> None:
    recipe, found = validate(read(GOOD.replace("optimizer: Adam", "optimizer: {type: SGD, lr: 1}")))
    assert not found
    assert recipe is not None
    assert recipe.optimizer.lr == 1.0


def test_the_fix_of_a_word_says_what_it_expects() -> None:
    (problem,) = problems(GOOD.replace("- ReLU", "- Relu"))
    assert problem.fixes == ((Edit("set", "model.layers.1", "ReLU", expect="Relu"),),)
    assert problem.fixes[0][0].expect == "Relu"


def test_names_of_layers_are_distinct() -> None:
    text = GOOD.replace("- ReLU", "- {type: ReLU, name: a}\n    - {type: Dropout, name: a}")
    (problem,) = problems(text)
    assert "two layers are called a" in problem.message
    assert problem.line >= 3


def test_slips_of_form_hide_no_other_mistakes() -> None:
    text = GOOD.replace("optimizer: Adam", "optimizer: {type: Adam, lr: 1, lr: 2, eps: -1}\nseed: &x yes\nname: *x\n")
    found = [(p.line, p.path, p.message.split(" ")[0]) for p in problems(text)]
    assert found == [
        (8, "optimizer.lr", "'lr'"),
        (8, "optimizer.eps", "eps"),
        (9, "seed", "anchors"),
        (10, "name", "aliases"),
    ]


def test_what_a_merge_key_would_bring_is_not_called_missing() -> None:
    found = problems("base: &b {x: 1}\n<<: *b\n")
    assert all("needs the key" not in p.message for p in found)


def test_a_list_of_layers_under_model_is_put_in_its_place() -> None:
    document = Document.from_text("model: [ReLU]\n")
    problem = next(p for p in problems(document.text) if p.path == "model")
    document.apply(problem.fixes[0])
    assert document.get("model.layers") == ["ReLU"]


def test_a_share_for_training_is_what_is_left() -> None:
    (problem,) = problems(GOOD.replace("model:", "  split: {train: 0.7}\nmodel:", 1))
    assert problem.path == "data.split.train"
    assert "leave it out" in problem.hint
