"""Commands to a running worker: one file each in `commands/`, answered in the journal.

A command names the worker that it was meant for (by the lock's token), so that what a dead worker never read is not
obeyed by the next one.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.runs.journal import Journal, Tail
from engine.runs.lock import Holder, probe, read_holder
from engine.runs.records import CommandRefused, Json
from engine.runs.storage import make_folder, refused, sync_folder, write_new

COMMANDS = "commands"
VERBS = ("pause", "resume", "stop", "checkpoint", "set")
EFFECTS = {"pause": "paused", "resume": "resumed", "stop": "finished", "checkpoint": "checkpoint", "set": "edited"}
"""The record that shows that a verb has taken effect."""
_LARGEST = 1 << 20


class NotRunning(UserError):
    """There is no live worker to command."""


class NoAnswer(UserError):
    """The worker did not answer in time."""

    exit_code = 1


@dataclass(frozen=True)
class Command:
    """One command, as the worker reads it."""

    id: str
    verb: str
    fields: dict[str, Any] = field(default_factory=dict)


def send(run_dir: Path, verb: str, **fields: Any) -> str:
    """Leave a command for the run's worker; returns its id. Raises NotRunning, StorageError, ValueError."""
    if verb not in VERBS:
        raise ValueError(f"no such verb: {verb}")
    holder = worker_of(run_dir)
    name = f"{time.time_ns():020d}-{secrets.token_hex(3)}"
    body = {"id": name, "verb": verb, "worker": holder.token if holder else None, **fields}
    folder = run_dir / COMMANDS
    beside = folder / f".{name}"
    try:
        if not folder.is_dir():
            make_folder(folder)
        write_new(beside, json.dumps(body).encode())
        beside.rename(folder / f"{name}.json")
        sync_folder(folder)
    except OSError as error:
        raise refused(error, f"sending {verb}", folder) from error
    return name


def worker_of(run_dir: Path, patience: float = 10.0) -> Holder | None:
    """Who works on the run; None where that cannot be told. A worker that is just being launched is waited for.

    Raises NotRunning.
    """
    deadline = time.monotonic() + patience
    while True:
        alive, holder = probe(run_dir), read_holder(run_dir)
        if alive == "dead" or (holder is not None and holder.purpose == "test"):
            raise NotRunning(f"{run_dir.name} is not running", "goodfit resume goes on from its last checkpoint")
        if alive == "alive" and holder is not None and holder.purpose == "trial":
            raise NotRunning(
                f"{run_dir.name} trains as a trial of a search, and has no worker of its own",
                "stop or pause the search: goodfit runs lists it",
            )
        if (holder is not None and holder.purpose != "launch") or time.monotonic() >= deadline:
            return holder
        time.sleep(0.02)


class Inbox:
    """The worker's side: what is asked of it.

    A command's file is removed as it is handed out. Whoever sent it waits for the answer in the journal and notices if
    the worker dies before that; no later worker finds it, or would obey it.
    """

    def __init__(self, run_dir: Path, token: str | None = None) -> None:
        """`token` tells which worker this is; left out, that of the lock's holder."""
        self.folder = run_dir / COMMANDS
        holder = read_holder(run_dir) if token is None else None
        self._token = holder.token if holder is not None else token
        self._stuck: set[Path] = set()
        """Files that were handed out and cannot be removed."""
        self._unfit: list[CommandRefused] = []

    def poll(self) -> list[Command]:
        """New commands, oldest first, each exactly once; the worker answers every one in the journal.

        What it cannot obey (unreadable, or meant for an earlier worker) is kept for `refuse_unfit`.
        """
        try:
            names = sorted(entry.name for entry in os.scandir(self.folder) if not entry.name.startswith("."))
        except OSError:
            return []
        found = []
        for name in names:
            path = self.folder / name
            if path.suffix != ".json":
                continue
            command = self._parse(path)
            try:
                path.unlink()
            except OSError:
                if path in self._stuck:
                    continue
                self._stuck.add(path)
            if isinstance(command, Command):
                found.append(command)
            else:
                self._unfit.append(command)
        return found

    def unfit(self) -> list[CommandRefused]:
        """The refusals of what `poll` kept back, each once, for who journals by another way."""
        found, self._unfit = self._unfit, []
        return found

    def refuse_unfit(self, journal: Journal) -> list[Json]:
        """Journal a refusal for what `poll` kept back; returns the records."""
        records = []
        while self._unfit:
            records.append(journal.append(self._unfit[0]))
            self._unfit.pop(0)
        return records

    def _parse(self, path: Path) -> Command | CommandRefused:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(fd, "rb") as file:
                body = json.loads(file.read(_LARGEST))
            verb, worker = body.pop("verb"), body.pop("worker", None)
            body.pop("id", None)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return CommandRefused(id=path.stem, reason="the command cannot be read")
        if verb not in VERBS:
            return CommandRefused(id=path.stem, reason=f"there is no command {verb!r}")
        if None not in (worker, self._token) and worker != self._token:
            return CommandRefused(id=path.stem, reason="it was meant for an earlier worker of this run")
        return Command(path.stem, verb, body)


def wait(
    run_dir: Path, id: str, effects: Collection[str], *, timeout: float = 30.0, tail: Tail | None = None
) -> list[Json]:
    """Wait for the answer to a command and then for its effect: `[answer]` if refused, else `[answer, effect]`.

    `effects` are record types; a record with an `id` must name this command. `tail`, opened before the command was
    sent, spares reading the journal from its start. The answer must come within `timeout` seconds; the effect may take
    as long as the worker lives. Raises NoAnswer; NotRunning where the worker died first.
    """
    tail = tail or Tail(run_dir)
    deadline = time.monotonic() + timeout
    reply: Json | None = None
    while True:
        dead = probe(run_dir) == "dead"  # asked before reading: what it wrote last is then read below
        for record in tail.poll():
            if reply is None:
                if record["type"] in ("command_accepted", "command_refused") and record.get("id") == id:
                    reply = record
                    if record["type"] == "command_refused":
                        return [reply]
            elif record["type"] in effects and record.get("id", id) in (id, None):
                return [reply, record]
        if dead:
            raise NotRunning(f"the worker of {run_dir.name} ended before it did this", "goodfit resume starts it again")
        if reply is None and time.monotonic() >= deadline:
            raise NoAnswer(
                f"the worker of {run_dir.name} did not answer within {timeout:g} s",
                "it may be loading data or saving; goodfit stop --kill ends it",
            )
        time.sleep(0.05)


def request(run_dir: Path, verb: str, *, timeout: float = 30.0, **fields: Any) -> list[Json]:
    """`send` and `wait` for the verb's own effect."""
    tail = Tail.at_end(run_dir)
    return wait(run_dir, send(run_dir, verb, **fields), {EFFECTS[verb]}, timeout=timeout, tail=tail)
