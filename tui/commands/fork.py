"""`goodfit fork`: a new run from a checkpoint of another."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tui.commands.options import detach as detach_option
from tui.commands.options import json_lines, runs_folder, sets, several, test_part


def read_epoch(context: click.Context, parameter: click.Parameter, value: str | None) -> int | str | None:
    """A number from 1, or `best`."""
    if value is None or value == "best":
        return value
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter("a number from 1, or best", context, parameter)
    return int(value)


@click.command("fork")
@click.argument("run")
@click.option("--epoch", callback=read_epoch, metavar="N|best", help="Whose checkpoint; left out: the last.")
@several(sets, test_part, detach_option, runs_folder, json_lines)
def command(
    run: str,
    epoch: int | str | None,
    sets: tuple[str, ...],
    test: bool,
    detach: bool,
    runs: Path | None,
    as_json: bool,
) -> int:
    """Start a new run from a checkpoint of another, with changed settings."""
    from engine.recipe.document import Document
    from engine.runs.directory import effective_recipe, runs_root
    from engine.runs.launch import Options, fork_run, pick_checkpoint
    from tui.commands.attach import started, train_to_the_end
    from tui.commands.changes import check_fork
    from tui.commands.run_target import find_model
    from tui.commands.settings import make_settings, read_settings

    source = find_model(run, runs)
    record = pick_checkpoint(source, epoch)
    document = Document.from_text(effective_recipe(source, int(record["step"])))
    edits = make_settings(document, read_settings(sets))
    check_fork(source, document)
    options = Options(argv=("goodfit", *sys.argv[1:]), test=test, owner=not detach)
    run_dir = fork_run(runs_root(runs), source, record, options, edits=edits)
    return started(run_dir, as_json) if detach else train_to_the_end(run_dir, as_json)
