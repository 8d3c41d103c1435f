"""Making whole run folders durable behind the back of whoever writes many small ones."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from pathlib import Path

from engine.runs.storage import sync_folder


class SyncLater:
    """A thread that syncs folders one after another, so that nobody waits for the disk. A context manager."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="sync", daemon=True)

    def add(self, folder: Path) -> None:
        """Sync everything in a folder, and its own name, soon."""
        self._queue.put(folder)

    def __enter__(self) -> SyncLater:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (folder := self._queue.get()) is not None:
            with contextlib.suppress(OSError):  # what is gone need not last
                sync_tree(folder)
                sync_folder(folder.parent)


def sync_tree(folder: Path) -> None:
    """Sync every file and folder below, and the folder itself. Raises OSError."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            sync_tree(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            fd = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
    sync_folder(folder)
