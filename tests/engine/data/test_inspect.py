"""Facts from a child process, and from the cache."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.data import inspect as module
from engine.data.inspect import inspect, look
from engine.recipe.schema import Recipe

Build = Callable[..., Recipe]
CsvOf = Callable[..., dict[str, Any]]
COLUMNS = {"a": [row * 0.5 for row in range(40)], "y": ["p", "q"] * 20}
RECIPE = """
data: {source: {type: CSV, path: data.csv, target: y}}
model: {layers: [{type: Linear, out_features: outputs}]}
optimizer: Adam
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOODFIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def child(*arguments: str, text: str = "", cwd: Path | None = None) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "engine.data.inspect", *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=cwd)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_child_reads_the_data(csv_of: CsvOf, tmp_path: Path) -> None:
    csv_of(COLUMNS)
    (tmp_path / "r.yaml").write_text(RECIPE)
    found = child(str(tmp_path / "r.yaml"))
    assert found["facts"]["task"] == "binary"
    assert found["preview"][1] == {"a": "0.5", "y": "q"}
    assert child("-", "--data-root", str(tmp_path), text=RECIPE) == found
    broken = child("-", text=RECIPE, cwd=tmp_path / "cache")
    assert broken["error"]["path"] == "data.source.path"
    assert "no file" in broken["error"]["message"]
    iris = "data: {source: {type: Builtin, name: iris}, batch_size: %s}"
    assert child("-", text=iris % 3)["facts"]["outputs"] == 3, "whatever is wrong elsewhere"
    assert "batch_size" in child("-", text=iris % 0)["error"]["message"]


def test_what_is_unchanged_is_not_read_again(
    build: Build, csv_of: CsvOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = csv_of(COLUMNS)
    first = look(build(source), tmp_path)
    monkeypatch.setattr("engine.data.prepare.finish", None)
    assert look(build(source), tmp_path) == first
    with pytest.raises(TypeError):
        inspect(build(source, batch_size=7, split={"seed": 1}), tmp_path)
    csv_of(COLUMNS | {"a": [row * 0.25 for row in range(40)]})
    with pytest.raises(TypeError):
        inspect(build(source), tmp_path)


def test_a_damaged_cache_is_read_anew(build: Build, csv_of: CsvOf, tmp_path: Path, cache: Path) -> None:
    recipe = build(csv_of(COLUMNS))
    facts = inspect(recipe, tmp_path)
    for file in (cache / "facts").iterdir():
        file.write_text('{"facts": {}')
    assert inspect(recipe, tmp_path) == facts
    assert module.look(recipe, tmp_path)[0] == facts


def test_a_cache_that_cannot_be_written_is_no_error(
    build: Build, csv_of: CsvOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GOODFIT_CACHE", str(tmp_path / "file"))
    assert inspect(build(csv_of(COLUMNS)), tmp_path).task == "binary"
