"""Files that the explorer and quick open list: recipes near the person, recipes that come with goodfit, data files."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

RECIPE_SUFFIXES = (".yaml", ".yml")
DATA_SUFFIXES = (".csv", ".tsv", ".parquet", ".npz", ".npy")
_SECTION = re.compile(rb"^model\s*:", re.MULTILINE)
_MOST = 500
"""Most files that a list holds."""
_HEAD = 65536


def recipes(folder: Path) -> list[Path]:
    """Recipes in a folder and one level below it, by name; folders that hold runs or are hidden are left out."""
    return _files(folder, RECIPE_SUFFIXES, _is_recipe)


def data_files(folder: Path) -> list[Path]:
    """Data files in a folder and one level below it."""
    return _files(folder, DATA_SUFFIXES)


def installed(path: Path) -> bool:
    """Whether a recipe lies in the installed package: nobody's own, and not to be written over."""
    import engine.bundled.find

    return path.resolve().is_relative_to(Path(engine.bundled.find.__file__).resolve().parent)


def _files(folder: Path, suffixes: tuple[str, ...], good: object = None) -> list[Path]:
    found: list[Path] = []
    for place in (folder, *_folders(folder)):
        try:
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.name.endswith(suffixes) and not entry.name.startswith(".") and _is_file(entry):
                path = Path(entry.path)
                if good is None or _is_recipe(path):
                    found.append(path)
            if len(found) >= _MOST:
                return found
    return found


def _folders(folder: Path) -> list[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return []
    left_out = {"runs", "node_modules", "__pycache__", "build", "dist", "tests", "site-packages"}
    return [
        Path(entry.path)
        for entry in entries
        if not entry.name.startswith(".") and entry.name not in left_out and _is_folder(entry)
    ][:50]


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_recipe(path: Path) -> bool:
    """Whether a YAML file has a model, as a recipe has."""
    try:
        stamp = path.stat()
    except OSError:
        return False
    return _has_model(path, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=2048)
def _has_model(path: Path, _modified: int, _size: int) -> bool:
    try:
        with path.open("rb") as file:
            return _SECTION.search(file.read(_HEAD)) is not None
    except OSError:
        return False
