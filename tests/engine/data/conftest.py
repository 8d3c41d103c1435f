"""Recipes from data sections, and files to read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.data.prepare import prepare
from engine.data.prepared import Prepared
from engine.parts import catalog
from engine.recipe.document import Document
from engine.recipe.resolve import dump
from engine.recipe.schema import Recipe
from engine.recipe.validate import validate

Build = Callable[..., Recipe]
Ready = Callable[..., Prepared]


@pytest.fixture
def build() -> Build:
    """`build(source, task=None, loss=None, **data)`: a recipe with this data section, read as a recipe file is."""
    catalog.load()

    def make(source: dict[str, Any], task: str | None = None, loss: Any = None, **data: Any) -> Recipe:
        fields: dict[str, Any] = {"data": {"source": source, **data}}
        fields |= {"task": task} if task else {}
        fields |= {"loss": loss} if loss else {}
        fields |= {"model": {"layers": [{"type": "Linear", "out_features": 2}]}, "optimizer": "Adam"}
        recipe, problems = validate(Document.from_text(dump(fields)).tree)
        assert recipe is not None, problems
        return recipe

    return make


@pytest.fixture
def ready(build: Build, tmp_path: Path) -> Ready:
    """`ready(source, **data)`: prepared data; paths are relative to `tmp_path`."""

    def make(source: dict[str, Any], **data: Any) -> Prepared:
        return prepare(build(source, **data), tmp_path)

    return make


@pytest.fixture
def csv_of(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """`csv_of(columns, target, name="data.csv")`: writes a CSV file, and returns the source that reads it."""

    def make(columns: dict[str, list[Any]], target: Any = "y", name: str = "data.csv", **more: Any) -> dict[str, Any]:
        rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
        (tmp_path / name).write_text("\n".join(rows) + "\n", encoding="utf-8")
        return {"type": "CSV", "path": name, "target": target, **more}

    return make
