"""Reading a run's journal as it grows, handing its records to a printer, and the exit code that its end means."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from engine.errors import UserError
from engine.runs.commands import NotRunning, send
from engine.runs.journal import Tail
from engine.runs.launch import kill_worker
from engine.runs.summary import inferred_finish, state_of
from tui.printer import Printer

Json = dict[str, Any]
POLL = 0.05
ENDED = ("completed", "stopped", "failed")
CODES = {
    "completed": 0,
    "early_stopped": 0,
    "stopped": 0,
    "preempted": 143,
    "non_finite": 1,
    "out_of_memory": 1,
    "error": 1,
    "killed": 1,
}


@dataclass
class Outcome:
    """How following a run ended."""

    finished: Json | None = None
    """The last `finished`, perhaps inferred; None where we detached."""
    signal: int = 0
    """The first SIGINT or SIGTERM that we got, or 0."""
    findings: dict[str, Json] = field(default_factory=dict)
    """Findings that nothing cleared, by rule."""

    def note(self, record: Json) -> None:
        """Fold one record."""
        kind, rule = record.get("type"), str(record.get("rule"))
        if kind == "finished":
            self.finished = record
        elif kind == "resumed":
            self.finished = None
            step = record.get("from_step", 0)
            self.findings = {r: f for r, f in self.findings.items() if (f.get("step") or 0) <= step}
        elif kind in ("finding", "finding_updated"):
            self.findings[rule] = {**self.findings.get(rule, {}), **record}
        elif kind == "finding_cleared":
            self.findings.pop(rule, None)

    def code(self) -> int:
        """The exit code, before any `--require` or `--fail-on`."""
        if self.signal:
            return 128 + self.signal
        return CODES.get(str((self.finished or {}).get("reason")), 1) if self.finished else 0


class Signals:
    """SIGINT and SIGTERM, counted instead of acted on while the block runs."""

    def __init__(self) -> None:
        self.first = 0
        self.count = 0

    def __enter__(self) -> Signals:
        self._before = {n: signal.signal(n, self._note) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.first = self.first or number
        self.count += 1


def batches(run_dir: Path, tail: Tail) -> Iterator[list[Json]]:
    """New records, in batches (empty ones too), until the run has ended and all is read.

    A worker that went without a word leaves the inferred `finished` as the last record.
    """
    while True:
        state = state_of(run_dir)  # asked before reading, so that nothing it wrote is missed
        yield tail.poll()
        if state in ENDED:
            last = inferred_finish(run_dir)
            if last is not None:
                yield [last]
            return


def follow(run_dir: Path, printer: Printer, *, tail: Tail | None = None, from_seq: int = 0, stop: bool) -> Outcome:
    """Print a run until it ends. With `stop`, ^C and SIGTERM end the run; else they only detach."""
    outcome = Outcome()
    asked = 0
    with Signals() as signals:
        for batch in batches(run_dir, tail or Tail(run_dir)):
            for record in batch:
                outcome.note(record)
                if record.get("seq", from_seq) >= from_seq:
                    printer.record(record)
            count = signals.count
            if count > asked:
                asked, outcome.signal = count, signals.first
                if not stop:
                    break
                end_run(run_dir, printer, signals.first, again=count > 1)
            if not batch:
                time.sleep(POLL)
    printer.close()
    return outcome


def end_run(run_dir: Path, printer: Printer, number: int, *, again: bool) -> None:
    """Pass a signal on to the worker, which saves and stops; when asked again, kill it."""
    printer.note("killed; what was not saved is lost" if again else "saving and stopping; once more kills")
    try:
        kill_worker(run_dir, signal.SIGKILL if again else number)
    except UserError:  # it works on another machine
        with contextlib.suppress(NotRunning):
            send(run_dir, "stop")
