"""The lock on a run: one process writes, everybody may ask who.

`flock`, never `lockf`: it belongs to the open file, so closing another descriptor of the same file does not drop it,
and the kernel drops it when the holder dies, however it dies. The file itself is never removed or replaced; whether it
exists says nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from engine.errors import UserError
from engine.runs.process import host, start_token
from engine.runs.storage import PRIVATE_FILE, refused

LOCK = "lock"
HEARTBEAT = "heartbeat"
INHERIT = "GOODFIT_LOCK_FD"
"""Environment variable by which a launcher hands its locked descriptor on to the worker that it starts."""
BEAT_EVERY = 10.0
STALE_AFTER = 60.0
"""Seconds without a heartbeat after which a run on another host is `unknown`."""

Liveness = Literal["alive", "dead", "unknown"]


@dataclass(frozen=True)
class Holder:
    """Who holds, or last held, the lock."""

    host: str
    pid: int
    started: str
    """When the lock was taken, ISO 8601, UTC."""
    token: str
    """Tells the process from a later one with the same pid."""
    purpose: str = "train"

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.started}"


class Held(UserError):
    """Another process holds the lock."""

    def __init__(self, run_dir: Path, holder: Holder | None) -> None:
        who = str(holder) if holder else "another process"
        super().__init__(
            f"{run_dir.name} is in use by {who}", "stop it first (goodfit stop), or watch it (goodfit watch)"
        )
        self.holder = holder


class Lock:
    """The exclusive lock of a run, held until `release` or the process's end. A context manager."""

    def __init__(self, run_dir: Path, fd: int, holder: Holder) -> None:
        self.run_dir = run_dir
        self.holder = holder
        self._fd: int | None = fd
        self._stop = threading.Event()
        self._beat: threading.Thread | None = None

    @classmethod
    def acquire(cls, run_dir: Path, *, retry: float = 1.0, purpose: str = "train") -> Lock:
        """Take the lock, trying for `retry` seconds since readers probe with a passing shared lock.

        A worker started by `launch` finds the lock already taken on its behalf and adopts it.
        Raises Held (naming host, pid and start time) and StorageError.
        """
        fd = _adopt(run_dir)
        if fd is None:
            fd = _take(run_dir, retry)
        pid = os.getpid()
        holder = Holder(host(), pid, _now(), start_token(pid) or "", purpose)
        lock = cls(run_dir, fd, holder)
        try:
            text = json.dumps(vars(holder)).encode()
            # over the former name in one write: who reads meanwhile finds the one or the other, never none
            os.pwrite(fd, text.ljust(os.fstat(fd).st_size), 0)
        except OSError as error:
            lock.release()
            raise refused(error, "taking the run's lock", run_dir) from error
        return lock

    @property
    def held(self) -> bool:
        """Whether this object still holds the lock, in the process that took it."""
        return self._fd is not None and self.holder.pid == os.getpid()

    def fileno(self) -> int:
        """The locked descriptor, for handing on to a worker."""
        if self._fd is None:
            raise ValueError("the lock is released")
        return self._fd

    def start_heartbeat(self, every: float = BEAT_EVERY) -> None:
        """Touch `heartbeat` now and then from a thread of its own, until release."""
        beat(self.run_dir)
        self._beat = threading.Thread(target=self._keep_beating, args=(every,), name="heartbeat", daemon=True)
        self._beat.start()

    def _keep_beating(self, every: float) -> None:
        while not self._stop.wait(every):
            beat(self.run_dir)

    def release(self) -> None:
        """Let go. Harmless when done twice."""
        self._stop.set()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def probe(run_dir: Path) -> Liveness:
    """Whether a process holds the lock: the kernel's answer on this host, the heartbeat's for another.

    Takes nothing away: a shared lock is asked for without waiting, and given back at once.
    """
    try:
        fd = os.open(run_dir / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return "dead"
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return "alive"
        except OSError:
            return _by_process(read_holder(run_dir))
        fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)
    holder = read_holder(run_dir)
    if holder is None or holder.host == host():
        return "dead"
    age = heartbeat_age(run_dir)
    return "alive" if age is not None and age <= STALE_AFTER else "unknown"


def _by_process(holder: Holder | None) -> Liveness:
    """Where the file system knows no locks, the process table answers."""
    if holder is None or holder.host != host():
        return "unknown"
    return "alive" if start_token(holder.pid) == holder.token else "dead"


def read_holder(run_dir: Path) -> Holder | None:
    """Who holds or last held the lock; None where nobody did, or the first has not written its name yet."""
    try:
        values: dict[str, Any] = json.loads((run_dir / LOCK).read_bytes())
        return Holder(
            str(values["host"]),
            int(values["pid"]),
            str(values["started"]),
            str(values["token"]),
            str(values.get("purpose", "train")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def beat(run_dir: Path) -> None:
    """Touch the heartbeat. Never raises: a full disk must not end a run."""
    with contextlib.suppress(OSError):
        fd = os.open(run_dir / HEARTBEAT, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            os.utime(fd)
        finally:
            os.close(fd)


def heartbeat_age(run_dir: Path) -> float | None:
    """Seconds since the last heartbeat by the wall clock; None where there is none."""
    try:
        return time.time() - (run_dir / HEARTBEAT).stat().st_mtime
    except OSError:
        return None


def _adopt(run_dir: Path) -> int | None:
    """The descriptor that the launcher locked for us, if it is indeed this run's."""
    text = os.environ.pop(INHERIT, "")
    if not text.isdigit():
        return None
    fd = int(text)
    if not _same_file(fd, run_dir / LOCK):
        return None
    os.set_inheritable(fd, False)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a no-op on a descriptor that holds it already
    except OSError:
        os.close(fd)
        return None
    return fd


def _take(run_dir: Path, retry: float) -> int:
    deadline = time.monotonic() + retry
    while True:
        try:
            fd = os.open(run_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
        except OSError as error:
            raise refused(error, "opening the run's lock", run_dir) from error
        try:
            os.fchmod(fd, PRIVATE_FILE)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same_file(fd, run_dir / LOCK):
                return fd
            os.close(fd)  # the file was removed in between: what we locked is nobody's lock
        except BlockingIOError as error:
            os.close(fd)
            if time.monotonic() >= deadline:
                raise Held(run_dir, read_holder(run_dir)) from error
            time.sleep(0.02)
        except OSError as error:
            os.close(fd)
            raise refused(error, "locking the run", run_dir) from error


def _same_file(fd: int, path: Path) -> bool:
    try:
        mine, there = os.fstat(fd), path.stat()
    except OSError:
        return False
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
