"""`goodfit verify`: train a run again and compare the bits of its losses."""

from __future__ import annotations

from pathlib import Path

import click

from tui.commands.options import json_lines, runs_folder, several


@click.command("verify")
@click.argument("run")
@click.option("--epochs", type=click.IntRange(min=1), metavar="N", help="Only the first N epochs.")
@several(runs_folder, json_lines)
def command(run: str, epochs: int | None, runs: Path | None, as_json: bool) -> int:
    """Train a run again with the same edits at the same steps: equal (0), different (1), or not comparable (3)."""
    from tui.commands.run_target import find_run

    return verify_run(find_run(run, runs), epochs, as_json)


def verify_run(run_dir: Path, epochs: int | None, as_json: bool) -> int:
    """Compare and report; returns the exit code."""
    from tui.clean import clean
    from tui.commands.child import ToolFailed, run_tool
    from tui.commands.output import emit, narrate, paint, write

    verdict = None
    for row in run_tool("verify", [str(run_dir), *(["--epochs", str(epochs)] if epochs else [])]):
        if row.get("type") == "verified":
            verdict = row
        elif row.get("type") == "progress" and not as_json and row.get("total"):
            narrate(f"{row.get('stage', 'step')} {row.get('done')}/{row.get('total')}")
    if verdict is None:
        raise ToolFailed("engine.train.verify gave no verdict")
    comparable, equal = bool(verdict.get("comparable")), bool(verdict.get("equal"))
    first, why = verdict.get("first_difference"), str(verdict.get("why") or "")
    if as_json:
        emit("verified", equal=verdict.get("equal"), first_difference=first, comparable=comparable, why=why)
    elif not comparable:
        write(f"{paint('not comparable', 'warning')}: {clean(why)}")
    elif equal:
        write(f"{paint('equal', 'good')}: {clean(why or 'every bit of every loss')}")
    else:
        write(f"{paint('different', 'error')}: first at {clean(first)}{': ' + clean(why) if why else ''}")
    return 3 if not comparable else 0 if equal else 1
