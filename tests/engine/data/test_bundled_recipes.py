"""The recipes that come with goodfit: without problems, and introduced by three lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.data.prepare import prepare
from engine.parts import catalog
from engine.recipe.check import check
from engine.recipe.document import Document

RECIPES = sorted((Path(__file__).parents[3] / "recipes").glob("*.yaml"))


def test_what_they_cover() -> None:
    names = {path.stem for path in RECIPES}
    assert {"digits", "digits_cnn", "breast_cancer", "wine", "diabetes", "penguins", "shapes"} <= names


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_no_problems(path: Path) -> None:
    catalog.load()
    document = Document.open(path)
    recipe = check(document).recipe
    assert recipe is not None
    facts = prepare(recipe, path.parent).facts
    assert check(document, facts).problems == []
    assert recipe.name == path.stem
    assert recipe.task == facts.task
    comments = [line.split(":")[0] for line in document.text.splitlines()[:3]]
    assert comments == ["# Teaches", "# Expect", "# Takes"]
