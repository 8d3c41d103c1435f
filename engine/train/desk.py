"""Where wishes arrive: commands from other processes, signals, the death of the owner. The loop looks in between steps.

Nothing here acts. A signal handler sets a flag and a command becomes an entry; the loop decides when to obey.
"""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from engine.runs.commands import Command, Inbox
from engine.runs.process import Owner
from engine.runs.records import CommandAccepted, CommandRefused, Record

POLL = 0.03
"""Seconds between two looks into the commands folder."""

StopReason = Literal["stopped", "preempted"]


@dataclass(frozen=True)
class Change:
    """Edits that somebody asks for."""

    id: str | None
    edits: list[dict[str, Any]]


@dataclass
class Wishes:
    """What is asked of the loop and not yet done."""

    stop: StopReason | None = None
    pause: bool = False
    changes: deque[Change] = field(default_factory=deque)
    saves: deque[str] = field(default_factory=deque)
    """Ids of `checkpoint` commands."""

    def refuse(self) -> Iterator[CommandRefused]:
        """Drop what a run that is over can no longer do, and say so."""
        for id in [*(change.id for change in self.changes), *self.saves]:
            if id is not None:
                yield CommandRefused(id=id, reason="the run is over; resume it with the change instead")
        self.changes.clear()
        self.saves.clear()


class Desk(Protocol):
    """Collects wishes."""

    wishes: Wishes

    def listen(self, step: int) -> Iterator[Record]:
        """Read what has arrived by this step; gives the answers."""

    def rest(self) -> None:
        """Wait a moment while the run is paused."""

    def over(self, step: int, epoch: int) -> bool:
        """Whether a script ends here, after so many updates and whole epochs."""

    def horizon(self, step: int) -> int | None:
        """The next step at which the loop must look in, or None where any will do."""


REASONS: dict[int, StopReason] = {signal.SIGTERM: "preempted", signal.SIGINT: "stopped"}


class Flags:
    """What signal handlers set."""

    def __init__(self) -> None:
        self.stop: StopReason | None = None

    def take_signals(self) -> None:
        """From now on signals ask for a stop; a terminal that hangs up is nothing to a worker."""
        for number, reason in REASONS.items():
            signal.signal(number, lambda *_, reason=reason: self.ask(reason))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def ask(self, reason: StopReason) -> None:
        """Ask for a stop; the first reason counts."""
        self.stop = self.stop or reason


class LiveDesk:
    """The desk of a run on disk."""

    def __init__(self, inbox: Inbox, flags: Flags, owner: Owner | None) -> None:
        """`owner` is the process whose death stops the run."""
        self.wishes = Wishes()
        self._inbox, self._flags, self._owner = inbox, flags, owner
        self._next = 0.0
        self._later: deque[Command] = deque()
        """What has arrived and not yet been taken."""

    def listen(self, step: int) -> Iterator[Record]:
        if self._flags.stop is not None:
            self.wishes.stop = self._flags.stop
        now = time.monotonic()
        if now < self._next and not self._later:
            return
        if self.deserted():
            self.wishes.stop = self.wishes.stop or "stopped"
        self._later += self._inbox.poll()
        while self._later:
            command = self._later.popleft()
            yield from self._take(command)
            if command.verb in ("pause", "resume"):
                break  # the other may have arrived with it: first the run pauses or goes on, and says so
        yield from self._inbox.unfit()  # not written from here: the journal has one writer at a time
        self._next = time.monotonic() + POLL

    def deserted(self) -> bool:
        """Whether the run had an owner, who is dead."""
        return self._owner is not None and not self._owner.alive()

    def close(self, step: int) -> Iterator[Record]:
        """Refuse what can no longer be done."""
        self._next = 0.0
        yield from self.listen(step)
        while self._later:
            yield from self.listen(step)
        yield from self.wishes.refuse()

    def rest(self) -> None:
        time.sleep(POLL)
        try:
            self._inbox.folder.parent.stat()
        except FileNotFoundError:  # nobody can tell the run to go on any more
            self.wishes.stop = self.wishes.stop or "stopped"
        except OSError:
            pass

    def over(self, step: int, epoch: int) -> bool:
        return False

    def horizon(self, step: int) -> int | None:
        return None

    def _take(self, command: Command) -> Iterator[Record]:
        """`set` and `checkpoint` are answered when the loop gets to them."""
        wishes = self.wishes
        if command.verb == "set" and isinstance(command.fields.get("edits"), list):
            wishes.changes.append(Change(command.id, command.fields["edits"]))
            return
        if command.verb == "checkpoint":
            wishes.saves.append(command.id)
            return
        if command.verb == "stop":
            wishes.stop = "stopped"
        elif command.verb == "pause" and not wishes.pause:
            wishes.pause = True
        elif command.verb == "resume" and wishes.pause:
            wishes.pause = False
        else:
            yield CommandRefused(id=command.id, reason=self._refusal(command.verb))
            return
        yield CommandAccepted(id=command.id)

    def _refusal(self, verb: str) -> str:
        if verb == "pause":
            return "the run is paused already"
        if verb == "resume":
            return "the run is not paused"
        return f"a running worker knows no command {verb!r}"


class Script:
    """A desk where everything is known beforehand: edits at the steps at which they took effect, and the end."""

    def __init__(self, changes: list[tuple[int, Change]], last_step: int | None = None, whole: int = 0) -> None:
        """Stops after `last_step` updates, where given, once `whole` epochs are done with their validation."""
        self.wishes = Wishes()
        self._changes = deque(changes)
        self._last_step, self._whole = last_step, whole

    def listen(self, step: int) -> Iterator[Record]:
        while self._changes and self._changes[0][0] <= step:
            self.wishes.changes.append(self._changes.popleft()[1])
        yield from ()

    def rest(self) -> None:
        raise AssertionError("a script never pauses")

    def over(self, step: int, epoch: int) -> bool:
        return self._last_step is not None and step >= self._last_step and epoch >= self._whole

    def horizon(self, step: int) -> int | None:
        ahead = [at for at, _ in self._changes] + ([] if self._last_step is None else [self._last_step])
        return min((at for at in ahead if at > step), default=None)
