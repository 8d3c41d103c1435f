"""`goodfit replay`: play a recorded run again, on the screen or through the printer."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from engine.errors import UserError
from tui.commands.options import json_lines, runs_folder, several
from tui.printer import Printer


def read_speed(context: click.Context, parameter: click.Parameter, value: str) -> float | None:
    """`max` (None) or how many times as fast as recorded."""
    if value == "max":
        return None
    try:
        speed = float(value)
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise click.BadParameter("a number above 0, or max", context, parameter)
    return speed


@click.command("replay")
@click.argument("run")
@click.option("--headless", is_flag=True, help="Through the printer, without a screen.")
@click.option("--speed", default="1", callback=read_speed, metavar="N|max", help="Times as fast as recorded.")
@click.option("--verify", is_flag=True, help="With --headless: train again and compare, as `goodfit verify`.")
@several(runs_folder, json_lines)
def command(run: str, headless: bool, speed: float | None, verify: bool, runs: Path | None, as_json: bool) -> int:
    """Play a run's records again at the times at which they came. Trains nothing (but see --verify)."""
    from tui.commands.run_target import find_run

    run_dir = find_run(run, runs)
    if verify:
        if not headless:
            raise UserError("--verify works with --headless only", f"goodfit verify {run}")
        from tui.commands.verify import verify_run

        return verify_run(run_dir, None, as_json)
    if not headless and not as_json:
        from tui.options import Options
        from tui.screen import open_workbench

        return open_workbench(str(run_dir), Options(runs=runs, replay=True, speed=speed))
    from engine.runs.journal import read
    from tui.printer import printer

    play(read(run_dir), printer(as_json), speed)
    return 0


def play(records: Sequence[dict[str, Any]], out: Printer, speed: float | None) -> None:
    """Hand records over at their recorded times, `speed` times as fast; None: without waiting."""
    from engine.runs.journal import number

    start = time.monotonic()
    for record in records:
        if speed is not None:
            due = start + number(record.get("time", 0)) / speed
            while (left := due - time.monotonic()) > 0:
                time.sleep(min(left, 0.2))
        out.record(record)
    out.close()
