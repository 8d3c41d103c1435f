"""A worker in waiting, from the side of the process that keeps it and hands runs over to it.

Loading torch takes longer than all else that stands between a key and the first loss, so one worker is kept that has
loaded it. A run is handed over in three words, over the socket that is the waiting worker's standard input:

    keeper                                     waiting worker
                                     warm      torch is loaded
    {"run_dir": ...} + lock + log              the run's locked descriptor and its log go along
                                     ready     it has them, and has touched nothing
    go                                         from here on the run is its own

Until `go` the keeper may change its mind: a worker that is not there, does not answer, or was started under other
conditions is killed, and a new one is launched on the same locked descriptor. A waiting worker begins only at `go`, and
leaves where its keeper goes before that. So a run is neither lost nor begun twice, and never without its lock.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import engine
from engine.machine.memory import free_memory
from engine.runs import launch

PATIENCE = 0.2
"""Seconds that a waiting worker has to answer. It takes some milliseconds where the machine is not crowded; loading
anew takes a second and more."""
LEAST_MEMORY = 1 << 30
"""Bytes that must be free for a worker to wait: it holds some 300 MB itself, and the next run wants some too."""
TRIES = 2
"""Workers that may fail to get ready before no more are started: there may be no torch here at all."""
SWITCH = "GOODFIT_STANDBY"
"""Environment variable: `0` keeps no worker in waiting."""
WARM, READY, GO = b"warm\n", b"ready\n", b"go\n"


@dataclass(frozen=True)
class Conditions:
    """What a worker's work depends on beside the run: one that was started under others is not used."""

    environment: dict[str, str]
    folder: str
    code: tuple[object, ...]

    @classmethod
    def now(cls) -> Conditions:
        """Those that a worker would be launched under at this moment."""
        return cls(launch.worker_environment(), str(Path.cwd()), _code())


class Standby:
    """Keeps at most one worker in waiting. Its methods may be called from any thread, and never raise."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: _Waiting | None = None
        self._failed = 0
        self._closed = False

    def want(self) -> None:
        """See to it that a worker waits, where that is wanted and there is room for it."""
        with self._guard:
            if self._waiting is not None and self._waiting.alive():
                return
            if self._waiting is not None:
                self._failed += not self._waiting.is_warm()
                self._waiting.dismiss()
                self._waiting = None
            wanted = os.environ.get(SWITCH, "1") != "0" and self._failed < TRIES and not self._closed
            if wanted and enough_memory():
                with contextlib.suppress(OSError):
                    self._waiting = _Waiting.start()

    @property
    def ready(self) -> bool:
        """Whether a worker waits and has loaded what it needs."""
        with self._guard:
            return self._waiting is not None and self._waiting.alive() and self._waiting.is_warm()

    def claim(self, run_dir: Path, lock: int, log: int) -> subprocess.Popen[bytes] | None:
        """Hand a run over, with its locked descriptor and the one that output goes to; the worker's process.

        None where nobody takes it: then the run is as it was, and still the caller's.
        """
        with self._guard:
            waiting = self._waiting
            if waiting is None or (waiting.alive() and not waiting.is_warm()):
                return None  # one that is still loading is left to it, for the next run
            self._waiting = None
        try:
            taken = waiting.alive() and waiting.conditions == Conditions.now() and waiting.take(run_dir, lock, log)
        except OSError:
            taken = False
        if not taken:
            waiting.dismiss()
            return None
        waiting.line.close()
        return waiting.process

    def close(self) -> None:
        """Send the waiting worker away; none follows."""
        with self._guard:
            self._closed = True
            if self._waiting is not None:
                self._waiting.dismiss()
                self._waiting = None


class _Waiting:
    """One worker, not yet claimed."""

    def __init__(self, process: subprocess.Popen[bytes], line: socket.socket, conditions: Conditions) -> None:
        self.process, self.line, self.conditions = process, line, conditions
        self._heard = b""

    @classmethod
    def start(cls) -> _Waiting:
        """Raises OSError."""
        ours, theirs = socket.socketpair()
        conditions = Conditions.now()
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", launch.WORKER, "--standby"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=conditions.environment,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(process, ours, conditions)

    def alive(self) -> bool:
        return self.process.poll() is None

    def is_warm(self) -> bool:
        return self._hears(WARM, 0.0)

    def take(self, run_dir: Path, lock: int, log: int) -> bool:
        """Whether it took the run over. Raises OSError."""
        self.line.settimeout(PATIENCE)
        claim = json.dumps({"run_dir": str(run_dir)}).encode() + b"\n"
        if socket.send_fds(self.line, [claim], [lock, log]) != len(claim):
            return False
        if not self._hears(WARM + READY, PATIENCE):
            return False
        self.line.settimeout(PATIENCE)
        self.line.sendall(GO)
        return True

    def dismiss(self) -> None:
        """End it, whatever it is doing: it was never told to begin."""
        self.line.close()
        with contextlib.suppress(OSError):
            self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE)  # else Popen itself reaps it later

    def _hears(self, words: bytes, patience: float) -> bool:
        """Whether it has said all of `words`, waiting so long for them."""
        deadline = time.monotonic() + patience
        while not self._heard.startswith(words):
            try:
                self.line.settimeout(max(0.0, deadline - time.monotonic()))
                heard = self.line.recv(64)
            except OSError:  # nothing there, or the time is up
                return False
            if not heard:
                return False
            self._heard += heard
        return True


def enough_memory() -> bool:
    """Whether another process may be started without pushing others out; yes where nothing says."""
    free = free_memory()
    return free is None or free >= LEAST_MEMORY


def _code() -> tuple[object, ...]:
    """What tells this version of the code from another: our own files, and what is installed beside torch."""
    own = Path(engine.__file__).parent
    files = sorted(own.rglob("*.py"))
    stamps = [(str(path), stat.st_mtime_ns, stat.st_size) for path in files for stat in [path.stat()]]
    installed = {Path(path) for path in sys.path if path.endswith("-packages")}
    return (*stamps, *sorted((str(path), path.stat().st_mtime_ns) for path in installed if path.is_dir()))
