"""The sha256 of many files, read once: a file whose size, times and inode are as they were is not read again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.data.cache import cache_folder, write_aside

Mark = list[int]
YOUNG = 2_000_000_000
"""Nanoseconds for which a change may share its time with the one before it, so that the mark says nothing yet."""


def digests(root: Path, names: Sequence[str], tell: Callable[[int], None]) -> list[bytes | str]:
    """The sha256 of each file, by its name relative to `root`; in words why, for one that cannot be read.

    `tell` hears now and then how many are done, and may raise.
    """
    memory = cache_folder() / "images" / "known" / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:32]}.json"
    known: dict[str, tuple[Mark, str]] = {}
    with contextlib.suppress(OSError, ValueError, TypeError):
        known = {name: (mark, sha) for name, (mark, sha) in json.loads(memory.read_bytes()).items()}
    found: list[bytes | str] = [b""] * len(names)
    marks: dict[int, Mark] = {}
    unknown = []
    for place, name in enumerate(names):
        if place % 4096 == 0:
            tell(0)
        try:
            marks[place] = mark_of(root / name)
        except (OSError, ValueError) as error:
            found[place] = in_words(error)
            continue
        held = known.get(name)
        if held is not None and held[0] == marks[place]:
            found[place] = bytes.fromhex(held[1])
        else:
            unknown.append(place)
    with ThreadPoolExecutor(cores()) as pool:
        tell(len(names) - len(unknown))
        for start in range(0, len(unknown), 256):
            batch = unknown[start : start + 256]
            for place, digest in zip(batch, pool.map(_digest, [root / names[place] for place in batch]), strict=True):
                found[place] = digest
            tell(len(names) - len(unknown) + start + len(batch))
    if unknown:
        settled = time.time_ns() - YOUNG
        pairs = [(place, found[place]) for place, mark in marks.items() if max(mark[1:3]) < settled]
        kept = {names[place]: (marks[place], sha.hex()) for place, sha in pairs if isinstance(sha, bytes)}
        with contextlib.suppress(OSError):
            write_aside(memory, json.dumps(known | kept).encode())
    return found


def mark_of(path: Path) -> Mark:
    """What changes whenever the file's content does: size, times of change, inode. Raises OSError."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def _digest(path: Path) -> bytes | str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError) as error:
        return in_words(error)


def in_words(error: Exception) -> str:
    """Why a file cannot be used, without its name."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def cores() -> int:
    """Threads that reading and decoding take."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(8, here)
