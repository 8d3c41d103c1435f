"""Checkpoints on disk: arrays as safetensors, everything else as JSON, a manifest with their SHA-256. No pickle.

A checkpoint is written beside its place (`.000123-ab12cd`), each file synced, the manifest last, the folder synced,
renamed to `000123`, its parent synced. It counts only once the journal has a `checkpoint` record with the manifest's
SHA-256: that is the commit. Nothing is overwritten, and nothing is found by its name or number.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import UserError
from engine.runs.journal import effective
from engine.runs.records import Json
from engine.runs.storage import StorageError, free_space, make_folder, refused, sync_folder, write_new

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray[Any, Any]]

CHECKPOINTS = "checkpoints"
TENSORS = "tensors.safetensors"
STATE = "state.json"
MANIFEST = "manifest.json"
FORMAT = 1
_SPARE = 1 << 20


class CheckpointError(UserError):
    """A checkpoint cannot be used: gone, incomplete or damaged."""


@dataclass(frozen=True)
class Written:
    """A complete checkpoint on disk, not yet committed."""

    path: str
    """Relative to the run's folder."""
    manifest_sha: str
    bytes: int


def write(run_dir: Path, step: int, tensors: Arrays, state: Json, *, sync: bool = True) -> Written:
    """Write a checkpoint and make it durable. Committing it is the journal's part: a `checkpoint` record, synced.

    `state` is plain JSON; floats, also nan and infinities, and integers of any size come back as they were.
    Where the disk is full, checkpoints between the best and the last are given up to make room, and it is tried once
    more. Raises StorageError with nothing left behind. Without `sync` the caller makes it durable.
    """
    from engine.runs.thinning import thin

    try:
        return _write(run_dir, step, tensors, state, sync)
    except StorageError as error:
        if error.code not in (errno.ENOSPC, errno.EDQUOT) or not thin(run_dir, 0):
            raise
    return _write(run_dir, step, tensors, state, sync)


def _write(run_dir: Path, step: int, tensors: Arrays, state: Json, sync: bool) -> Written:
    import numpy as np
    from safetensors.numpy import save

    # made contiguous here, since safetensors writes the memory of an array as it lies
    files = {TENSORS: save({k: np.ascontiguousarray(v).reshape(v.shape) for k, v in tensors.items()})}
    files[STATE] = _dump(state)
    manifest = {
        "format": FORMAT,
        "step": step,
        "files": {name: {"sha256": _sha(data), "bytes": len(data)} for name, data in files.items()},
    }
    files[MANIFEST] = json.dumps(manifest, indent=1).encode()
    size = sum(map(len, files.values()))
    folder = run_dir / CHECKPOINTS
    beside = folder / f".{step:06d}-{secrets.token_hex(3)}"
    free = free_space(folder)
    if 0 < free < size + _SPARE:
        raise StorageError(
            f"no room for the checkpoint of step {step}: it needs {size / 1e6:.1f} MB, {free / 1e6:.1f} MB are free",
            "free some space, or lower train.checkpoints.budget",
            errno.ENOSPC,
        )
    try:
        if not folder.is_dir():
            make_folder(folder)
        make_folder(beside)
        for name, data in files.items():
            write_new(beside / name, data, sync=sync)
        if sync:
            sync_folder(beside)
        place = _settle(beside, folder, f"{step:06d}")
        if sync:
            sync_folder(folder)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise refused(error, f"writing the checkpoint of step {step} ({size / 1e6:.1f} MB)", folder) from error
    return Written(f"{CHECKPOINTS}/{place}", _sha(files[MANIFEST]), size)


def _settle(beside: Path, folder: Path, name: str) -> str:
    """Rename to the first free name: `000123`, or `000123-2` where a superseded or uncommitted one has the name."""
    attempt = 1
    while True:
        place = name if attempt == 1 else f"{name}-{attempt}"
        if not os.path.lexists(folder / place):
            beside.rename(folder / place)
            return place
        attempt += 1


