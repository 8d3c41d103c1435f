"""`goodfit resume`: go on with a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from engine.errors import UserError
from tui.commands.options import detach as detach_option
from tui.commands.options import json_lines, runs_folder, sets, several, test_part


@click.command("resume")
@click.argument("run")
@several(sets, test_part, detach_option, runs_folder, json_lines)
def command(run: str, sets: tuple[str, ...], test: bool, detach: bool, runs: Path | None, as_json: bool) -> int:
    """Go on with a run: a paused one in place; a stopped, killed or finished one gets a new life."""
    from engine.recipe.edits import edit_to_json
    from engine.runs.journal import Tail, read
    from engine.runs.launch import Options, resume_run
    from engine.runs.lock import probe
    from engine.runs.summary import launch_options, state_of
    from tui.commands.attach import started, train_to_the_end
    from tui.commands.changes import check_resume
    from tui.commands.run_target import find_run
    from tui.commands.settings import read_settings

    run_dir = find_run(run, runs)
    edits = read_settings(sets)
    if test and launch_options(run_dir).get("kind") == "search":
        raise UserError("--test: a search never looks at the test part", f"for its best trial: goodfit test {run}")
    state = state_of(run_dir)
    if state in ("running", "preparing"):
        raise UserError(f"{run_dir.name} is {state}", f"goodfit watch {run} follows it; goodfit set {run} changes it")
    if state == "unknown":
        raise UserError(f"{run_dir.name} belongs to another machine that has gone quiet", "resume it there")
    paused = probe(run_dir) == "alive"
    if edits:
        check_resume(run_dir, edits, paused=paused)
    before = read(run_dir)
    tail, seq = Tail.at_end(run_dir), max((record["seq"] for record in before), default=0)
    asked = [edit_to_json(edit) for edit in edits]
    if paused:
        if test:
            raise UserError("--test: the paused worker was started without it", f"at the end: goodfit test {run}")
        if asked:
            demand(run_dir, "set", edits=asked)
        demand(run_dir, "resume")
    else:
        resume_run(run_dir, Options(argv=("goodfit", *sys.argv[1:]), test=test, owner=not detach), asked)
    return (
        started(run_dir, as_json, after=seq) if detach else train_to_the_end(run_dir, as_json, tail=tail, before=before)
    )


def demand(run_dir: Path, verb: str, **fields: Any) -> None:
    """Send a command and wait until it has taken effect. Raises UserError where it is refused or not answered."""
    from engine.runs.commands import request

    answer = request(run_dir, verb, **fields)[-1]
    if answer["type"] == "command_refused":
        raise UserError(f"refused: {answer.get('reason')}")
