"""`goodfit set`: change settings of a recipe file or of a running run."""

from __future__ import annotations

from pathlib import Path

import click

from engine.recipe.edits import Edit, edit_to_json
from tui.commands.options import json_lines, runs_folder, several


@click.command("set")
@click.argument("target", metavar="RUN|RECIPE")
@click.argument("settings", nargs=-1, required=True, metavar="PATH=VALUE...")
@several(runs_folder, json_lines)
def command(target: str, settings: tuple[str, ...], runs: Path | None, as_json: bool) -> int:
    """Change settings. A recipe file keeps its format and comments; a run changes between two steps, its file never."""
    from tui.commands.ask import ask
    from tui.commands.run_target import find_target
    from tui.commands.settings import read_settings

    edits = read_settings(settings)
    found = find_target(target, runs)
    if found.is_run:
        return ask(found.path, "set", as_json, "changed", edits=[edit_to_json(edit) for edit in edits])
    return set_in_file(found.path, edits, as_json)


def set_in_file(path: Path, edits: tuple[Edit, ...], as_json: bool) -> int:
    """Change a recipe file on disk."""
    from engine.errors import UserError
    from engine.recipe.document import Document
    from tui.commands.examine import load_parts
    from tui.commands.output import emit, narrate
    from tui.commands.settings import make_settings

    load_parts(())
    document = Document.open(path)
    if document.tree.root is None and document.tree.problems:
        problem = document.tree.problems[0]
        raise UserError(f"{path}:{problem.line}:{problem.column}: {problem.message}", problem.hint)
    edits = make_settings(document, edits)
    document.save()
    if as_json:
        emit("set", file=str(path), edits=[edit_to_json(edit) for edit in edits])
    else:
        narrate(f"{path}: {len(edits)} setting{'s' * (len(edits) != 1)} changed")
    return 0