def load(path: Path, manifest_sha: str | None = None) -> tuple[dict[str, np.ndarray[Any, Any]], Json]:
    """Arrays and state of a checkpoint folder, every byte verified against the manifest. Raises CheckpointError.

    `manifest_sha` is the journal's word for the manifest itself. Arrays are copies: the files may vanish afterwards.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as parse

    manifest = _manifest(path, manifest_sha)
    data: dict[str, bytes] = {}
    for name in (TENSORS, STATE):
        data[name] = _read(path / name)
        if _sha(data[name]) != manifest["files"].get(name, {}).get("sha256"):
            raise CheckpointError(f"checkpoint {path.name} is damaged: {name} does not match its manifest")
    try:
        return parse(data[TENSORS]), _parse(data[STATE])
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"checkpoint {path.name} cannot be read: {error}") from error


def verify(path: Path, manifest_sha: str | None = None) -> None:
    """Raises CheckpointError unless every file is there and matches the manifest."""
    for name, entry in _manifest(path, manifest_sha)["files"].items():
        if _sha(_read(path / Path(name).name)) != entry["sha256"]:
            raise CheckpointError(f"checkpoint {path.name} is damaged: {name} does not match its manifest")


def committed(records: Iterable[Json]) -> list[Json]:
    """The `checkpoint` records of the effective line, in order."""
    return [record for record in effective(records) if record["type"] == "checkpoint"]


def available(run_dir: Path, records: Iterable[Json]) -> list[Json]:
    """Those of them that thinning has left on disk."""
    return [record for record in committed(records) if (run_dir / record["path"] / MANIFEST).is_file()]


def latest(records: Iterable[Json]) -> Json | None:
    """The last committed checkpoint of the effective line."""
    return next(reversed(committed(records)), None)


def best(records: Iterable[Json]) -> Json | None:
    """The last checkpoint of the effective line that was the best so far when it was written."""
    return next((record for record in reversed(committed(records)) if record.get("best")), None)


def load_record(run_dir: Path, record: Json) -> tuple[dict[str, np.ndarray[Any, Any]], Json]:
    """`load` what a `checkpoint` record names. Raises CheckpointError."""
    path = run_dir / CHECKPOINTS / Path(str(record["path"])).name  # never outside the run's own folder
    return load(path, record["manifest_sha"])


def load_latest(
    run_dir: Path, records: Iterable[Json]
) -> tuple[Json, dict[str, np.ndarray[Any, Any]], Json, list[CheckpointError]]:
    """The newest checkpoint that is whole: (record, arrays, state, what was wrong with newer ones).

    Raises CheckpointError where there is none.
    """
    problems: list[CheckpointError] = []
    for record in reversed(committed(records)):
        try:
            return (record, *load_record(run_dir, record), problems)
        except CheckpointError as error:
            problems.append(error)
    if problems:
        raise CheckpointError(f"{run_dir.name} has no checkpoint that can be read: {problems[0].message}")
    raise CheckpointError(f"{run_dir.name} has no checkpoint yet", "train it anew: goodfit train")


def sweep(run_dir: Path, records: Iterable[Json]) -> list[Path]:
    """At the start of a life: remove half-written checkpoints and move uncommitted ones aside, out of the way.

    Returns what was moved. Only for the holder of the lock. Never raises for what it cannot move.
    """
    folder = run_dir / CHECKPOINTS
    known = {Path(str(record["path"])).name for record in records if record["type"] == "checkpoint"}
    moved = []
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if entry.name.startswith("."):
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name not in known and not entry.name.startswith("aside-"):
            aside = folder / f"aside-{entry.name}-{secrets.token_hex(3)}"
            try:
                entry.rename(aside)
            except OSError:
                continue
            moved.append(aside)
    return moved


def copy(source: Path, record: Json, target: Path) -> Written:
    """Copy a run's checkpoint into another run's folder, verified, for a fork. Raises CheckpointError, StorageError."""
    path = source / CHECKPOINTS / Path(str(record["path"])).name
    manifest = _manifest(path, record["manifest_sha"])
    folder = target / CHECKPOINTS
    beside = folder / f".{path.name}-{secrets.token_hex(3)}"
    size = 0
    try:
        make_folder(beside)
        for name in (*manifest["files"], MANIFEST):
            data = _read(path / Path(name).name)
            write_new(beside / Path(name).name, data)
            size += len(data)
        sync_folder(beside)
        verify(beside, record["manifest_sha"])
        place = _settle(beside, folder, f"{record['step']:06d}")
        sync_folder(folder)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise refused(error, "copying the checkpoint", folder) from error
    except CheckpointError:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return Written(f"{CHECKPOINTS}/{place}", record["manifest_sha"], size)


def size_of(path: Path) -> int:
    """Bytes that a checkpoint folder takes."""
    try:
        return sum(entry.stat(follow_symlinks=False).st_size for entry in os.scandir(path))
    except OSError:
        return 0


def _manifest(path: Path, manifest_sha: str | None) -> Json:
    data = _read(path / MANIFEST)
    if manifest_sha is not None and _sha(data) != manifest_sha:
        raise CheckpointError(f"checkpoint {path.name} is not the one that the journal names: its manifest differs")
    try:
        manifest: Json = json.loads(data)
        if manifest["format"] > FORMAT:
            raise CheckpointError(f"checkpoint {path.name} was written by a later goodfit", "update goodfit")
        if not isinstance(manifest["files"], dict):
            raise ValueError("files")
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"checkpoint {path.name} has an unreadable manifest") from error
    return manifest


def _read(path: Path) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            return file.read()
    except OSError as error:
        raise CheckpointError(
            f"checkpoint {path.parent.name} cannot be read: {path.name}: {error.strerror}",
            "train.checkpoints.budget says how many are kept" if isinstance(error, FileNotFoundError) else "",
        ) from error


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _dump(state: Json) -> bytes:
    return json.dumps(_tag(state), allow_nan=False).encode("ascii")


def _parse(data: bytes) -> Json:
    state: Json = json.loads(data, object_hook=_untag)
    return state


def _tag(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(float(value))}
    if isinstance(value, dict):
        return {key: _tag(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tag(item) for item in value]
    return value


def _untag(value: Json) -> Any:
    return float(value["$float"]) if value.keys() == {"$float"} else value
