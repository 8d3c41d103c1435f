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
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from engine.data.cache import cache_folder as cache_folder
from engine.data.cache import write_aside
from engine.data.errors import DataError
from engine.data.facts import Facts
from engine.data.pixels.contents import mark_of
from engine.data.pixels.folder import list_images, subfolders
from engine.data.pixels.read import Progress
from engine.data.rows import Rows
from engine.data.source_files import source_files
from engine.errors import UserError
from engine.recipe.schema import Recipe

VERSION = 3
"""Part of every cache key: count it up when the facts of unchanged files change."""
PREVIEW = 20
MOST_SHOWN = 100
"""Columns of the preview at most."""
LARGE = 32 << 20
"""Bytes of files from which reading them takes seconds."""
HEAD = 1 << 16
"""Bytes of a large table that hold its header and some rows."""


def inspect(recipe: Recipe, base: Path, tell: Progress | None = None) -> Facts:
    """Facts about the recipe's data; relative paths start at `base`; `tell` hears how far it has come. Raises
    DataError."""
    return look(recipe, base, tell)[0]


def look(recipe: Recipe, base: Path, tell: Progress | None = None) -> tuple[Facts, list[dict[str, str]]]:
    """Facts, and the first rows as text (of a folder of images: some rows, of all classes). Raises DataError.

    Both come from the cache where the files' content and the keys of the recipe that matter are as they were.
    """
    held = _cache_file(recipe, base)
    known = _known(held)
    if known is not None:
        return known
    from engine.data.gather import gather
    from engine.data.prepare import finish, silent

    gathered = gather(recipe.data, recipe.task, base, tell or silent)
    facts = finish(recipe, gathered, silent).facts
    rows = preview(gathered.main)
    if held is not None:
        with contextlib.suppress(OSError):
            write_aside(held, json.dumps({"facts": asdict(facts), "preview": rows}).encode())
    return facts, rows


def takes_long(recipe: Recipe, base: Path) -> bool:
    """Whether `inspect` would read much: many bytes of files, and no facts about them in the cache. Never where a first
    look shows that something is wrong, which is for `inspect` to tell."""
    try:
        _glance(recipe, base)
        names = _named_images(recipe, base)
        for path in source_files(recipe.data, base):
            folder = path.is_dir()
            names += [path / name for name in list_images(path, "data.source.path").names] if folder else [path]
        large = sum(path.stat().st_size for path in names) >= LARGE
    except (OSError, ValueError, DataError):
        return False
    return large and _known(_cache_file(recipe, base)) is None


def _glance(recipe: Recipe, base: Path) -> None:
    """Raises DataError where a table's header, or a folder's list of files, does not fit the recipe."""
    from engine.data.choose import check_names
    from engine.data.column import Column
    from engine.data.pixels.folder import list_classes, more_than_one_class, parts_of

    source, key = recipe.data.source, "data.source.path"
    kind, path = type(source).type_name(), source_files(recipe.data, base)[0]
    if kind == "ImageFolder":
        train = parts_of(path, key).get("train", path)
        more_than_one_class(list_classes(train, key), train, key)
        return
    if kind == "CSV":
        from engine.data.read_csv import read_csv

        with path.open("rb") as file:
            content = file.read(HEAD)
        columns = read_csv(content[: content.rfind(b"\n") + 1], path, key)
    elif kind == "Parquet":
        import polars as pl

        try:
            names = list(pl.read_parquet_schema(path))
        except pl.exceptions.PolarsError as error:
            raise DataError(str(error), "", key) from None
        columns = {name: Column(name, pl.Series([], dtype=pl.String), None) for name in names}
    else:
        return
    wanted: Any = source.target  # type: ignore[attr-defined]
    check_names(columns, [wanted] if isinstance(wanted, str) else list(wanted), recipe.data)


def _known(held: Path | None) -> tuple[Facts, list[dict[str, str]]] | None:
    if held is not None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(held.read_text(encoding="utf-8"))
            return facts_from(found["facts"]), found["preview"]
    return None


def facts_from(fields: dict[str, Any]) -> Facts:
    """Facts from their JSON."""
    return Facts(**(fields | {"shape": tuple(fields["shape"])}))


def preview(rows: Rows, count: int = PREVIEW) -> list[dict[str, str]]:
    """The first rows, a mapping of column to text each; for arrays of images only the target."""
    import numpy as np

    first = np.arange(min(count, rows.n))
    if rows.listed is not None:  # the first ones are all of the first class
        first = np.unique(np.linspace(0, rows.n - 1, count).astype(np.int64))
    columns = {name: column.take(first).texts() for name, column in list(rows.columns.items())[:MOST_SHOWN]}
    return [{name: cells[row] or "" for name, cells in columns.items()} for row in range(len(first))]


def _cache_file(recipe: Recipe, base: Path) -> Path | None:
    """Where the facts of this data would be held; None where a file cannot be read."""
    digest = hashlib.sha256(f"{VERSION} {recipe.task} {_plain(recipe.data)} {_plain(recipe.loss)}".encode())
    try:
        for path in source_files(recipe.data, base):
            if path.is_dir():
                listed = list_images(path, "data.source.path")
                for name in (*listed.names, *listed.others, *(folder.name for folder in subfolders(path, ""))):
                    digest.update(f"{name} {mark_of(path / name)}\n".encode("utf-8", "surrogateescape"))
                continue
            with path.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
        for file in _named_images(recipe, base):
            digest.update(f"{file} {mark_of(file)}\n".encode("utf-8", "surrogateescape"))
    except (OSError, ValueError, DataError):
        return None
    return cache_folder() / "facts" / f"{digest.hexdigest()[:32]}.json"


def _named_images(recipe: Recipe, base: Path) -> list[Path]:
    """The files that columns of images name. Raises DataError where the tables cannot be read."""
    columns = [name for name, kind in recipe.data.columns.items() if kind == "image"]
    if not columns:
        return []
    from engine.data.sources import load

    loaded = load(recipe.data, base)
    return [
        rows.root / text
        for rows in (loaded.main, *loaded.parts.values())
        for name in columns
        if rows.root is not None and name in rows.columns
        for text in rows.columns[name].texts()
        if text is not None
    ]


def _plain(value: Any) -> Any:
    """A model as plain data, types and all, whatever base class its fields are annotated with."""
    if isinstance(value, BaseModel):
        return [type(value).__name__, {name: _plain(getattr(value, name)) for name in type(value).model_fields}]
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return value


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
