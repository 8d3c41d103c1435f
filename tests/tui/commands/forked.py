"""Workers and tools for verbs that tests call in this process, without importing torch anew each time.

A worker is forked from a process that has torch loaded, with the lock handed on as `launch` does it; a tool works in
this process. What only real processes show is tested with real ones.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from multiprocessing import forkserver, reduction
from pathlib import Path
from typing import Any

import pytest

from engine.runs import launch
from engine.runs.lock import INHERIT, Lock
from tui.commands import child


class Descriptor:
    """An open file that goes along to a forked process, where it arrives as its number."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __reduce__(self) -> Any:
        return arrived, (reduction.DupFd(self.fd),)


def arrived(copy: Any) -> int:
    return int(copy.detach())


def work(run_dir: str, environment: dict[str, str], lock: int) -> None:
    """A worker's main program."""
    os.setsid()
    os.environ.update(environment, **{INHERIT: str(lock)})
    from engine.train import worker

    sys.exit(worker.main([run_dir]))


def fork_worker(run_dir: Path, lock: Lock | None = None) -> int:
    """Stands in for `launch`."""
    if lock is None:
        with Lock.acquire(run_dir, purpose="launch") as taken:
            return fork_worker(run_dir, taken)
    context = multiprocessing.get_context("forkserver")
    environment = {name: value for name, value in os.environ.items() if name.startswith(("GOODFIT", "OMP"))}
    process = context.Process(target=work, args=(str(run_dir), environment, Descriptor(lock.fileno())))
    process.start()
    assert process.pid is not None
    return process.pid


def run_here(module: str, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Stands in for `run_tool`."""
    yield from importlib.import_module(f"engine.train.{module}").work(list(arguments))


def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on verbs called in this process work so."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["engine.train.life", "engine.train.session", "engine.train.verify"])
    forkserver.ensure_running()  # here, not in the folder of a test
    monkeypatch.setattr(launch, "launch", fork_worker)
    monkeypatch.setattr(child, "run_tool", run_here)
