"""The runs of a folder for lists that are looked at again and again."""

from __future__ import annotations

from pathlib import Path

from engine.runs.directory import is_child, run_dirs
from engine.runs.journal import LOG
from engine.runs.summary import RunInfo, info

SHOWN = 200
"""Most runs that a list shows, the newest."""
SETTLED = ("completed", "stopped", "failed")


class RunList:
    """Runs, newest first. A run that has ended is asked again only when its journal has grown."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int], RunInfo]] = {}
        self._children: set[Path] = set()
        """Runs that a search started: they are listed in its own tab."""

    def read(self, root: Path) -> list[RunInfo]:
        """The newest runs in a folder; those that vanish meanwhile are left out."""
        found: list[RunInfo] = []
        known: dict[Path, tuple[tuple[int, int], RunInfo]] = {}
        for path in reversed(run_dirs(root)):
            if len(found) == SHOWN:
                break
            if path in self._children or (path not in self._known and is_child(path)):
                self._children.add(path)
                continue
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
