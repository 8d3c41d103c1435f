"""`goodfit show`: a recipe as written, resolved, or as a run ended up with it."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.errors import UserError
from tui.commands.options import data_root as data_root_option
from tui.commands.options import json_lines, parts_files, runs_folder, sets, several

if TYPE_CHECKING:
    from engine.data.facts import Facts


@click.command("show")
@click.argument("target", metavar="RECIPE|RUN")
@click.option("--resolved", is_flag=True, help="With every default written out.")
@click.option("--at", "step", type=click.IntRange(min=0), metavar="STEP", help="As a run had it after this step.")
@several(sets, data_root_option, runs_folder, parts_files, json_lines)
def command(
    target: str,
    resolved: bool,
    step: int | None,
    sets: tuple[str, ...],
    data_root: Path | None,
    runs: Path | None,
    parts: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Print a recipe: as written, with --resolved complete; of a run, with the changes made while it trained."""
    from tui.commands.output import emit, say_block
    from tui.commands.run_target import find_target

    found = find_target(target, runs)
    if found.is_run:
        if sets:
            raise UserError("--set changes recipes, not runs", f"goodfit fork {target} --set ... starts a changed run")
        text = run_text(found.path, resolved, step)
    elif step is not None:
        raise UserError("--at STEP is for runs", f"{target} is a recipe")
    else:
        text = recipe_text(str(found.path), resolved, sets, data_root, parts)
    if as_json:
        emit("recipe", text=text)
    else:
        say_block(text)
    return 0


def recipe_text(
    word: str, resolved: bool, sets: tuple[str, ...], data_root: Path | None, parts: tuple[Path, ...]
) -> str:
    """A recipe file's text, or the resolved one. Raises UserError where it has errors."""
    from engine.recipe.document import load
    from engine.recipe.resolve import dump, to_data
    from tui.commands.examine import examine, load_parts
    from tui.commands.output import narrate
    from tui.commands.problems import show_problems, summary

    load_parts(parts)
    if not resolved:
        document = load(word, sets)
        if document.tree.problems and not document.text:
            raise UserError(document.tree.problems[0].message, document.tree.problems[0].hint)
        for note in document.notes:
            narrate(note)
        return document.text
    examined = examine(word, sets, data_root, parts)
    if examined.errors:
        errors = [problem for problem in examined.problems if problem.severity == "error"]
        show_problems(examined.file, examined.document.text, errors, stream=sys.stderr)
        raise UserError(f"{word} cannot be resolved: {summary(examined.errors, 0)}")
    return dump(to_data(examined.resolved()))


def run_text(run_dir: Path, resolved: bool, step: int | None) -> str:
    """A run's effective recipe, at its end or after a step."""
    from engine.recipe.check import check
    from engine.recipe.document import Document
    from engine.recipe.resolve import dump, resolve, to_data
    from engine.runs.directory import effective_recipe
    from engine.runs.summary import launch_options
    from tui.commands.examine import load_parts

    text = effective_recipe(run_dir, step)
    if not resolved:
        return text
    load_parts([Path(file) for file in launch_options(run_dir).get("parts", ())])
    facts = facts_of(run_dir)
    if facts is None:
        raise UserError(f"{run_dir.name} has not read its data yet", "without --resolved its recipe can be shown")
    recipe = check(Document.from_text(text), facts).recipe
    if recipe is None:
        raise UserError(f"the recipe of {run_dir.name} does not read in this version", "show it without --resolved")
    return dump(to_data(resolve(recipe, facts)))


def facts_of(run_dir: Path) -> Facts | None:
    """The facts about the data that a run was trained on, from its journal."""
    from engine.data.facts import Facts
    from engine.runs.journal import read

    record = next((r for r in reversed(read(run_dir)) if r["type"] == "data"), None)
    if record is None:
        return None
    known = {field.name: record[field.name] for field in fields(Facts) if field.name in record}
    return Facts(**{**known, "shape": tuple(known["shape"])})
