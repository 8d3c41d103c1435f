"""What a word on the command line stands for: a recipe file, a run, or either."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from engine.bundled.find import bundled, recipes
from engine.errors import UserError
from engine.runs.directory import find, runs_root

SUFFIXES = (".yaml", ".yml")


def find_run(word: str, runs: Path | None) -> Path:
    """The run that `word` names. Raises UserError with the candidates or the nearest names."""
    return find(runs_root(runs), word)


def find_model(word: str, runs: Path | None) -> Path:
    """The run whose model is meant: that of `word`, or its best trial's where it is a search. Raises UserError."""
    from engine.search.stand_in import stands_for
    from tui.commands.output import narrate

    found = find_run(word, runs)
    model = stands_for(found)
    if model != found:
        narrate(f"the best trial of {found.name}: {model.name}")
    return model


def find_recipe(word: str) -> Path:
    """The recipe file that `word` names: a path, or a bundled recipe's name. Raises UserError with near names."""
    path = Path(word).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        raise UserError(f"{word} is a folder, not a recipe", _inside(path))
    found = bundled(word)
    if found is not None:
        return found
    raise UserError(f"there is no recipe {word}", near_recipes(word))


def near_recipes(word: str) -> str:
    """The recipe whose name is nearest to `word`, else some that there are, in a sentence."""
    path = Path(word)
    beside = [p for p in path.parent.iterdir() if p.suffix in SUFFIXES] if path.parent.is_dir() else []
    every = {p.stem: p.stem for p in recipes()} | {p.stem: str(p) for p in beside}
    near = difflib.get_close_matches(path.stem, list(every), n=1, cutoff=0.5)
    if near:
        return f"did you mean {every[near[0]]}?"
    return f"there is {', '.join(sorted(every.values())[:8])}" if every else ""


def _inside(folder: Path) -> str:
    found = sorted(str(path) for path in folder.iterdir() if path.suffix in SUFFIXES)
    return f"it holds {', '.join(found[:6])}" if found else ""


@dataclass(frozen=True)
class Target:
    """A recipe or a run."""

    path: Path
    is_run: bool


def find_target(word: str, runs: Path | None) -> Target:
    """A recipe file or a run, whichever `word` names. Raises UserError."""
    path = Path(word).expanduser()
    if path.is_file():
        return Target(path, is_run=False)
    if path.suffix in SUFFIXES:
        return Target(find_recipe(word), is_run=False)
    try:
        return Target(find_run(word, runs), is_run=True)
    except UserError as error:
        found = bundled(word)
        if found is not None:
            return Target(found, is_run=False)
        raise error
