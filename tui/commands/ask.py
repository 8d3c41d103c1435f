"""Commands to a running worker, for the verbs that send one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.runs.commands import NotRunning, request
from tui.commands.cli import BAD_INPUT
from tui.commands.output import complain, emit, emit_record, narrate


def ask(run_dir: Path, verb: str, as_json: bool, done: str, **fields: Any) -> int:
    """Send a command and wait for its effect; returns the exit code. `done` says what has happened, for people."""
    try:
        records = request(run_dir, verb, **fields)
    except NotRunning as error:
        if as_json:
            emit("command_refused", id=None, reason=error.message)
        complain("error", error.message, error.hint)
        return BAD_INPUT
    if as_json:
        for record in records:
            emit_record(record)
    if records[-1]["type"] == "command_refused":
        complain("error", f"refused: {records[-1].get('reason')}")
        return BAD_INPUT
    if not as_json:
        step = records[-1].get("step")
        narrate(f"{run_dir.name}: {done}" + (f" at step {step}" if step is not None else ""))
    return 0
