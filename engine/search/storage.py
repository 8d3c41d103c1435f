"""Optuna's journal in a search's folder: `optuna.journal`, shared by all processes that work on the search.

Optuna itself can open the file: `JournalStorage(JournalFileBackend("optuna.journal"))`, study `search`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from engine.runs.storage import PRIVATE_FILE, refused, write_all

FILE = "optuna.journal"
LOCK = "optuna.lock"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """`flock` on a file beside the journal: the kernel drops it when its holder dies, however it dies. Raises
    StorageError."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    except OSError as error:
        raise refused(error, "locking the search's storage", path) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
        except OSError as error:
            raise refused(error, "locking the search's storage", path) from error
        yield
    finally:
        os.close(fd)


class Backend(JournalFileBackend):
    """Optuna's file, which is synced when asked and not for each of its many small lines, and never left torn."""

    def __init__(self, folder: Path) -> None:
        path = folder / FILE
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE))
        self._lock_path = folder / LOCK
        super().__init__(str(path))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        try:
            with locked(self._lock_path):
                fd = os.open(self._file_path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
                try:
                    self._cut_tail(fd)
                    write_all(fd, lines)
                finally:
                    os.close(fd)
        except OSError as error:
            raise refused(error, "writing the search's storage", Path(self._file_path)) from error

    def sync(self) -> None:
        """Make everything durable."""
        try:
            fd = os.open(self._file_path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise refused(error, "syncing the search's storage", Path(self._file_path)) from error

    @staticmethod
    def _cut_tail(fd: int) -> None:
        """Cut off a line that its writer did not live to finish."""
        size = os.fstat(fd).st_size
        if not size or os.pread(fd, 1, size - 1) == b"\n":
            return
        os.ftruncate(fd, os.pread(fd, size, 0).rfind(b"\n") + 1)


def open_storage(folder: Path) -> tuple[JournalStorage, Backend]:
    """The storage in a search's folder, made where there is none. Raises StorageError."""
    try:
        backend = Backend(folder)
    except OSError as error:
        raise refused(error, "opening the search's storage", folder / FILE) from error
    return JournalStorage(backend), backend
