"""The runs of a folder for lists that are looked at again and again."""

from __future__ import annotations

from pathlib import Path

from engine.runs.directory import run_dirs
from engine.runs.journal import LOG
from engine.runs.summary import RunInfo, info

SHOWN = 200
"""Most runs that a list shows, the newest."""
SETTLED = ("completed", "stopped", "failed")


class RunList:
    """Runs, newest first. A run that has ended is asked again only when its journal has grown."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int], RunInfo]] = {}

    def read(self, root: Path) -> list[RunInfo]:
        """The newest runs in a folder; those that vanish meanwhile are left out."""
        found: list[RunInfo] = []
        known: dict[Path, tuple[tuple[int, int], RunInfo]] = {}
        for path in list(reversed(run_dirs(root)))[:SHOWN]:
            try:
                stat = (path / LOG).stat()
                mark = (stat.st_mtime_ns, stat.st_size)
            except OSError:
                mark = (0, 0)
            before = self._known.get(path)
            if before is not None and before[0] == mark and before[1].state in SETTLED:
                run = before[1]
            else:
                run = info(path)
            known[path] = (mark, run)
            found.append(run)
        self._known = known
        return found
