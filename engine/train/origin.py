"""Where a run comes from: versions, revision, machine, moment."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from pathlib import Path

from engine.runs.process import host
from engine.runs.records import Json, Started

PACKAGES = ("goodfit", "torch", "torchmetrics", "numpy", "polars", "pillow", "safetensors")


def now() -> str:
    """ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def started(run_dir: Path, options: Json) -> Started:
    """A run's first record. `options` are those of launch.json."""
    base = str(options.get("base") or run_dir)
    return Started(
        run=run_dir.name,
        kind=str(options.get("kind", "train")),
        path=str(run_dir),
        pid=os.getpid(),
        host=host(),
        parent=options.get("parent"),
        base=base,
        versions=versions(options.get("parts") or ()),
        git=git(Path(base)),
        argv=list(options.get("argv") or []),
        wall=now(),
    )


def versions(parts: Iterable[str] = ()) -> Json:
    """Of Python, of the packages that results depend on (read without importing them), and of own parts."""
    return {**installed(), "parts": parts_versions(parts)}


@cache
def installed() -> dict[str, str]:
    """Versions of Python and packages. Once a process: a worker in waiting may ask before it is needed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            text = distribution(package).read_text("METADATA") or ""
        except PackageNotFoundError:
            continue
        # without a parser of mail headers, which reads the packages' whole descriptions too
        if line := re.search(r"^Version: *(\S+)", text, re.MULTILINE):
            found[package] = line[1]
    return found


def parts_versions(files: Iterable[str]) -> Json:
    """Where own parts come from: versions of packages that bring some, sha256 of files."""
    found: Json = dict(_brought())
    for file in files:
        try:
            found[file] = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        except OSError:
            found[file] = None
    return found


@cache
def _brought() -> dict[str, str]:
    """Versions of the packages that bring parts."""
    return {entry.name: entry.dist.version if entry.dist else "" for entry in entry_points(group="goodfit.parts")}


def git(folder: Path) -> Json | None:
    """Commit of the recipe's folder and whether it has changes; None where it is no checkout."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=3,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
