"""Bundled recipes by name, and what each of them must say and be."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bundled.find import bundled, folder, recipes


def test_they_are_found_by_any_spelling() -> None:
    assert folder() is not None
    path = bundled("digits")
    assert path is not None and path.name == "digits.yaml"
    assert bundled("digits.yaml") == bundled("recipes/digits.yaml") == path
    assert bundled("nonesuch") is None and bundled("") is None


@pytest.mark.parametrize("path", recipes(), ids=lambda path: path.stem)
def test_each_opens_with_three_lines_for_a_person(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert all(line.startswith("# ") for line in lines[:3]) and not lines[3].startswith("#")
