"""A run as the workbench holds it: attached to its journal, with what panels and bars ask of it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from engine.data.facts import Facts
from engine.errors import UserError
from engine.history.history import History
from engine.recipe.edits import Edit, edit_from_json, edit_to_json
from engine.recipe.splice import apply_edits
from engine.runs.attach import AttachedRun
from engine.runs.journal import LOG
from engine.runs.launch import recipe_text
from engine.runs.records import Json
from engine.runs.summary import inferred_finish, launch_options

PROBE_EVERY = 0.5
"""Seconds between two looks at whether the worker lives."""
LARGE = 1 << 20
"""Bytes of a journal from which on it is read in a thread when it is opened."""
_SHORT = re.compile(r"-([0-9a-f]{4})$")


class OpenRun:
    """A run of an editor tab. `poll` is the one method that reads; everything else tells what was read."""

    replayed = False
    """Whether this is a recording that is being played."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.attached = AttachedRun(run_dir)
        self.alive = False
        """Whether a worker works on it, as of the last look."""
        launched = launch_options(run_dir)
        self.name = str(launched.get("name") or run_dir.name)
        self.kind = str(launched.get("kind") or "train")
        """train, find_lr, search or guide."""
        self.sent: dict[str, str] = {}
        """Commands of ours, by id, that may yet be refused: their verbs."""
        self._starting = False
        self._looked = -PROBE_EVERY
        self._text: str | None = None
        self._log_at = 0

    @property
    def history(self) -> History:
        """What happened so far."""
        return self.attached.history

    @property
    def short(self) -> str:
        """The short id: four hex digits."""
        found = _SHORT.search(self.run_dir.name)
        return found.group(1) if found else self.run_dir.name[:12]

    @property
    def state(self) -> str:
        """preparing, running, paused, completed, stopped or failed."""
        return self.history.state

    @property
    def settled(self) -> bool:
        """Whether all that can be said of the run has been said: it has ended, and no worker lives."""
        return not self.alive and self.history.finished is not None

    @property
    def large(self) -> bool:
        """Whether reading the journal takes so long that it is better done in a thread."""
        try:
            return (self.run_dir / LOG).stat().st_size > LARGE
        except OSError:
            return False

    def poll(self) -> list[Json]:
        """What the run wrote since the last call. A worker that went without a word leaves an inferred `finished`."""
        now = time.monotonic()
        looked = now - self._looked >= PROBE_EVERY
        if looked:
            self._looked = now
            lives = self.attached.alive()
        elif self.settled:
            return []
        else:
            lives = self.alive
        records = self.attached.poll()
        if self.history.finished is None:
            self._starting = False
        # A worker that has said its last word is as good as gone, unless it is the next life's.
        self.alive = lives and (self.history.finished is None or self._starting)
        if looked and not self.alive and self.history.finished is None:
            last = inferred_finish(self.run_dir)
            if last is not None:
                self.history.feed([last])
                records.append(last)
        return records

    def look_now(self) -> None:
        """Let the next poll look at the worker at once: it was just started, or ended."""
        self._starting = True
        self._looked = -PROBE_EVERY

    def log_lines(self) -> list[str]:
        """What the worker and its libraries printed since the last call."""
        try:
            with (self.run_dir / "worker.log").open("rb") as file:
                file.seek(self._log_at)
                data = file.read(1 << 20)
        except OSError:
            return []
        end = data.rfind(b"\n") + 1
        self._log_at += end
        return data[:end].decode("utf-8", "replace").splitlines()

    @property
    def facts(self) -> Facts | None:
        """Facts about the data, from the run's own record of it."""
        record = self.history.data
        if record is None:
            return None
        known = {entry.name for entry in fields(Facts)}
        given = {name: value for name, value in record.items() if name in known}
        try:
            return Facts(**{**given, "shape": tuple(given["shape"])})
        except (KeyError, TypeError):
            return None

    def effective_recipe(self) -> str:
        """The recipe's text with the edits of the history so far. Raises UserError."""
        if self._text is None:
            self._text = recipe_text(self.run_dir)
        text = self._text
        for record in self.history.edits:
            text = apply_edits(text, [edit_from_json(edit) for edit in record.get("edits", ())])
        return text

    def send(self, verb: str, **fields: object) -> str:
        """Leave a command for the worker; returns its id. May wait for a worker that is just starting: call it in a
        thread. Raises UserError."""
        id = self.attached.send(verb, **fields)
        self.sent[id] = verb
        return id

    def send_edits(self, edits: Sequence[Edit]) -> str:
        """Ask the worker to make edits of its recipe while it trains. As `send`."""
        return self.send("set", edits=[edit_to_json(edit) for edit in edits])


class ReplayedRun(OpenRun):
    """A run's journal, read at the pace at which it was written, or at any other. Trains nothing."""

    replayed = True

    def __init__(self, run_dir: Path, speed: float | None = 1.0) -> None:
        super().__init__(run_dir)
        self._history = History()
        self._waiting: list[Json] = []
        self._at = 0
        self._clock = 0.0
        self._last: float | None = None
        self.alive = True
        self.speed = speed
        """Times as fast as recorded; None: as fast as can be."""
        self.playing = True

    @property
    def history(self) -> History:
        """What has been played."""
        return self._history

    @property
    def length(self) -> float:
        """Seconds that the run took."""
        times = [_seconds(record) for record in self._waiting[-1:]]
        return times[0] if times else 0.0

    @property
    def clock(self) -> float:
        """Seconds of the run that have been played."""
        return self._clock

    def poll(self) -> list[Json]:
        """The records that are due."""
        now = time.monotonic()
        passed = 0.0 if self._last is None else now - self._last
        self._last = now
        self._waiting += self.attached.tail.poll()
        if self.playing:
            return self.play(passed)
        return []

    def play(self, seconds: float) -> list[Json]:
        """The records of the next `seconds` of watching."""
        if self.speed is None:
            self._clock = self.length
        else:
            self._clock = min(self.length, self._clock + seconds * self.speed)
        start = self._at
        while self._at < len(self._waiting) and _seconds(self._waiting[self._at]) <= self._clock:
            self._at += 1
        due = self._waiting[start : self._at]
        if due:
            self._history.feed(due)
        # For who looks on, a recording is alive until its last record.
        self.alive = not self.at_end
        return due

    @property
    def at_end(self) -> bool:
        """Whether everything has been played."""
        return self._at >= len(self._waiting)

    def rewind(self) -> None:
        """Back to the start, playing."""
        self._history = History()
        self._at, self._clock, self.playing, self.alive = 0, 0.0, True, True

    def log_lines(self) -> list[str]:
        """Nothing: the worker's words have no times."""
        return []

    def send(self, verb: str, **fields: object) -> str:
        """Refused."""
        raise UserError("this is a replay: there is no worker to command", "v opens the run's recipe")


def _seconds(record: Json) -> float:
    try:
        return float(record.get("time", 0.0))
    except (TypeError, ValueError):
        return 0.0
