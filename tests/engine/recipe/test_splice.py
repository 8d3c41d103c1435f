"""Edits as a person sees them: exactly these lines, in exactly this style."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.errors import UserError
from engine.recipe.edits import ANY, MISSING, Edit, EditRefused, edit_from_json, edit_to_json
from engine.recipe.splice import apply_edits, apply_with_inverse

TEXT = """\
# What it teaches: nothing.
name: water   # the run
data:
  source: {type: CSV, path: a.csv, target: y}  # from the lab
  columns: {zip: category, "sepal.length": number}
  augment: []

model:
  layers:
    # the first
    - {type: Linear, out_features: 64}  # wide
    - ReLU                              # bends
    - type: Dropout
      p: 0.3        # not more
      name: drop1
    - {type: Linear, out_features: outputs}
loss: 'CrossEntropyLoss'
optimizer: {
  type: Adam,   # kept
  lr: 1e-3,     # base
}
# the end
"""


def changes(*edits: Edit, text: str = TEXT) -> tuple[list[str], list[str]]:
    """Lines taken out and lines put in."""
    new, inverse = apply_with_inverse(text, edits)
    assert apply_edits(new, inverse) == text
    old_lines, new_lines = text.splitlines(), new.splitlines()
    start = 0
    while start < min(len(old_lines), len(new_lines)) and old_lines[start] == new_lines[start]:
        start += 1
    end = 0
    while end < min(len(old_lines), len(new_lines)) - start and old_lines[-1 - end] == new_lines[-1 - end]:
        end += 1
    return old_lines[start : len(old_lines) - end], new_lines[start : len(new_lines) - end]


def put(path: str, value: Any) -> Edit:
    return Edit("set", path, value)


CASES: list[tuple[Edit, list[str], list[str]]] = [
    (put("name", "sea"), ["name: water   # the run"], ["name: sea   # the run"]),
    (put("loss", "MSELoss"), ["loss: 'CrossEntropyLoss'"], ["loss: 'MSELoss'"]),
    (put("optimizer.lr", 3e-4), ["  lr: 1e-3,     # base"], ["  lr: 3e-4,     # base"]),
    (put("optimizer.lr", 0.02), ["  lr: 1e-3,     # base"], ["  lr: 2e-2,     # base"]),
    (
        put("optimizer.weight_decay", 0.1),
        ["  lr: 1e-3,     # base"],
        ["  lr: 1e-3, weight_decay: 0.1,     # base"],
    ),
    (Edit("unset", "optimizer.type"), ["  type: Adam,   # kept"], []),
    (put("model.layers.2.p", 0.5), ["      p: 0.3        # not more"], ["      p: 0.5        # not more"]),
    (put("model.layers.drop1.p", 0.5), ["      p: 0.3        # not more"], ["      p: 0.5        # not more"]),
    (put("model.layers.2.inplace", True), [], ["      inplace: true"]),
    (
        put("model.layers.1.slope", 0.1),
        ["    - ReLU                              # bends"],
        ["    - {type: ReLU, slope: 0.1}                              # bends"],
    ),
    (
        put("model.layers.1.type", "GELU"),
        ["    - ReLU                              # bends"],
        ["    - GELU                              # bends"],
    ),
    (
        put("model.layers.0.bias", False),
        ["    - {type: Linear, out_features: 64}  # wide"],
        ["    - {type: Linear, out_features: 64, bias: false}  # wide"],
    ),
    (
        Edit("unset", "model.layers.0.out_features"),
        ["    - {type: Linear, out_features: 64}  # wide"],
        ["    - {type: Linear}  # wide"],
    ),
    (
        Edit("unset", "model.layers.2.type"),
        ["    - type: Dropout", "      p: 0.3        # not more"],
        ["    - p: 0.3        # not more"],
    ),
    (Edit("unset", "model.layers.2.name"), ["      name: drop1"], []),
    (Edit("unset", "model.layers.1"), ["    - ReLU                              # bends"], []),
    (Edit("insert", "model.layers.0", "Flatten"), [], ["    - Flatten"]),
    (Edit("insert", "model.layers.2", {"type": "Dropout", "p": 0.1}), [], ["    - {type: Dropout, p: 0.1}"]),
    (Edit("insert", "model.layers.4", "ReLU"), [], ["    - ReLU"]),
    (
        Edit("move", "model.layers.1", to=0),
        ["    - {type: Linear, out_features: 64}  # wide", "    - ReLU                              # bends"],
        ["    - ReLU                              # bends", "    - {type: Linear, out_features: 64}  # wide"],
    ),
    (Edit("insert", "data.augment.0", "GaussianNoise"), ["  augment: []"], ["  augment: [GaussianNoise]"]),
    (put("data.batch_size", 64), [], ["  batch_size: 64"]),
    (put("data.columns.zip", "ignore"), ["zip: category"], ["zip: ignore"]),
    (put('data.columns."sepal.length"', "ignore"), ['"sepal.length": number'], ['"sepal.length": ignore']),
    (put('data.columns."a.b: c"', "ignore"), ["number}"], ['number, "a.b: c": ignore}']),
    (Edit("unset", "data.columns.zip"), ['{zip: category, "sepal'], ['{"sepal']),
    (Edit("unset", "data.columns"), ['  columns: {zip: category, "sepal.length": number}'], []),
    (put("data.split.seed", 3), [], ["  split: {seed: 3}"]),
    (put("seed", 7), [], ["seed: 7"]),
    (put("train.early_stopping.patience", 5), [], ["train:", "  early_stopping: {patience: 5}"]),
    (put("train.epochs", 5), [], ["train:", "  epochs: 5"]),
    (put("scheduler", {"type": "StepLR", "step_size": 3}), [], ["scheduler: {type: StepLR, step_size: 3}"]),
    (put("metrics", ["Accuracy", "AUROC"]), [], ["metrics: [Accuracy, AUROC]"]),
    (put("scheduler", None), [], ["scheduler: null"]),
    (put("name", "no"), ["name: water   # the run"], ['name: "no"   # the run']),
    (put("name", "1e-3"), ["name: water   # the run"], ['name: "1e-3"   # the run']),
    (put("name", "a: b # c"), ["name: water   # the run"], ['name: "a: b # c"   # the run']),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].op} {case[0].path} {case[0].value}")
def test_an_edit_touches_these_lines(case: tuple[Edit, list[str], list[str]]) -> None:
    edit, gone, come = case
    out, into = changes(edit)
    if len(gone) == len(come) == 1 and gone[0] not in TEXT.splitlines():
        assert len(out) == len(into) == 1
        assert gone[0] in out[0]
        assert out[0].replace(gone[0], come[0]) == into[0]
    else:
        assert (out, into) == (gone, come)


def test_new_keys_stand_where_the_language_has_them() -> None:
    new = apply_edits(TEXT, [put("seed", 1), put("train.epochs", 3), put("data.batch_size", 8), put("task", "binary")])
    keys = [line.split(":")[0] for line in new.splitlines() if line[:1].isalpha()]
    assert keys == ["name", "task", "seed", "data", "model", "loss", "optimizer", "train"]


def test_setting_a_mapping_changes_only_what_differs_inside() -> None:
    value = {"type": "CSV", "path": "b.csv", "target": "y"}
    assert changes(put("data.source", value)) == (
        ["  source: {type: CSV, path: a.csv, target: y}  # from the lab"],
        ["  source: {type: CSV, path: b.csv, target: y}  # from the lab"],
    )


def test_a_long_layer_is_written_in_lines() -> None:
    block = {
        "type": "Residual",
        "layers": [{"type": "Linear", "out_features": 64}, "ReLU", {"type": "Linear", "out_features": 64}],
        "shortcut": "projection",
    }
    _, into = changes(Edit("insert", "model.layers.2", block))
    assert into == [
        "    - type: Residual",
        "      layers:",
        "        - {type: Linear, out_features: 64}",
        "        - ReLU",
        "        - {type: Linear, out_features: 64}",
        "      shortcut: projection",
    ]


def test_the_last_item_leaves_an_empty_list_and_the_last_key_an_empty_mapping() -> None:
    text = "a:\n  - 1 # x\nb:\n  c: 2\nd: {e: 3}\n"
    new = apply_edits(text, [Edit("unset", "a.0"), Edit("unset", "b.c"), Edit("unset", "d.e")])
    assert new == "a: []\nb: {}\nd: {}\n"
    assert (
        apply_edits(new, [Edit("insert", "a.0", 1), put("b.c", 2), put("d.e", 3)]) == "a: [1]\nb:\n  c: 2\nd:\n  e: 3\n"
    )


def test_windows_lines_stay_windows_lines() -> None:
    text = TEXT.replace("\n", "\r\n")
    for edit, *_ in CASES:
        new, inverse = apply_with_inverse(text, [edit])
        assert new == apply_edits(TEXT, [edit]).replace("\n", "\r\n")
        assert apply_edits(new, inverse) == text


def test_a_file_without_a_last_line_end() -> None:
    assert apply_edits("a: 1\nb: 2", [put("c", 3)]) == "a: 1\nb: 2\nc: 3"
    assert apply_edits("a: 1\nb: 2", [Edit("unset", "b")]) == "a: 1\n"
    assert apply_edits("l:\n- 1", [Edit("insert", "l.1", 2)]) == "l:\n- 1\n- 2"


@pytest.mark.parametrize("text", ["", "# words\n", "# words", "\n", "{}\n", "---\n", "\ufeff"])
def test_a_recipe_begins_with_its_first_edit(text: str) -> None:
    new, inverse = apply_with_inverse(text, [put("model.layers", ["ReLU"]), put("seed", 1)])
    assert new.startswith(text.rstrip("{}\n"))
    assert apply_edits(new, inverse) == text


def test_edits_are_made_all_or_none_and_in_order() -> None:
    text = "seed: 1\n"
    assert apply_edits(text, [put("seed", 2), Edit("set", "seed", 3, expect=2)]) == "seed: 3\n"
    with pytest.raises(EditRefused):
        apply_edits(text, [put("seed", 2), Edit("set", "seed", 3, expect=1)])


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (Edit("set", "seed", 3, expect=2), "seed is 1, not 2"),
        (Edit("set", "seed", 3, expect=MISSING), "seed is 1, not missing"),
        (Edit("set", "name", "x", expect="y"), "name is missing"),
        (Edit("set", "seed", 3, expect=True), "seed is 1"),
        (Edit("unset", "name"), "nothing at name"),
        (Edit("unset", "model.layers.7"), "no item model.layers.7"),
        (Edit("set", "model.layers.2", "ReLU"), "no item model.layers.2"),
        (Edit("set", "model.layers.none.p", 1), "no item model.layers.none"),
        (Edit("insert", "model.layers.3", "ReLU"), "no item"),
        (Edit("insert", "seed", 1), "not an item of a list"),
        (Edit("move", "model.layers.0", to=2), "cannot move"),
        (Edit("move", "seed", to=1), "not an item of a list"),
        (Edit("set", "seed.deep", 1), "seed holds no deep"),
        (Edit("set", "", 1), "whole recipe"),
        (Edit("set", "a..b", 1), "empty or unfinished part"),
    ],
)
def test_edits_that_do_not_fit_are_refused(edit: Edit, words: str) -> None:
    with pytest.raises(UserError) as refused:
        apply_edits("seed: 1\nmodel:\n  layers: [ReLU, {type: Dropout, name: d}]\n", [edit])
    assert words in refused.value.message


def test_a_broken_text_is_not_edited() -> None:
    with pytest.raises(EditRefused) as refused:
        apply_edits("a: [1\nb: 2\n", [put("b", 3)])
    assert "line 2" in refused.value.message
    with pytest.raises(EditRefused):
        apply_edits("a: 1\na: 2\n", [put("b", 3)])


def test_numbers_match_whether_written_with_a_point_or_not() -> None:
    assert apply_edits("lr: 1\n", [Edit("set", "lr", 2, expect=1.0)]) == "lr: 2\n"


def test_an_edit_to_what_stands_there_changes_nothing() -> None:
    assert apply_with_inverse(TEXT, [put("optimizer.lr", 0.001)]) == (TEXT, ())
    assert apply_edits(TEXT, [put("optimizer.lr", 1)]) != TEXT


@pytest.mark.parametrize(
    "edit",
    [
        Edit("set", "a.b", [1, {"c": None}], expect=1.5),
        Edit("set", "a", None, expect=MISSING),
        Edit("set", "a", None, expect=None),
        Edit("unset", "a"),
        Edit("insert", "a.0", "x"),
        Edit("move", "a.0", to=3),
    ],
)
def test_edits_round_trip_through_json(edit: Edit) -> None:
    back = edit_from_json(json.loads(json.dumps(edit_to_json(edit))))
    assert back == edit
    assert (back.expect is ANY) == (edit.expect is ANY)
    assert (back.expect is MISSING) == (edit.expect is MISSING)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"op": "set", "path": "a"},
        {"op": "move", "path": "a", "to": "1"},
        {"op": "eval", "path": "a"},
        {"op": "set", "path": 3, "value": 1},
    ],
)
def test_json_that_is_no_edit_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        edit_from_json(fields)
