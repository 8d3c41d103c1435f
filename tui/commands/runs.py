"""`goodfit runs`: list the runs."""

from __future__ import annotations

from pathlib import Path

import click

from tui.commands.options import json_lines, runs_folder, several


@click.command("runs")
@several(runs_folder, json_lines)
def command(runs: Path | None, as_json: bool) -> int:
    """List the runs, oldest first."""
    from engine.runs.directory import list_runs, runs_root
    from tui.commands.output import emit, narrate, paint, say, write
    from tui.printer import show_number

    root = runs_root(runs)
    found = list_runs(root)
    if as_json:
        for info in found:
            emit(
                "run",
                run=info.run,
                kind=info.kind,
                state=info.state,
                pid=info.pid,
                host=info.host,
                epoch=info.epoch,
                epochs=info.epochs,
                best=info.best,
            )
        return 0
    if not found:
        narrate(f"there are no runs in {root}; goodfit train RECIPE starts one")
        return 0
    colours = {"running": "good", "paused": "warning", "preparing": "info", "failed": "error", "unknown": "warning"}
    width = max(len(info.run) for info in found)
    say(f"{'run':{width}}  {'state':9}  {'epoch':>9}  best")
    for info in found:
        epoch = f"{info.epoch or 0}/{info.epochs}" if info.epochs else "-"
        scores = {name: value for name, value in (info.best or {}).items() if name != "train_loss"}
        best = "  ".join(f"{name} {show_number(value)}" for name, value in list(scores.items())[:2])
        state = paint(f"{info.state:9}", colours.get(info.state, "dim"))
        kind = "" if info.kind == "train" else f"  ({info.kind})"
        write(f"{paint(f'{info.run:{width}}', 'bold')}  {state}  {epoch:>9}  {best}{kind}")
    return 0
