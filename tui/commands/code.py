"""`goodfit code`: a recipe or run as one plain PyTorch file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from engine.errors import UserError
from tui.commands.options import data_root as data_root_option
from tui.commands.options import json_lines, parts_files, runs_folder, sets, several


@click.command("code")
@click.argument("target", metavar="RECIPE|RUN")
@several(sets, data_root_option, runs_folder, parts_files, json_lines)
def command(
    target: str,
    sets: tuple[str, ...],
    data_root: Path | None,
    runs: Path | None,
    parts: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Print one runnable PyTorch file that trains the same network in the same way; of a run, by its recorded plan."""
    from engine.export.code import export
    from engine.recipe.document import Document
    from engine.runs.directory import effective_recipe
    from engine.runs.journal import read
    from engine.runs.summary import launch_options
    from tui.clean import clean_block
    from tui.commands.examine import examine, examine_document, load_parts
    from tui.commands.output import emit, write
    from tui.commands.problems import show_problems, summary
    from tui.commands.run_target import Target, find_model, find_target
    from tui.commands.settings import make_settings, read_settings

    found = find_target(target, runs)
    if found.is_run:
        found = Target(find_model(target, runs), is_run=True)
    plan: dict[str, Any] = {}
    if found.is_run:
        options = launch_options(found.path)
        load_parts([*parts, *(Path(file) for file in options.get("parts", ()))])
        plan = next((record for record in reversed(read(found.path)) if record["type"] == "plan"), {})
        document = Document.from_text(effective_recipe(found.path), found.path / "recipe.yaml")
        make_settings(document, read_settings(sets))
        base = data_root or Path(options.get("base") or ".")
        examined = examine_document(found.path / "recipe.yaml", document, base.expanduser().absolute())
    else:
        examined = examine(target, sets, data_root, parts)
    if examined.errors or examined.facts is None:
        errors = [problem for problem in examined.problems if problem.severity == "error"]
        show_problems(examined.file, examined.document.text, errors, stream=sys.stderr)
        raise UserError(f"{target} cannot be written as code: {summary(examined.errors, 0)}")
    device, threads = plan.get("device"), plan.get("threads")
    text = export(examined.resolved(), examined.facts, examined.base, device=device, threads=threads)
    if as_json:
        emit("code", text=text)
    else:
        write(clean_block(text).rstrip("\n") if sys.stdout.isatty() else text.rstrip("\n"))
    return 0
