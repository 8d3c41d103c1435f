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
    from engine.runs.journal import Tail
    from engine.runs.launch import Options, resume_run
    from engine.runs.lock import probe
    from engine.runs.summary import state_of
    from tui.commands.attach import last_seq, started, train_to_the_end
    from tui.commands.run_target import find_run
    from tui.commands.settings import read_settings

    run_dir = find_run(run, runs)
    edits = read_settings(sets)
    state = state_of(run_dir)
    if state in ("running", "preparing"):
        raise UserError(f"{run_dir.name} is {state}", f"goodfit watch {run} follows it; goodfit set {run} changes it")
    if state == "unknown":
        raise UserError(f"{run_dir.name} belongs to another machine that has gone quiet", "resume it there")
    tail, seq = Tail.at_end(run_dir), last_seq(run_dir)
    asked: list[dict[str, Any]] = [edit_to_json(edit) for edit in edits]
    refuse_bad_edits(run_dir, edits)
    if probe(run_dir) == "alive":
        if test:
            raise UserError("--test: the paused worker was started without it", f"at the end: goodfit test {run}")
        code = go_on(run_dir, asked)
        if code:
            return code
    else:
        argv = ("goodfit", *sys.argv[1:])
        resume_run(run_dir, Options(argv=argv, test=test, owner=not detach), asked)
    return started(run_dir, as_json, after=seq) if detach else train_to_the_end(run_dir, as_json, tail=tail)


def go_on(run_dir: Path, edits: list[dict[str, Any]]) -> int:
    """Change a paused worker's settings and let it go on; returns an exit code.

    Both commands are left at once: a worker that was paused between an epoch's last step and its validation takes
    edits only when it goes on.
    """
    from engine.runs.commands import EFFECTS, NoAnswer, send, wait
    from engine.runs.journal import Tail
    from tui.commands.cli import BAD_INPUT
    from tui.commands.output import complain

    tails = Tail.at_end(run_dir), Tail.at_end(run_dir)
    sent = [("set", send(run_dir, "set", edits=edits))] if edits else []
    sent.append(("resume", send(run_dir, "resume")))
    for (verb, id), tail in zip(sent, tails, strict=False):
        try:
            records = wait(run_dir, id, {EFFECTS[verb]}, tail=tail)
        except NoAnswer as error:
            complain("error", error.message, error.hint)
            return 1
        if records[-1]["type"] == "command_refused":
            complain("error", f"refused: {records[-1].get('reason')}")
            return BAD_INPUT
    return 0


def refuse_bad_edits(run_dir: Path, edits: Any) -> None:
    """Check the recipe that a run would go on with. Raises UserError before any worker starts."""
    if not edits:
        return
    from engine.recipe.check import check
    from engine.recipe.document import Document
    from engine.runs.directory import effective_recipe
    from engine.runs.summary import launch_options
    from tui.commands.examine import load_parts
    from tui.commands.problems import show_problems

    load_parts([Path(file) for file in launch_options(run_dir).get("parts", ())])
    document = Document.from_text(effective_recipe(run_dir))
    document.apply(edits)
    problems = [problem for problem in check(document).problems if problem.severity == "error"]
    if problems:
        show_problems(f"{run_dir.name}/recipe.yaml", document.text, problems, stream=sys.stderr)
        raise UserError(f"{run_dir.name} cannot go on with these settings")
