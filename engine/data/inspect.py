"""Facts about a recipe's data for those who must not parse files themselves, cached by the files' content.

`python -P -m engine.data.inspect RECIPE [--data-root FOLDER] [--parts FILE.py]` prints one JSON object,
`{"facts": {...}, "preview": [{column: text}, ...]}` or `{"error": {"message", "hint", "path"}}`. RECIPE may be `-`: the
recipe's text is then read from standard input, and relative paths start at `--data-root`, else at the working folder.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from engine.data.errors import DataError
from engine.data.facts import Facts
from engine.data.rows import Rows
from engine.data.source_files import source_files
from engine.errors import UserError
from engine.recipe.schema import Recipe

VERSION = 2
"""Part of every cache key: count it up when the facts of unchanged files change."""
PREVIEW = 20
MOST_SHOWN = 100
"""Columns of the preview at most."""


def inspect(recipe: Recipe, base: Path) -> Facts:
    """Facts about the recipe's data; relative paths start at `base`. Raises DataError."""
    return look(recipe, base)[0]


def look(recipe: Recipe, base: Path) -> tuple[Facts, list[dict[str, str]]]:
    """Facts, and the first rows as text. Raises DataError.

    Both come from the cache where the files' content and the keys of the recipe that matter are as they were.
    """
    held = _cache_file(recipe, base)
    if held is not None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(held.read_text(encoding="utf-8"))
            return facts_from(found["facts"]), found["preview"]
    from engine.data.gather import gather
    from engine.data.prepare import finish, silent

    gathered = gather(recipe.data, recipe.task, base)
    facts = finish(recipe, gathered, silent).facts
    rows = preview(gathered.main)
    if held is not None:
        with contextlib.suppress(OSError):
            _write(held, json.dumps({"facts": asdict(facts), "preview": rows}))
    return facts, rows


def facts_from(fields: dict[str, Any]) -> Facts:
    """Facts from their JSON."""
    return Facts(**(fields | {"shape": tuple(fields["shape"])}))


def preview(rows: Rows, count: int = PREVIEW) -> list[dict[str, str]]:
    """The first rows, a mapping of column to text each; for images only the target."""
    import numpy as np

    first = np.arange(min(count, rows.n))
    columns = {name: column.take(first).texts() for name, column in list(rows.columns.items())[:MOST_SHOWN]}
    return [{name: cells[row] or "" for name, cells in columns.items()} for row in first.tolist()]


def _cache_file(recipe: Recipe, base: Path) -> Path | None:
    """Where the facts of this data would be held; None where a file cannot be read."""
    digest = hashlib.sha256(f"{VERSION} {recipe.task} {_plain(recipe.data)} {_plain(recipe.loss)}".encode())
    for path in source_files(recipe.data, base):
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except (OSError, ValueError):
            return None
    return cache_folder() / "facts" / f"{digest.hexdigest()[:32]}.json"


def cache_folder() -> Path:
    """`GOODFIT_CACHE`, else the system's folder for caches."""
    from platformdirs import user_cache_path

    named = os.environ.get("GOODFIT_CACHE")
    return Path(named).expanduser() if named else user_cache_path("goodfit", appauthor=False)


def _plain(value: Any) -> Any:
    """A model as plain data, types and all, whatever base class its fields are annotated with."""
    if isinstance(value, BaseModel):
        return [type(value).__name__, {name: _plain(getattr(value, name)) for name in type(value).model_fields}]
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return value


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)


def answer(recipe: str, data_root: Path | None, parts: list[Path]) -> dict[str, Any]:
    """What the child prints."""
    from engine.parts import catalog
    from engine.recipe.document import Document
    from engine.recipe.validate import validated

    try:
        catalog.load()
        for part in parts:
            catalog.load_file(part)
        document = Document.from_text(sys.stdin.read()) if recipe == "-" else Document.open(Path(recipe))
        base = data_root or (Path() if recipe == "-" else Path(recipe).parent)
        found = validated(document.tree)
        checked = found.to_read()
        if checked is None:
            first = min(found.problems, key=lambda problem: problem.path.split(".")[0] not in ("data", "task", "loss"))
            return {"error": {"message": first.message, "hint": first.hint, "path": first.path}}
        facts, rows = look(checked, base.absolute())
    except UserError as error:
        path = error.path if isinstance(error, DataError) else "data.source"
        return {"error": {"message": error.message, "hint": error.hint, "path": path}}
    except MemoryError:
        message = "the data does not fit into this machine's memory"
        return {"error": {"message": message, "hint": "leave columns out, or sample rows", "path": "data.source"}}
    return {"facts": asdict(facts), "preview": rows}


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(prog="python -P -m engine.data.inspect")
    parser.add_argument("recipe")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--parts", type=Path, action="append", default=[])
    given = parser.parse_args()
    sys.stdout.write(json.dumps(answer(given.recipe, given.data_root, given.parts)) + "\n")


if __name__ == "__main__":
    main()
