"""`goodfit diff`: what differs between two recipes or runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tui.commands.options import json_lines, runs_folder, several


@click.command("diff")
@click.argument("a")
@click.argument("b")
@several(runs_folder, json_lines)
def command(a: str, b: str, runs: Path | None, as_json: bool) -> int:
    """List what differs between two recipes or runs; of a run, the recipe that it ended up with."""
    from engine.recipe.diff import diff
    from tui.commands.output import emit, narrate, paint, write

    found = diff(read_data(a, runs), read_data(b, runs))
    for path, left, right in found:
        if as_json:
            emit("difference", path=path, a=left, b=right)
        else:
            write(f"{paint(path, 'bold')}: {paint(show(left), 'error')} -> {paint(show(right), 'good')}")
    if not found and not as_json:
        narrate("no difference")
    return 0


def read_data(word: str, runs: Path | None) -> dict[str, Any]:
    """The values of a recipe, or of a run's effective one. Raises UserError where it cannot be read."""
    from engine.errors import UserError
    from engine.recipe.document import Document
    from engine.runs.directory import effective_recipe
    from tui.commands.examine import load_parts
    from tui.commands.run_target import find_target

    load_parts(())
    target = find_target(word, runs)
    document = Document.from_text(effective_recipe(target.path)) if target.is_run else Document.open(target.path)
    if document.tree.problems:
        problem = document.tree.problems[0]
        raise UserError(f"{word}:{problem.line}:{problem.column}: {problem.message}", problem.hint)
    return document.data


def show(value: Any) -> str:
    """A value as a recipe would write it, on one line."""
    from engine.recipe.scalars import write_flow

    return "(left out)" if value is None else write_flow(value)
