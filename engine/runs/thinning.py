"""Which checkpoints stay: the best, the last, and between them a ladder whose rungs lie further apart with age."""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path

from engine.errors import UserError
from engine.runs.checkpoints import CHECKPOINTS, CheckpointError, best, committed, size_of, verify
from engine.runs.journal import read
from engine.runs.records import Json

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def parse_size(text: str) -> int:
    """Bytes of "1GB", "500 MB", "2GiB". Raises UserError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    unit = _UNITS.get(match.group(2).upper()) if match else None
    if match is None or unit is None:
        raise UserError(f"{text!r} is not a size", "write it such as 500MB or 1GB")
    return int(float(match.group(1)) * unit)


def thin(run_dir: Path, budget: int) -> list[str]:
    """Remove checkpoints until the rest takes at most `budget` bytes; returns the removed paths.

    The best and the last stay whatever the budget. First to go are leftovers that were moved aside and checkpoints that
    a resume has superseded, then the rung whose absence is least felt. Nothing goes unless the last one is whole.
    Only for the holder of the lock.
    """
    sizes = {f"{CHECKPOINTS}/{entry.name}": size_of(entry) for entry in _folders(run_dir)}
    total = sum(sizes.values())
    if total <= budget:
        return []
    line = committed(read(run_dir))
    if not line:
        return []
    try:
        verify(_place(run_dir, line[-1]), line[-1]["manifest_sha"])
    except CheckpointError:
        return []
    winner = best(line)
    keep = {line[-1]["path"], winner["path"] if winner else line[-1]["path"]}
    rungs = [record for record in line if record["path"] in sizes]
    on_line = {record["path"] for record in rungs}
    queue = sorted(path for path in sizes if path not in on_line)
    removed = []
    while total > budget:
        path = queue.pop(0) if queue else least_felt(rungs, keep)
        if path is None:
            break
        rungs = [record for record in rungs if record["path"] != path]
        total -= sizes[path]
        _remove(run_dir / path)
        removed.append(path)
    return removed


def least_felt(rungs: list[Json], keep: set[str]) -> str | None:
    """The checkpoint whose neighbours lie closest together, measured against how long ago it was.

    The first rung's lower neighbour is step 0. None where all must stay.
    """
    last = rungs[-1]["step"] if rungs else 0
    best_path, least = None, float("inf")
    for index, record in enumerate(rungs[:-1]):
        if record["path"] in keep:
            continue
        below = rungs[index - 1]["step"] if index else 0
        gap = (rungs[index + 1]["step"] - below) / (last - record["step"] + 1)
        if gap < least:
            best_path, least = record["path"], gap
    return best_path


def _folders(run_dir: Path) -> list[Path]:
    try:
        entries = list((run_dir / CHECKPOINTS).iterdir())
    except OSError:
        return []
    return [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]


def _place(run_dir: Path, record: Json) -> Path:
    return run_dir / CHECKPOINTS / Path(str(record["path"])).name


def _remove(path: Path) -> None:
    """Out of sight in one step, so that nobody finds half a checkpoint, then gone."""
    bin = path.with_name(f".{path.name}-{secrets.token_hex(3)}")
    try:
        path.rename(bin)
    except OSError:
        return
    shutil.rmtree(bin, ignore_errors=True)
