"""Decoded images of one size on disk: rows of uint8 in one raw file, and which image each of them is.

Rows are only ever added, so images that several recipes share are decoded once, and work that was cut short is not
lost. Row i of `pixels` belongs to record i of `index`, which holds the sha256 of the image file that it was decoded
from and the row's crc32. `seal` says how large and how old both were when they were last known to be right: where it
does not fit them (a process was killed in between, the machine lost its power, somebody wrote into them), every row is
held against its checksum, and those that differ are forgotten.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data.cache import write_aside
from engine.data.samples import Index, Mapped

Pixels = npt.NDArray[np.uint8]
RECORD = np.dtype([("key", "V32"), ("crc", "<u4")])
NOTHING = bytes(32)
"""The key of a row that is damaged."""


class Store:
    """The images of one size. Every method raises OSError where the disk refuses."""

    def __init__(self, folder: Path, shape: tuple[int, int, int]) -> None:
        """`shape` is (channels, height, width)."""
        self._folder, self._shape = folder, shape
        self._width = shape[0] * shape[1] * shape[2]
        self._pixels, self._index, self._seal = folder / "pixels", folder / "index", folder / "seal"

    def find(self, keys: Sequence[bytes]) -> Index:
        """The row of each image, -1 for one that is not there."""
        with self._locked():
            records = self._sound()
        rows = {key: row for row, key in enumerate(_keys(records))}
        rows.pop(NOTHING, None)
        return np.array([rows.get(key, -1) for key in keys], dtype=np.int64)

    def add(self, keys: Sequence[bytes], pixels: Pixels) -> None:
        """Append images (N, channels, height, width), whether or not another process did meanwhile."""
        with self._locked():
            records = self._sound()
            flat = np.ascontiguousarray(pixels).reshape(len(pixels), self._width)
            new = np.zeros(len(keys), RECORD)
            new["key"] = np.frombuffer(b"".join(keys), "V32")
            new["crc"] = [zlib.crc32(row.data) for row in flat]
            # rows are never cut off, only passed over: another process may have them mapped
            behind = -(-_size(self._pixels) // self._width) - len(records)
            if behind > 0:
                new = np.concatenate([np.zeros(behind, RECORD), new])
            first = len(records) + max(0, behind)
            _write_at(self._pixels, first * self._width, flat)
            _write_at(self._index, len(records) * RECORD.itemsize, new)
            self._write_seal(synced=False)

    def sync(self) -> None:
        """Make what was added last through a loss of power."""
        with self._locked():
            if self._seal_fits():
                for path in (self._pixels, self._index):
                    with path.open("rb") as file:
                        os.fsync(file.fileno())
                self._write_seal(synced=True)

    def samples(self, rows: Index) -> Mapped:
        """The images at these rows, as they lie on disk."""
        stored = _size(self._pixels) // self._width
        return Mapped(self._pixels, stored, self._shape, np.uint8, rows)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the files, for as long as a few megabytes take; without it where the file system has no locks."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _sound(self) -> npt.NDArray[Any]:
        """The index, with every row that is not what it was marked as damaged."""
        whole = _size(self._index) // RECORD.itemsize
        records = np.fromfile(self._index, RECORD, whole) if whole else np.zeros(0, RECORD)
        if not whole or self._seal_fits():
            return records
        there = min(whole, _size(self._pixels) // self._width)
        pixels: Any = np.memmap(self._pixels, np.uint8, "r", shape=(there, self._width)) if there else ()
        right = np.zeros(whole, dtype=bool)
        right[:there] = [zlib.crc32(row.data) == crc for row, crc in zip(pixels, records["crc"].tolist(), strict=False)]
        records = np.where(right, records, np.zeros((), RECORD))
        write_aside(self._index, records.tobytes())
        self._write_seal(synced=False)
        return records

    def _seal_fits(self) -> bool:
        try:
            seal = json.loads(self._seal.read_bytes())
            same = seal["files"] == self._marks()
            return bool(same and (seal["synced"] or (seal["boot"] and seal["boot"] == _boot())))
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _write_seal(self, *, synced: bool) -> None:
        seal = {"files": self._marks(), "synced": synced, "boot": _boot()}
        write_aside(self._seal, json.dumps(seal).encode())

    def _marks(self) -> list[list[int]]:
        """Size and time of the last change of both files."""
        there = [path.stat() if path.exists() else None for path in (self._pixels, self._index)]
        return [[stat.st_size, stat.st_mtime_ns] if stat else [0, 0] for stat in there]


def _keys(records: npt.NDArray[Any]) -> list[bytes]:
    raw = np.ascontiguousarray(records["key"]).tobytes()
    return [raw[start : start + 32] for start in range(0, len(raw), 32)]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _write_at(path: Path, offset: int, content: npt.NDArray[Any]) -> None:
    # opened by hand: Python's own modes either empty a file, or refuse one that is not there, or write at its end
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.seek(offset)
        file.write(content.tobytes())


def _boot() -> str:
    """Which start of the machine this is; empty where nothing says."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
