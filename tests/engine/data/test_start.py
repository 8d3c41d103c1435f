"""First recipes: valid, without problems, for whatever a table holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.data.errors import DataError
from engine.data.prepare import prepare
from engine.data.start import columns, first_recipe
from engine.parts import catalog
from engine.recipe.check import check
from engine.recipe.document import Document

CsvOf = Callable[..., dict[str, Any]]
N = 60
X = [round(value, 3) for value in np.random.default_rng(0).normal(size=N).tolist()]


@pytest.fixture(autouse=True)
def parts() -> None:
    catalog.load()


def checked(text: str, base: Path) -> Any:
    """The recipe, after it was found to be without problems."""
    document = Document.from_text(text)
    recipe = check(document).recipe
    assert recipe is not None
    facts = prepare(recipe, base).facts
    found = check(document, facts)
    assert not found.errors, found.errors
    return document, recipe, facts


@pytest.mark.parametrize(
    ("target", "task", "loss"),
    [
        ("kind", "classification", "CrossEntropyLoss"),
        ("flag", "binary", "BCEWithLogitsLoss"),
        ("level", "regression", "MSELoss"),
    ],
)
def test_a_table(target: str, task: str, loss: str, csv_of: CsvOf, tmp_path: Path) -> None:
    csv_of(
        {
            "id": list(range(N)),
            "level": X,
            "kind": ["a", "b", "c"] * (N // 3),
            "flag": [0, 1] * (N // 2),
            "hole": ["", *X[:-1]],
            "name: x # y": ["u", "v", "v", "u"] * (N // 4),
            "remark": [f"text {row}" for row in range(N)],
        }
    )
    text = first_recipe(tmp_path / "data.csv", target)
    document, recipe, facts = checked(text, tmp_path)
    assert (recipe.task, facts.task, recipe.loss.type_name()) == (task, task, loss)
    assert document.get("data.source.path") == "data.csv"
    assert recipe.data.columns == {"id": "ignore", "remark": "ignore"}
    assert recipe.data.missing == "median"
    assert not [note for note in facts.warnings if note["severity"] == "warning"]


def test_columns_start_with_the_likeliest(csv_of: CsvOf, tmp_path: Path) -> None:
    csv_of({"id": list(range(N)), "Species": ["a", "b"] * (N // 2), "x": X, "note": [f"n {row}" for row in range(N)]})
    found = columns(tmp_path / "data.csv")
    assert [column["name"] for column in found] == ["Species", "id", "x", "note"]
    assert [column["type"] for column in found] == ["category", "ignore", "number", "ignore"]
    csv_of({"id": list(range(N)), "x": X, "z": X, "note": [f"n {row}" for row in range(N)]})
    assert columns(tmp_path / "data.csv")[0]["name"] == "z"


def test_groups_are_kept_together(csv_of: CsvOf, tmp_path: Path) -> None:
    csv_of({"patient": [f"p{row // 4}" for row in range(N)], "x": X, "y": ["a", "b"] * (N // 2)})
    document, _, _ = checked(first_recipe(tmp_path / "data.csv", "y"), tmp_path)
    assert document.get("data.split.group") == "patient"


def test_a_target_with_holes_and_rare_classes(csv_of: CsvOf, tmp_path: Path) -> None:
    csv_of({"x": X, "y": ["", "once", *["a", "b"] * (N // 2 - 1)]})
    document, _, facts = checked(first_recipe(tmp_path / "data.csv", "y"), tmp_path)
    assert document.get("data.missing") == "drop"
    assert document.get("data.split.stratify") is None
    assert sum(facts.rows.values()) == N - 1


@pytest.mark.parametrize("shape", [(N, 5), (N, 8, 8), (N, 3, 40, 40), (N, 1, 5, 5)])
def test_arrays(shape: tuple[int, ...], tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    np.savez(tmp_path / "d.npz", images=x, labels=np.arange(N) % 3)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(N) % 3)
    assert [column["name"] for column in columns(tmp_path / "d.npz")] == ["labels"]
    for file in ("d.npz", "x.npy"):
        _, recipe, facts = checked(first_recipe(tmp_path / file), tmp_path)
        assert facts.outputs == 3
        assert (recipe.model.layers[0].type_name() == "Conv2d") == (len(shape) > 2)


def test_a_recipe_elsewhere_names_the_file_by_its_whole_path(csv_of: CsvOf, tmp_path: Path) -> None:
    csv_of({"x": X, "y": X[::-1]})
    text = first_recipe(tmp_path / "data.csv", "y", folder=tmp_path / "other")
    assert Document.from_text(text).get("data.source.path") == str(tmp_path / "data.csv")


@pytest.mark.parametrize("folder", ["", "sub/..", "link"])
def test_a_file_beside_or_below_the_recipe_is_named_from_there(
    folder: str, csv_of: CsvOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    csv_of({"x": X, "y": X[::-1]}, name="sub/train.csv")
    monkeypatch.chdir(tmp_path / "sub")
    text = first_recipe(Path("train.csv"), "y", folder=tmp_path / folder, name="credit")
    document = Document.from_text(text)
    assert document.get("data.source.path") == "sub/train.csv"
    assert document.get("name") == "credit"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "x\n1\n", "single column"),
        ("a.csv", "", "empty"),
        ("a.xlsx", "x", "no data that goodfit reads"),
        ("none.csv", None, "no file"),
        ("x.npy", "x", "no file beside it"),
    ],
)
def test_refuses(name: str, content: str | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=words):
        columns(tmp_path / name)
    with pytest.raises(DataError, match=words):
        first_recipe(tmp_path / name)


def test_a_column_that_is_not_there(csv_of: CsvOf, tmp_path: Path) -> None:
    csv_of({"x": X, "price": X[::-1]})
    with pytest.raises(DataError, match="no column 'prize'") as error:
        first_recipe(tmp_path / "data.csv", "prize")
    assert "did you mean 'price'" in error.value.hint
