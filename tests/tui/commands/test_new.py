"""`new` and `code`: files written for people."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.tui.commands.goodfit import MAIN, RECIPE, Goodfit
from tests.tui.terminal import Terminal

ROWS = "size,colour,ripe\n" + "".join(f"{i % 13}.5,{('red', 'green')[i % 3 == 0]},{i % 13 > 6}\n" for i in range(80))


@pytest.fixture
def table(goodfit: Goodfit) -> Goodfit:
    (goodfit.folder / "fruit.csv").write_text(ROWS)
    return goodfit


def test_a_first_recipe_has_no_errors(table: Goodfit) -> None:
    assert table.json("new", "fruit.csv", "--target", "ripe") == [{"type": "created", "file": "fruit.yaml"}]
    assert table.json("check", "fruit.yaml")[-1]["errors"] == 0
    assert "fruit.csv" in (table.folder / "fruit.yaml").read_text()


def test_it_finds_its_data_from_another_folder(table: Goodfit) -> None:
    (table.folder / "mine").mkdir()
    table("new", "fruit.csv", "--target", "colour", "-o", "mine/first.yaml")
    assert table.json("check", "mine/first.yaml")[-1]["errors"] == 0


def test_nothing_is_written_over(table: Goodfit) -> None:
    (table.folder / "fruit.yaml").write_text("mine")
    assert "--force" in table("new", "fruit.csv", "--target", "ripe", code=2).stderr
    assert (table.folder / "fruit.yaml").read_text() == "mine"
    table("new", "fruit.csv", "--target", "ripe", "--force")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fruit.csv",), "ripe"),
        (("fruit.csv", "--target", "rip"), "ripe"),
        (("fruits.csv", "--target", "ripe"), "did you mean fruit.csv?"),
        (("iris.yaml", "--target", "ripe"), "iris.yaml"),
    ],
)
def test_bad_input_writes_nothing(table: Goodfit, arguments: tuple[str, ...], words: str) -> None:
    assert words in table("new", *arguments, code=2).stderr
    assert not (table.folder / "fruit.yaml").exists()


def test_on_a_terminal_it_asks(table: Goodfit) -> None:
    command = [sys.executable, "-P", "-c", MAIN, "new", "fruit.csv"]
    with Terminal(command, cwd=table.folder, env=table.env) as terminal:
        terminal.until_text("number or name")
        assert "do you want to predict?" in terminal.text
        terminal.type(b"sise\n")
        terminal.until_text("none of these")
        terminal.type(b"colour\n")
        assert terminal.wait() == 0
    assert "target: colour" in (table.folder / "fruit.yaml").read_text()


def test_code_is_one_python_file(goodfit: Goodfit) -> None:
    (line,) = goodfit.json("code", "iris.yaml")
    ast.parse(line["text"])
    assert goodfit("code", "iris.yaml").stdout == line["text"].rstrip("\n") + "\n"
    assert "goodfit" not in {
        name.name for node in ast.walk(ast.parse(line["text"])) if isinstance(node, ast.Import) for name in node.names
    }


def test_code_of_a_recipe_with_errors_is_none(goodfit: Goodfit) -> None:
    (goodfit.folder / "bad.yaml").write_text(RECIPE.replace("Adam", "Adm"))
    done = goodfit("code", "bad.yaml", code=2)
    assert done.stdout == "" and "bad.yaml:11:" in done.stderr and "Adam" in done.stderr


def test_a_recipe_by_the_name_of_a_bundled_one(goodfit: Goodfit) -> None:
    assert goodfit.json("check", "digits")[-1]["files"] == 1
    assert "did you mean digits?" in goodfit("check", "digts", code=2).stdout
    assert Path(goodfit.folder, "digits.yaml").exists() is False
