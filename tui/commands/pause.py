"""`goodfit pause`: let a run hold between two steps."""

from __future__ import annotations

from pathlib import Path

import click

from tui.commands.options import json_lines, runs_folder, several


@click.command("pause")
@click.argument("run")
@several(runs_folder, json_lines)
def command(run: str, runs: Path | None, as_json: bool) -> int:
    """Let a run hold between two steps, its state saved; `goodfit resume` goes on."""
    from tui.commands.ask import ask
    from tui.commands.run_target import find_run

    return ask(find_run(run, runs), "pause", as_json, "paused")
