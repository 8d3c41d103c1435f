"""Which trials a search trains next: what was left behind first, then new ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from engine.runs.lock import probe
from engine.search.study import Asked, Study

Found = TypeVar("Found")
Persist = Callable[[Callable[[], object]], None]
"""Does what writes to the disk, again and again where the disk refuses."""


class Picker:
    """Picks the trials of one worker."""

    def __init__(self, study: Study, run_dir: Path, folder: Path, persist: Persist) -> None:
        """`folder` holds the storage: that of the search which the run in `run_dir` joined, or its own."""
        self._study, self._runs, self._persist = study, run_dir.parent, persist
        self._owner = folder == run_dir

    def group(self, enough: Callable[[], bool]) -> list[Asked]:
        """The trials to train next, fewer where `enough` says so; none where all have been picked. Raises StorageError.

        Groups end at multiples of their size, so that a search that died goes on with the groups that it would have
        had.
        """
        batch = again(self._persist, self._study.taken) or self._left_behind()
        while not enough() and not (batch and self._study.picked % self._study.settings.together == 0):
            asked = again(self._persist, self._study.ask)
            if asked is None:
                break
            batch.append(asked)
        return batch

    def others_work(self) -> bool:
        """Whether workers that joined this search still have trials, for whose results it waits."""
        return self._owner and any(probe(self._runs / worker) == "alive" for worker in self._study.elsewhere())

    def _left_behind(self) -> list[Asked]:
        """Trials of workers that joined this search and are gone; only the search itself takes them over."""
        found = []
        for worker, trials in self._study.elsewhere().items() if self._owner else ():
            if probe(self._runs / worker) == "dead":
                for asked in trials:
                    self._persist(partial(self._study.take_over, asked.number))
                    found.append(asked)
        return found


def again(persist: Persist, act: Callable[[], Found]) -> Found:
    """What `act` gives, once the disk lets it. Raises StorageError."""
    found: list[Found] = []
    persist(lambda: found.append(act()))
    return found[0]
