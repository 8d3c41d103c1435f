"""How a problem is shown under its line of source."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.recipe.problem import Problem
from tui.commands.problems import WIDTH, cells, excerpt, show_problems


def shown(text: str, *problems: Problem) -> list[str]:
    out = io.StringIO()
    show_problems("r.yaml", text, problems, stream=out)
    return out.getvalue().splitlines()


def test_place_line_caret_hint() -> None:
    problem = Problem(2, 3, "data.x", "unknown key 'x'", "did you mean y?")
    assert shown("data:\n  x: 1\n", problem) == [
        "r.yaml:2:3: error: unknown key 'x'",
        "      x: 1",
        "      ^",
        "    hint: did you mean y?",
    ]


def test_an_empty_file_has_no_line_to_quote() -> None:
    assert shown("", Problem(1, 1, "", "the recipe is empty")) == ["r.yaml:1:1: error: the recipe is empty"]


def test_wide_characters_take_two_cells() -> None:
    line = "名前: {x: 1}"
    quoted, caret = excerpt(line, line.index("x") + 1)
    assert quoted == line and caret == 7


def test_a_long_line_is_cut_around_the_place() -> None:
    line = "a" * 5000 + "BAD" + "b" * 5000
    quoted, caret = excerpt(line, 5001)
    assert len(quoted) <= WIDTH + 3 and quoted[caret:].startswith("BAD")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1, max_size=300), st.data())
def test_the_caret_stands_under_the_place(line: str, data: st.DataObject) -> None:
    column = data.draw(st.integers(1, len(line)))
    quoted, caret = excerpt(line, column)
    assert 0 <= caret <= 2 * (WIDTH + 3)
    char = line[column - 1]
    if char.isprintable() and not char.isspace():
        before = next(i for i in range(len(quoted) + 1) if cells(quoted[:i]) == caret)
        assert char in quoted[before:]


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x1b]0;t\x07", "\u202e", "\x9b6n"])
def test_source_and_words_are_cleaned(evil: str) -> None:
    lines = shown(f"a: {evil}1\n", Problem(1, 4, evil, f"bad {evil}", f"hint {evil}"))
    assert not set("".join(lines)) & set("\x1b\x07\u202e\x9b")
