"""The journal of a run: `events.log`, the one truth about what happened.

A line is eight lower-case hex digits (the CRC-32 of the JSON's bytes), a space, compact JSON in ASCII, a newline. Only
the process that holds the run's lock appends. A torn last line is cut off before the first append; a damaged line is
skipped, and where it lies is reported. Readers stop at an incomplete line and look again later.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

from engine.runs.lock import Lock
from engine.runs.records import Json, Record
from engine.runs.storage import PRIVATE_FILE, StorageError, refused, sync_folder, write_all

LOG = "events.log"
SYNC_EVERY = 2.0
"""Seconds after which an append also syncs, so that a power cut costs no more than that."""
SYNC_AT_ONCE = frozenset({"started", "plan", "edited", "checkpoint", "paused", "resumed", "test_evaluated", "finished"})
SUPERSEDED = frozenset(
    {"steps", "probe", "epoch", "edited", "checkpoint", "finding", "finding_updated", "finding_cleared"}
)
"""What a `resumed {from_step}` drops from the effective line where its step is larger."""

_BLOCK = 1 << 16


def number(value: Any) -> float:
    """A number from a record: "nan", "inf" and "-inf" stand for what JSON cannot say. None is nan."""
    return math.nan if value is None else float(value)


def encode(record: Json) -> bytes:
    """One line of the journal. Non-finite numbers become "nan", "inf", "-inf"."""
    try:
        text = _ENCODER.encode(record)
    except ValueError:
        text = _ENCODER.encode(_finite(record))
    body = text.encode("ascii")  # ASCII only, so that reading the file with `cat` sends a terminal nothing odd
    return b"%08x %b\n" % (crc32(body), body)


def decode(line: bytes) -> Json | None:
    """The record on a line (without its newline), or None where the line is damaged."""
    body = line[9:]
    if line[:9] != b"%08x " % crc32(body):
        return None
    try:
        record = json.loads(body.decode("utf-8"))
    except ValueError:
        return None
    return record if _is_record(record) else None


def decode_many(lines: list[bytes]) -> list[Json | None]:
    """`decode` each of many lines, several times faster: sound ones are parsed as one JSON array."""
    bodies = [line[9:] if line[:9] == b"%08x " % crc32(line[9:]) else None for line in lines]
    sound = [body for body in bodies if body is not None]
    try:
        parsed = json.loads((b"[%b]" % b",".join(sound)).decode("utf-8"))
    except ValueError:
        parsed = []
    if len(parsed) != len(sound):  # some line is no JSON, or more than one
        return [decode(line) for line in lines]
    values = iter(parsed)
    records = [None if body is None else next(values) for body in bodies]
    return [record if _is_record(record) else None for record in records]


def _is_record(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("type"), str) and isinstance(value.get("seq"), int)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    item = getattr(value, "item", None)  # a scalar of numpy
    if callable(item):
        return item()
    raise TypeError(f"{type(value).__name__} cannot stand in a record")


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_plain)
"""Made once: `json.dumps` would make another for every record."""


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if not isinstance(value, str | int | float | Path | None):
        value = _plain(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def to_json(record: Record) -> Json:
    """A record as it is written, less `seq`, `time` and `life`. Optional fields that are None are left out."""
    values: Json = {"type": record.type}
    for name, optional in _fields_of(type(record)):  # type: ignore[arg-type]  # a class is hashable
        value = getattr(record, name)
        if value is not None or not optional:
            values[name] = value
    return values


@cache
def _fields_of(cls: type[Record]) -> tuple[tuple[str, bool], ...]:
    """Names of a record's fields, and which of them are left out where they are None."""
    return tuple((item.name, item.default is None) for item in fields(cls))


