"""Recipes, problems and edits, as a script sees them."""

from __future__ import annotations

import pytest

from tests.contract.conftest import EXAMPLE
from tests.contract.program import Program

PROBLEM = {"type", "file", "line", "column", "path", "message", "hint", "severity"}


def test_the_example_recipe_has_no_problem(goodfit: Program) -> None:
    assert goodfit.json("check", "water.yaml") == [{"type": "checked", "files": 1, "errors": 0, "warnings": 0}]
    assert goodfit.json("show", "water.yaml") == [{"type": "recipe", "text": EXAMPLE}]
    (resolved,) = goodfit.json("show", "water.yaml", "--resolved")
    assert "outputs}" not in resolved["text"] and "amsgrad: false" in resolved["text"]
    goodfit.write("resolved.yaml", resolved["text"])
    assert goodfit.json("check", "resolved.yaml")[-1]["warnings"] == 0, "a default written out is no mistake"


def test_all_problems_come_at_once_with_their_places(goodfit: Program) -> None:
    text = (
        EXAMPLE.replace("- ReLU ", "- Relu ").replace("type: Adam", "type: Adm").replace("epochs: 40", 'epochs: "40"')
    )
    goodfit.write("bad.yaml", text.replace("deterministic: true", "deterministic: yes"))
    goodfit.write("empty.yaml", "")
    goodfit.write("short.yaml", "name: x\ndata: {source: {type: Builtin, name: iris}}\n")
    *problems, last = goodfit.json("check", "bad.yaml", "empty.yaml", "short.yaml", "none.yaml", code=2)
    assert all(set(problem) == PROBLEM for problem in problems)
    errors = [problem for problem in problems if problem["severity"] == "error"]
    assert last == {"type": "checked", "files": 4, "errors": len(errors), "warnings": 0}
    places = [(problem["file"], problem["path"], problem["line"], problem["column"]) for problem in errors]
    lines = text.splitlines()

    def line_of(words: str) -> int:
        return next(at for at, line in enumerate(lines, 1) if words in line)

    assert places[:4] == [
        ("bad.yaml", "model.layers.1", line_of("- Relu"), 7),
        ("bad.yaml", "optimizer.type", line_of("Adm"), 19),
        ("bad.yaml", "train.epochs", line_of('"40"'), 11),
        ("bad.yaml", "train.deterministic", line_of("deterministic"), 18),
    ]
    assert places[4] == ("empty.yaml", "", 1, 1)
    short = [place for place in places if place[0] == "short.yaml"]
    assert len(short) == 2 and {place[2:] for place in short} == {(1, 1)}, "a missing key: at its parent"
    assert places[-1][0] == "none.yaml" and places[-1][2:] == (1, 1)


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("name: &a x", "name"),
        ("name: *a", "name"),
        ("name: !!str x", "name"),
        ("<<: {name: x}", ""),
        ("seed: 1\nseed: 2", "seed"),
        ("---\nname: x", ""),
    ],
)
def test_the_language_is_limited(goodfit: Program, line: str, at: str) -> None:
    body = "\n".join(row for row in EXAMPLE.splitlines() if not row.startswith(("name:", "seed:")))
    goodfit.write("odd.yaml", f"{body}\n{line}\n")
    errors = [p for p in goodfit.json("check", "odd.yaml", code=2) if p.get("severity") == "error"]
    assert [error["path"] for error in errors] == [at]
    assert errors[0]["line"] >= len(body.splitlines()) + 1


def test_set_on_a_file_touches_its_own_lines_and_keeps_comments(goodfit: Program) -> None:
    edits = ["optimizer.lr=3e-4", "model.layers.drop1.p=0.1", 'search.space."optimizer.lr".log_uniform=[1e-5, 1e-2]']
    (line,) = goodfit.json("set", "water.yaml", *edits, 'data.columns."a.b"=ignore', 'name="a=b"')
    assert line["type"] == "set" and line["file"] == "water.yaml"
    assert [edit["value"] for edit in line["edits"]] == [3e-4, 0.1, [1e-5, 1e-2], "ignore", "a=b"]
    wanted = (
        EXAMPLE.replace("lr: 1e-3", "lr: 3e-4")
        .replace("p: 0.3", "p: 0.1")
        .replace("[1e-4, 1e-2]", "[1e-5, 1e-2]")
        .replace("id: ignore}", "id: ignore, a.b: ignore}")
        .replace("name: water\n", "name: a=b\n")
    )
    assert (goodfit.folder / "water.yaml").read_text() == wanted
    assert goodfit("set", "water.yaml", "optimizer.lr", code=2) == ""
    assert (goodfit.folder / "water.yaml").read_text() == wanted


def test_a_new_type_drops_what_it_lacks(goodfit: Program) -> None:
    (line,) = goodfit.json("set", "water.yaml", "optimizer.betas=[0.8, 0.9]", "optimizer.type=SGD")
    assert [edit["op"] for edit in line["edits"]].count("unset") <= 1
    assert "optimizer: {type: SGD, lr: 1e-3, weight_decay: 1e-4}" in (goodfit.folder / "water.yaml").read_text()
    differences = goodfit.json("diff", "water.yaml", goodfit.write("first.yaml", EXAMPLE))
    assert differences == [{"type": "difference", "path": "optimizer.type", "a": "SGD", "b": "Adam"}]


def test_new_writes_a_recipe_that_checks(goodfit: Program) -> None:
    assert goodfit.json("new", "water.csv", "--target", "Potability", "-o", "first.yaml") == [
        {"type": "created", "file": "first.yaml"}
    ]
    text = (goodfit.folder / "first.yaml").read_text()
    assert "\ngoodfit: 1\n" in text and "\ntask: binary" in text
    assert goodfit.json("check", "first.yaml")[-1]["errors"] == 0
    assert goodfit.json("new", "water.csv", "--target", "Potability", "-o", "first.yaml", code=2) == []
