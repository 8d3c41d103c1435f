"""Writing to disk so that what was promised survives: exclusive, private, synced, and clear when the disk refuses."""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path

from engine.errors import UserError

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700

_REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space, or put the runs elsewhere with --runs"),
    errno.EDQUOT: ("your disk quota is used up", "free some space, or put the runs elsewhere with --runs"),
    errno.EROFS: ("the file system is read-only", "put the runs elsewhere with --runs"),
    errno.EACCES: ("permission denied", "check who owns the folder, or put the runs elsewhere with --runs"),
    errno.EPERM: ("permission denied", "check who owns the folder, or put the runs elsewhere with --runs"),
    errno.EIO: ("the disk reports an input/output error", "check the disk, or put the runs elsewhere with --runs"),
    errno.ENOENT: ("the folder is gone", "was it moved or deleted while the run was writing?"),
    errno.ESTALE: ("the network file system lost the file", "is the file server up?"),
    errno.ENOLCK: ("the file system knows no locks", "put the runs on another file system with --runs"),
    errno.ENOSYS: ("the file system lacks what this needs", "put the runs on another file system with --runs"),
    errno.EOPNOTSUPP: ("the file system lacks what this needs", "put the runs on another file system with --runs"),
    errno.ELOOP: ("it is a link", "a run's own files are never links: is this folder what it seems?"),
    errno.EFBIG: ("the file would be larger than allowed", "raise `ulimit -f`, or the file system's limit"),
}


class StorageError(UserError):
    """The disk refused. Nothing that was committed before is lost, and the same call may be made again."""

    def __init__(self, message: str, hint: str = "", code: int | None = None) -> None:
        super().__init__(message, hint)
        self.code = code
        """The `errno`, where there is one."""


def refused(error: OSError, doing: str, path: Path) -> StorageError:
    """The StorageError that says in plain words why `doing` (such as "writing the journal") failed."""
    reason, hint = _REASONS.get(error.errno or 0, (error.strerror or str(error), ""))
    free = ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = f" ({free_space(path) / 1e6:.1f} MB free)"
    return StorageError(f"{doing} failed: {reason}{free}: {path}", hint, error.errno)


def free_space(path: Path) -> int:
    """Bytes free where `path` is or would be; 0 where that cannot be told."""
    for folder in (path, *path.parents):
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            continue
    return 0


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write every byte, however short the single writes are."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(fd)


def make_folder(path: Path) -> None:
    """Make one private folder, 0700 whatever the umask. Raises FileExistsError."""
    path.mkdir(mode=PRIVATE_FOLDER)
    path.chmod(PRIVATE_FOLDER)


def write_new(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Write a file that must not exist yet, 0600, and sync it. Raises FileExistsError, OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        os.fchmod(fd, PRIVATE_FILE)
        write_all(fd, data)
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)


def replace(path: Path, data: bytes) -> None:
    """Put `data` at `path` in one step: readers see the old file or the new one. Raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}-{time.monotonic_ns():x}")
    try:
        write_new(beside, data)
        beside.rename(path)
        sync_folder(path.parent)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
