"""`goodfit predict`: a run's predictions for a file."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from engine.errors import UserError
from tui.commands.options import PATH, json_lines, runs_folder, several


@click.command("predict")
@click.argument("run")
@click.argument("data", type=PATH)
@click.option("--out", "-o", type=PATH, metavar="FILE", help="CSV to write; left out: stdout.")
@several(runs_folder, json_lines)
def command(run: str, data: Path, out: Path | None, runs: Path | None, as_json: bool) -> int:
    """Write predictions of a run's best epoch for every row of a file, as CSV, with probabilities for classes."""
    from tui.commands.new import near_files
    from tui.commands.output import emit, narrate
    from tui.commands.run_target import find_model

    if as_json and out is None:
        raise UserError("--json needs --out FILE", "the predictions themselves are a CSV")
    if not data.exists():
        raise UserError(f"there is no file {data}", near_files(data))
    run_dir = find_model(run, runs)
    if out is not None:
        rows = predict(run_dir, data, out)
        if as_json:
            emit("predicted", file=str(out), rows=rows)
        else:
            narrate(f"{rows} predictions in {out}")
        return 0
    with tempfile.TemporaryDirectory(prefix="goodfit-") as folder:
        file = Path(folder, "predictions.csv")
        predict(run_dir, data, file)
        print_csv(file)
    return 0


def predict(run_dir: Path, data: Path, out: Path) -> int:
    """Have a child write the predictions; returns the number of rows."""
    from tui.commands.child import ToolFailed, run_tool

    result: dict[str, Any] | None = None
    for row in run_tool("evaluate", ["predict", str(run_dir), str(data.absolute()), "--out", str(out.absolute())]):
        if row.get("type") == "predicted":
            result = row
    if result is None:
        raise ToolFailed("engine.train.evaluate gave no result")
    return int(result["rows"])


def print_csv(file: Path) -> None:
    """The CSV on stdout: as it is into a pipe, without control characters onto a terminal."""
    from tui.clean import clean

    terminal = sys.stdout.isatty()
    with file.open(encoding="utf-8", newline="") as lines:
        for line in lines:
            sys.stdout.write(clean(line.rstrip("\r\n")) + "\n" if terminal else line)
