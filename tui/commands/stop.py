"""`goodfit stop`: end a run."""

from __future__ import annotations

import time
from pathlib import Path

import click

from tui.commands.options import json_lines, runs_folder, several


@click.command("stop")
@click.argument("run")
@click.option("--kill", is_flag=True, help="At once, without saving.")
@several(runs_folder, json_lines)
def command(run: str, kill: bool, runs: Path | None, as_json: bool) -> int:
    """Save and end a run; `goodfit resume` can go on from there."""
    from tui.commands.ask import ask
    from tui.commands.run_target import find_run

    run_dir = find_run(run, runs)
    return kill_run(run_dir, as_json) if kill else ask(run_dir, "stop", as_json, "stopped")


def kill_run(run_dir: Path, as_json: bool) -> int:
    """Kill the worker and say so when it is gone."""
    from engine.runs.launch import kill_worker
    from engine.runs.lock import probe
    from engine.runs.summary import inferred_finish
    from tui.commands.cli import BAD_INPUT
    from tui.commands.output import complain, emit, emit_record, narrate

    if not kill_worker(run_dir):
        words = f"{run_dir.name} is not running"
        if as_json:
            emit("command_refused", id=None, reason=words)
        complain("error", words)
        return BAD_INPUT
    while probe(run_dir) == "alive":
        time.sleep(0.02)
    record = inferred_finish(run_dir)
    if as_json and record is not None:
        emit_record(record)
    narrate(f"{run_dir.name}: killed; `goodfit resume` goes on from its last checkpoint")
    return 0
