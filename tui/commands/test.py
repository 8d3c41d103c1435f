"""`goodfit test`: measure a run on its test part or on a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.errors import UserError
from tui.commands.options import PATH, json_lines, runs_folder, several


@click.command("test")
@click.argument("run")
@click.argument("data", required=False, type=PATH)
@several(runs_folder, json_lines)
def command(run: str, data: Path | None, runs: Path | None, as_json: bool) -> int:
    """Measure the best epoch of a run on its test part (a look that is counted), or on a file."""
    from tui.commands.child import ToolFailed, run_tool
    from tui.commands.new import near_files
    from tui.commands.output import emit, narrate, say
    from tui.commands.run_target import find_model
    from tui.printer import scalars, show_number

    if data is not None and not data.exists():
        raise UserError(f"there is no file {data}", near_files(data))
    run_dir = find_model(run, runs)
    result: dict[str, Any] | None = None
    for row in run_tool("evaluate", ["test", str(run_dir), *([str(data.absolute())] if data else [])]):
        if row.get("type") == "evaluation":
            result = row
    if result is None:
        raise ToolFailed("engine.train.evaluate gave no result")
    if as_json:
        emit("evaluation", metrics=result["metrics"], rows=result["rows"])
        return 0
    looks = f", look {result['looks']}" if result.get("looks") else ""
    narrate(f"{run_dir.name} on {data or 'its test part'}: {result['rows']} rows{looks}")
    for name, value in scalars(result["metrics"]):
        say(f"{name} {show_number(value)}")
    for name, value in result["metrics"].items():
        if isinstance(value, list):
            say(f"{name} (true by predicted)")
            for row in value:
                say("  " + " ".join(f"{cell:>6}" for cell in row) if isinstance(row, list) else f"  {row}")
    return 0
