"""What every worker owes its run, whatever it does there: to hear, to write down, and to say how it ended, always."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.runs.commands import Inbox
from engine.runs.journal import Journal, read
from engine.runs.launch import owner_of
from engine.runs.lock import Lock
from engine.runs.records import Finished, Progress, Reason, Record
from engine.runs.storage import StorageError
from engine.runs.summary import launch_options
from engine.train import origin
from engine.train.desk import Flags, LiveDesk, StopReason
from engine.train.vigil import Halt, Vigil

RETRY = 1.0
"""Seconds between two attempts to write to a disk that refuses."""

EXIT = {"completed": 0, "early_stopped": 0, "stopped": 0, "preempted": 143}
"""Exit codes by reason; every other reason gives 1."""


class Duty:
    """A worker's work on a run, from its first record to `finished`. What the work is, `_work` says."""

    def __init__(self, run_dir: Path, lock: Lock, journal: Journal, flags: Flags) -> None:
        self.run_dir, self.journal, self.flags = run_dir, journal, flags
        self.options = launch_options(run_dir)
        self.records = read(run_dir)
        """What the journal held when the life began."""
        self.desk = LiveDesk(Inbox(run_dir, lock.holder.token), flags, owner_of(run_dir))
        self.vigil = Vigil(self.desk, flags, self.write, self._leave, lambda: self._step())
        self._told = ("", 0.0)
        self._writing = threading.RLock()
        self._main = threading.get_ident()

    def run(self) -> Reason:
        """The whole life; never raises but for what the disk refuses to the very end."""
        self.vigil.begin()
        try:
            finished = self._work()
        except Halt as halt:
            finished = self._finished(halt.reason)
        except UserError as error:
            finished = self._finished("error", error.sentence())
        except BaseException as error:
            say(traceback.format_exc())
            finished = self._failure(error)
        with self.vigil.ending():
            self._close(finished)
        return finished.reason

    def _work(self) -> Finished:
        """All of the life but its last record."""
        raise NotImplementedError

    def _finished(self, reason: Reason, message: str = "") -> Finished:
        """The last record, from where the work stands."""
        raise NotImplementedError

    def _failure(self, error: BaseException) -> Finished:
        """The last record after an error that nobody foresaw."""
        words = " ".join(str(error).split())[:300]
        return self._finished("error", f"{type(error).__name__}: {words} (worker.log has the details)")

    def _step(self) -> int:
        """The step that a `resumed` may name here: nothing later is lost by it."""
        return 0

    def _close(self, finished: Finished) -> None:
        for refusal in self.desk.close(finished.step or 0):
            self.write(refusal)
        self.write(finished)

    def _leave(self, reason: StopReason) -> None:
        """End here and now, while another thread waits for data; unless it has just written something."""
        with self._writing:  # to the end: nothing may follow the last record
            if self.vigil.at_work():
                return
            try:
                self._close(self._finished(reason))
            finally:
                os._exit(EXIT[reason])

    # Records

    def write(self, record: Record) -> None:
        """Append a record, waiting as long as the disk refuses, until somebody stops the run or takes it away."""
        self.persist(lambda: self.journal.append(record))

    def note(self, record: Record) -> None:
        """Append a record that may as well be missing, without patience. Raises StorageError."""
        with self._writing:
            self.journal.append(record)

    def persist(self, act: Callable[[], object]) -> None:
        """Do what writes to the disk, with the patience of `write`. Raises StorageError."""
        while True:
            try:
                with self._writing:
                    act()
                    if threading.get_ident() == self._main:
                        self.vigil.sign()
                        self.vigil.announced()
                return
            except StorageError as error:
                say(error.sentence())
                if self.flags.stop is not None or self.desk.deserted() or error.code == errno.ENOENT:
                    raise
                time.sleep(RETRY)

    def _write_all(self, records: Iterator[Record]) -> Any:
        """Write what a generator gives; its return value."""
        while True:
            try:
                self.write(next(records))
            except StopIteration as end:
                return end.value

    def _progress(self, stage: str, done: int, total: int | None) -> None:
        """Say how far loading has come, and obey what the vigil has heard."""
        now = time.monotonic()
        if stage != self._told[0] or now - self._told[1] > 0.1 or done == total:
            self._told = (stage, now)
            self.write(Progress(stage=stage, done=done, total=total))
        self.vigil.obey()


def say(text: str) -> None:
    """A line for worker.log, which may lie on a disk that is full."""
    with contextlib.suppress(OSError):
        print(f"{origin.now()} {text}", file=sys.stderr, flush=True)  # noqa: T201
