"""A worker in waiting: torch is loaded already, so that a run begins at once when it is claimed."""

from __future__ import annotations

import json
import os
import select
import sys
from pathlib import Path

IDLE = 600.0
"""Seconds after which an unclaimed worker goes."""


def wait_for_claim() -> str | None:
    """Read one line on stdin, `{"run_dir": PATH}`; the run's folder, or None where nobody wants this worker.

    Afterwards stdin is ignored and output goes to the run's `worker.log`, so that the worker no longer depends on
    whoever started it.
    """
    import engine.train.life
    import engine.train.session  # noqa: F401

    ready, _, _ = select.select([sys.stdin], [], [], IDLE)
    line = sys.stdin.readline() if ready else ""
    if not line.strip():
        return None
    run_dir = str(json.loads(line)["run_dir"])
    _leave(run_dir)
    return run_dir


def _leave(run_dir: str) -> None:
    """Cut the ties to the claimer: session, terminal, pipes."""
    if os.getsid(0) != os.getpid() and os.getpgrp() != os.getpid():
        os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    log = os.open(Path(run_dir) / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(nothing)
    os.close(log)
