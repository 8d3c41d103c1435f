"""Matching, numbers and records in words, colours of YAML, files that lists show: no screen needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bundled.find import recipes as bundled
from tests.tui.workbench.conftest import RECIPE
from tui.keymap import ACTIONS
from tui.views.yaml_style import tokens
from tui.workbench import files
from tui.workbench.fuzzy import match
from tui.workbench.words import count, duration, event_line, number

NAMES = [action.title for action in ACTIONS]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("train", "Train this recipe"),
        ("stop", "Stop the run…"),
        ("expl", "Show the explorer"),
        ("qu", "Quit (runs go on)"),
        ("theme", "Switch theme: dark or light"),
        ("shmo", "Show the model"),
    ],
)
def test_the_obvious_match_comes_first(query: str, best: str) -> None:
    ranked = sorted((-found[0], name) for name in NAMES if (found := match(query, name)) is not None)
    assert ranked[0][1] == best


@given(st.text(max_size=8), st.text(max_size=30))
def test_a_match_has_every_letter_in_its_place(query: str, text: str) -> None:
    found = match(query, text)
    low = text.lower()
    if found is not None:
        assert all(0 <= spot < len(low) for spot in found[1])
        for word in query.lower().split():
            rest = iter(low)
            assert all(letter in rest for letter in word)
    elif len(query.split()) <= 1:
        rest = iter(low)
        assert not all(letter in rest for letter in query.lower().strip())


@given(st.text(max_size=60))
def test_colours_cover_no_letter_twice(line: str) -> None:
    end = 0
    for start, stop, _ in tokens(line):
        assert end <= start < stop <= len(line)
        end = stop


def test_yaml_has_the_right_colours() -> None:
    line = '  - {type: Linear, out_features: 64, init: null, "a b": outputs, x: 1e-3}  # wide: 3'
    found = {line[start:stop]: kind for start, stop, kind in tokens(line)}
    assert found["type"] == found["out_features"] == found['"a b"'] == "key"
    assert found["Linear"] == "part"
    assert found["64"] == found["1e-3"] == "number"
    assert found["null"] == found["outputs"] == "word"
    assert found["# wide: 3"] == "comment"
    assert {kind for line in RECIPE.splitlines() for _, _, kind in tokens(line)} >= {"key", "part", "number", "sign"}


def test_numbers() -> None:
    assert [number(value) for value in (0, 0.0, 0.06123, 1.5, 123456.0, 1.2e-5, float("nan"), 12345)] == [
        "0",
        "0",
        "0.0612",
        "1.5",
        "1.23e5",
        "1.2e-5",
        "nan",
        "12 345",
    ]
    assert (count(4810), count(12), count(2.5e6)) == ("4.81k", "12", "2.5M")
    assert (duration(6), duration(3725), duration(float("inf"))) == ("0:06", "1:02:05", "?")


def test_a_record_is_one_line_without_control_characters() -> None:
    line = event_line(
        {"type": "epoch", "time": 3.2, "epoch": 2, "step": 80, "val_loss": "nan", "metrics": {"val_accuracy": 0.5}}
    )
    assert line.split() == ["0:03", "epoch", "2", "val", "nan", "accuracy", "0.5"]
    assert "\x1b" not in event_line({"type": "finished", "time": 1, "message": "\x1b]0;title\x07bad\nnews"})


def test_lists_show_recipes_and_data_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RECIPE)
    (tmp_path / "notes.yml").write_text("some: notes\n")
    (tmp_path / ".hidden.yaml").write_text(RECIPE)
    (tmp_path / "d.csv").write_text("a,b\n")
    for folder in ("sub", "runs", ".git"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "b.yaml").write_text(RECIPE)
    assert [path.name for path in files.recipes(tmp_path)] == ["a.yaml", "b.yaml"]
    assert [path.name for path in files.data_files(tmp_path)] == ["d.csv"]
    assert files.recipes(tmp_path / "nowhere") == []
    assert {"digits.yaml"} <= {path.name for path in bundled()}
