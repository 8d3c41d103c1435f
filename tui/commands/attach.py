"""What `train`, `resume` and `fork` do once a worker has been started."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.runs.journal import Tail, read
from engine.runs.summary import state_of
from tui.commands.follow import ENDED, follow
from tui.commands.output import complain, emit_record, narrate
from tui.commands.requirements import UNMET, Requirement, judge
from tui.printer import TextPrinter, printer


def train_to_the_end(
    run_dir: Path,
    as_json: bool,
    *,
    tail: Tail | None = None,
    before: Sequence[dict[str, Any]] = (),
    requirements: Sequence[Requirement] = (),
    fail_on: str | None = None,
) -> int:
    """Print a run of our own until it ends, knowing what came `before`; returns the exit code."""
    out = printer(as_json)
    if isinstance(out, TextPrinter):
        out.take_in(list(before))
    outcome = follow(run_dir, out, tail=tail, stop=True)
    code = outcome.code()
    if outcome.finished is None:
        return code
    say_why(run_dir, outcome.finished)
    unmet = judge(outcome.finished, outcome.findings.values(), requirements, fail_on)
    for words in unmet:
        complain("error", words)
    return UNMET if unmet and code == 0 else code


def say_why(run_dir: Path, finished: dict[str, object]) -> None:
    """Where to look when a worker went without a word, and what it said last."""
    if not finished.get("inferred"):
        return
    log = run_dir / "worker.log"
    words = log.read_text(encoding="utf-8", errors="replace").strip() if log.exists() else ""
    if words:
        complain("error", words.splitlines()[-1], f"all that the worker printed: {log}")


def started(run_dir: Path, as_json: bool, *, after: int = 0) -> int:
    """Wait until a detached worker has announced itself (by a record later than `after`), and return.

    Prints the run's `started` record.
    """
    tail = Tail(run_dir)
    first: dict[str, object] | None = None
    while True:
        ended = state_of(run_dir) in ENDED
        records = tail.poll()
        first = first or next((record for record in records if record["type"] == "started"), None)
        if first is not None and any(record["seq"] > after for record in records):
            break
        if ended:
            say_why(run_dir, {"inferred": True})
            complain("error", f"the worker of {run_dir.name} ended before it could start")
            return 1
        time.sleep(0.05)
    if as_json:
        emit_record(first)
    else:
        narrate(f"run {run_dir.name} goes on by itself: goodfit watch {run_dir.name[-4:]}")
    return 0


def last_seq(run_dir: Path) -> int:
    """The number of the last record so far."""
    return max((record["seq"] for record in read(run_dir)), default=0)
