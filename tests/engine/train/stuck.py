"""A worker whose data is read in one call into a library that comes back neither soon nor for a signal."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from engine.train import session, worker


def read_for_ever(*_: Any) -> None:
    """Wait for a mutex that this very thread holds."""
    threads, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(128)
    threads.pthread_mutex_lock(mutex)
    threads.pthread_mutex_lock(mutex)


def main(run_dir: str) -> None:
    """The worker."""
    session.prepare = read_for_ever
    sys.exit(worker.main([run_dir]))
