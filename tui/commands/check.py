"""`goodfit check`: the problems of recipes."""

from __future__ import annotations

from pathlib import Path

import click

from engine.errors import UserError
from tui.commands.options import data_root as data_root_option
from tui.commands.options import json_lines, parts_files, sets, several


@click.command("check")
@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@several(sets, data_root_option, parts_files, json_lines)
def command(
    recipes: tuple[str, ...],
    sets: tuple[str, ...],
    data_root: Path | None,
    parts: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Say what is wrong in recipes: file, line, column, and how to mend it. Exit code 2 where there are errors."""
    from engine.recipe.problem import Problem
    from tui.commands.examine import examine
    from tui.commands.output import emit, narrate
    from tui.commands.problems import count, emit_problems, show_problems, summary

    errors = warnings = 0
    for word in recipes:
        try:
            examined = examine(word, sets, data_root, parts)
        except UserError as error:
            file, text, problems = word, "", [Problem(1, 1, "", error.message, error.hint)]
        else:
            file, text, problems = examined.file, examined.document.text, list(examined.problems)
        errors += count(problems, "error")
        warnings += count(problems, "warning")
        if as_json:
            emit_problems(file, problems)
        else:
            show_problems(file, text, problems)
    if as_json:
        emit("checked", files=len(recipes), errors=errors, warnings=warnings)
    else:
        narrate(f"{len(recipes)} recipe{'s' * (len(recipes) != 1)}: {summary(errors, warnings)}")
    return 2 if errors else 0
