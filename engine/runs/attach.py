"""A run seen from outside, live or ended: its journal as it grows, its history, its worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.history.history import History
from engine.runs import commands
from engine.runs.journal import Tail
from engine.runs.lock import Liveness, probe, read_holder
from engine.runs.records import Json
from engine.runs.summary import State, state_of


class AttachedRun:
    """A run that somebody watches. Attaching never disturbs the worker, and letting go needs nothing."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.tail = Tail(run_dir)
        self.history = History()

    def poll(self) -> list[Json]:
        """Read what is new, fold it into the history, and return it."""
        records = self.tail.poll()
        if records:
            self.history.feed(records)
        return records

    def alive(self) -> bool:
        """Whether a worker works on the run; for a silent one on another host, no."""
        return self.liveness() == "alive"

    def liveness(self) -> Liveness:
        """alive, dead or unknown; a look at the test part is no worker."""
        found = probe(self.run_dir)
        holder = read_holder(self.run_dir) if found == "alive" else None
        return "dead" if holder is not None and holder.purpose == "test" else found

    @property
    def state(self) -> State:
        """The run's state by its name."""
        return state_of(self.run_dir)

    def send(self, verb: str, **fields: Any) -> str:
        """Leave a command for the worker and return its id. Raises commands.NotRunning, StorageError."""
        return commands.send(self.run_dir, verb, **fields)
