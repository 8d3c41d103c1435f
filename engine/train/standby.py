"""A worker in waiting: torch is loaded already, so that a run begins at once when it is claimed.

`engine.runs.standby` keeps it and has the words that the two exchange. A claim may also be one line on a plain pipe,
`{"run_dir": PATH}`: then the worker takes the run's lock itself, and begins without being told again.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import socket
import stat
import sys
import threading
from pathlib import Path

from engine.runs.lock import INHERIT
from engine.runs.standby import GO, READY, WARM

IDLE = 600.0
"""Seconds after which an unclaimed worker goes."""
NICE = 10
"""How far the thread that loads stands back for others; the one that trains does not."""
LONGEST = 1 << 16


def wait_for_claim(stdin: int = 0) -> str | None:
    """The run's folder, or None where nobody wants this worker.

    Afterwards stdin is ignored and output goes to the run's `worker.log`, so that the worker no longer depends on
    whoever started it.
    """
    import numpy  # noqa: F401  # here, since its threads stand back as far as the one that imports it

    line = socket.socket(fileno=os.dup(stdin)) if stat.S_ISSOCK(os.fstat(stdin).st_mode) else None
    loading = threading.Thread(target=_load, args=(line,), name="loading", daemon=True)
    loading.start()
    ready, _, _ = select.select([stdin], [], [], IDLE)
    words, fds = _read(line, stdin) if ready else (b"", [])
    try:
        run_dir = str(json.loads(words)["run_dir"])
    except (ValueError, KeyError, TypeError):  # the end, or a claim that broke off
        return None
    loading.join()
    log = -1
    if line is not None and len(fds) == 2:
        lock, log = fds
        os.set_inheritable(log, False)
        if not _agreed(line):
            return None
        os.environ[INHERIT] = str(lock)
    _leave(run_dir, log)
    return run_dir


def _read(line: socket.socket | None, stdin: int) -> tuple[bytes, list[int]]:
    """All up to the end of the line, and the descriptors that came with it; nothing where there is no whole line."""
    words, fds = b"", []
    while not words.endswith(b"\n"):
        if line is None:
            more = os.read(stdin, LONGEST)
        else:
            more, sent, _, _ = socket.recv_fds(line, LONGEST, 2)
            fds += sent
        if not more:
            return b"", []
        words += more
    return words, fds


def _agreed(line: socket.socket) -> bool:
    """Say that the claim has arrived; whether the claimer still wants it."""
    heard = b""
    with contextlib.suppress(OSError):
        line.sendall(READY)
        while more := line.recv(LONGEST):
            heard += more
            if heard.endswith(GO):
                line.close()
                return True
    return False


def _leave(run_dir: str, log: int) -> None:
    """Cut the ties to the claimer: session, terminal, pipes."""
    if os.getsid(0) != os.getpid() and os.getpgrp() != os.getpid():
        os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    if log < 0:
        log = os.open(Path(run_dir) / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(nothing)
    os.close(log)


def _load(line: socket.socket | None) -> None:
    """Import what nearly every run needs, and do once what is slow the first time. A worker that cannot goes."""
    try:
        if sys.platform == "linux":  # elsewhere a thread has no priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        from engine.train.rehearsal import rehearse

        rehearse()
        gc.collect()
        gc.freeze()
        if line is not None:
            line.sendall(WARM)
    except BaseException:
        os._exit(1)