class Journal:
    """The one writer of a run's journal.

    `time` counts seconds of work: it goes on from the last recorded value, and stands still while the run is paused.
    """

    def __init__(self, run_dir: Path, lock: Lock, fd: int, *, sync: bool = True) -> None:
        self.run_dir = run_dir
        self.seq = 0
        self.life = 1
        self.cut = 0
        """Bytes of a torn tail that were cut off on opening."""
        self._lock = lock
        self._fd = fd
        self._size = 0
        self._torn = True
        self._synced = time.monotonic()
        self._durable = sync
        self._time = 0.0
        self._since: float | None = time.monotonic()

    @classmethod
    def open(cls, run_dir: Path, lock: Lock, *, sync: bool = True) -> Journal:
        """Open for appending, repairing the tail first. Raises StorageError; ValueError without the lock.

        Without `sync` records are written at once as ever, and it is the caller who makes the file durable.
        """
        if not lock.held or lock.run_dir != run_dir:
            raise ValueError("only the holder of the run's lock may append to its journal")
        path = run_dir / LOG
        try:
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
        except OSError as error:
            raise refused(error, "opening the journal", path) from error
        journal = cls(run_dir, lock, fd, sync=sync)
        try:
            os.fchmod(fd, PRIVATE_FILE)
            journal._repair()
            if sync:
                sync_folder(run_dir)
        except OSError as error:
            os.close(fd)
            raise refused(error, "opening the journal", path) from error
        return journal

    def append(self, record: Record | Json) -> Json:
        """Append one record by one write, and return it as written, with `seq`, `time` and `life`.

        A `resumed` that names a pid begins a new life. Raises StorageError with the journal as it was before, so the
        same record may be appended again later.
        """
        if not self._lock.held:
            raise ValueError("the run's lock is no longer held by this process")
        values = to_json(record) if isinstance(record, Record) else record
        kind = values["type"]
        begins = kind == "resumed" and values.get("pid") is not None and self.seq > 0
        if kind in ("resumed", "started", "finished") and self._since is None:
            self._since = time.monotonic()
        written: Json = {
            "type": kind,
            "seq": self.seq + 1,
            "time": round(self._now(), 6),
            "life": self.life + begins,
        }
        written.update((key, value) for key, value in values.items() if key not in written)
        line = encode(written)
        try:
            if self._torn:
                os.ftruncate(self._fd, self._size)
            self._torn = True
            write_all(self._fd, line)
            if self._durable and (kind in SYNC_AT_ONCE or time.monotonic() - self._synced > SYNC_EVERY):
                self._sync()
            self._torn = False
        except OSError as error:
            self._try_to_cut()
            raise refused(error, "writing the journal", self.run_dir / LOG) from error
        self._size += len(line)
        self.seq, self.life = written["seq"], written["life"]
        if kind == "paused":
            self._time, self._since = self._now(), None
        return written

    def sync(self) -> None:
        """Make all appended records durable. Raises StorageError, with ENOENT where the file has been deleted."""
        try:
            self._sync()
        except OSError as error:
            raise refused(error, "syncing the journal", self.run_dir / LOG) from error

    def _sync(self) -> None:
        self._synced = time.monotonic()
        os.fsync(self._fd)
        if os.fstat(self._fd).st_nlink == 0:  # else a worker would write on into nothing
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def close(self) -> None:
        """Sync and close. The lock stays with its holder."""
        if self._fd >= 0:
            with contextlib.suppress(StorageError):  # what is left unsynced is for the next power cut only
                if self._durable:
                    self.sync()
            os.close(self._fd)
            self._fd = -1

    @property
    def age(self) -> float:
        """Seconds of work on the run so far: what `time` of the next record says."""
        return self._now()

    def _now(self) -> float:
        return self._time + (0.0 if self._since is None else time.monotonic() - self._since)

    def _try_to_cut(self) -> None:
        try:
            os.ftruncate(self._fd, self._size)
            self._torn = False
        except OSError:
            self._torn = True  # the next append repairs first

    def _repair(self) -> None:
        """Cut what follows the last newline, and go on from the last good record."""
        size = os.fstat(self._fd).st_size
        end, block, tail = size, 0, b""
        last: Json | None = None
        damaged = 0
        while last is None and block < size:
            block = min(size, max(_BLOCK, 4 * block))
            tail = os.pread(self._fd, block, size - block)
            newline = tail.rfind(b"\n")
            end = size - block + newline + 1 if newline >= 0 else size - block
            lines = tail[: newline + 1].split(b"\n")[:-1]
            whole = lines if block == size else lines[1:]
            damaged = 0
            for line in reversed(whole):
                last = decode(line)
                if last is not None:
                    break
                damaged += 1
        if end < size:
            os.ftruncate(self._fd, end)
            os.fsync(self._fd)
            self.cut += size - end
        self._size = end
        self._torn = False
        # a damaged line at the end has had a number of its own
        self.seq = (last["seq"] if last else 0) + damaged
        self.life = int(last.get("life", 1)) if last else 1
        self._time = number(last.get("time", 0.0)) if last else 0.0


@dataclass(frozen=True)
class Damage:
    """A line that could not be read: where it lies in the journal."""

    offset: int
    length: int


class Tail:
    """Reads a journal as it grows. The file is opened anew at every poll, since NFS caches what is open."""

    def __init__(self, run_dir: Path, offset: int = 0) -> None:
        self.path = run_dir / LOG
        self.offset = offset
        self.damage: list[Damage] = []
        self._seq = 0

    @classmethod
    def at_end(cls, run_dir: Path) -> Tail:
        """A tail that reads only what is appended from now on."""
        try:
            data = (run_dir / LOG).read_bytes()
        except OSError:
            return cls(run_dir)
        return cls(run_dir, data.rfind(b"\n") + 1)

    def poll(self) -> list[Json]:
        """The records that are new since the last poll. A file that does not exist yet is an empty one."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read()
        except OSError:
            return []
        records: list[Json] = []
        lines = data.split(b"\n")[:-1]
        for line, record in zip(lines, decode_many(lines), strict=True):
            # numbers grow; a line that repeats one is a copy that some tool or file system left behind
            if record is None or record["seq"] <= self._seq:
                self.damage.append(Damage(self.offset, len(line) + 1))
            else:
                self._seq = record["seq"]
                records.append(record)
            self.offset += len(line) + 1
        return records


def read(run_dir: Path) -> list[Json]:
    """All readable records, in order. Damaged lines are skipped (`Tail.damage` says where they lie)."""
    return Tail(run_dir).poll()


def effective(records: Iterable[Json]) -> list[Json]:
    """The effective line: what a later `resumed {from_step}` superseded is left out."""
    kept: list[Json] = []
    for record in records:
        if record["type"] == "resumed":
            limit = record.get("from_step", 0)
            kept = [r for r in kept if r["type"] not in SUPERSEDED or r.get("step", 0) <= limit]
        kept.append(record)
    return kept
