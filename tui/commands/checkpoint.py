"""`goodfit checkpoint`: have a run write a checkpoint."""

from __future__ import annotations

from pathlib import Path

import click

from tui.commands.options import json_lines, runs_folder, several


@click.command("checkpoint")
@click.argument("run")
@several(runs_folder, json_lines)
def command(run: str, runs: Path | None, as_json: bool) -> int:
    """Have a run write a checkpoint now."""
    from tui.commands.ask import ask
    from tui.commands.run_target import find_run

    return ask(find_run(run, runs), "checkpoint", as_json, "checkpoint written")
