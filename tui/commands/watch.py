"""`goodfit watch`: follow a run without a screen."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from tui.commands.options import json_lines, runs_folder, several


@click.command("watch")
@click.argument("run")
@click.option("--from", "from_seq", type=int, default=0, metavar="SEQ", help="Start at the record of this number.")
@several(runs_folder, json_lines)
def command(run: str, from_seq: int, runs: Path | None, as_json: bool) -> int:
    """Follow a run until it ends; ^C only detaches."""
    from tui.commands.follow import follow
    from tui.commands.output import narrate
    from tui.commands.run_target import find_run
    from tui.printer import printer

    run_dir = find_run(run, runs)
    outcome = follow(run_dir, printer(as_json), from_seq=from_seq, stop=False)
    if outcome.signal:
        narrate(f"detached; the run goes on: goodfit watch {run_dir.name}")
        if outcome.signal == signal.SIGINT:
            return 0
    return outcome.code()
