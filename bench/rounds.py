"""Measuring: contenders by turns, round after round, so that what the machine does meanwhile falls on all alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from bench.data import make
from bench.pool import Process, Refused
from bench.works import Work

CORE = ("goodfit", "autograd", "plain")


@dataclass
class Result:
    """What one contender did on one work, round by round."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)


@dataclass
class Measured:
    """A work with the results of every contender, in seconds of CPU time."""

    work: Work
    results: dict[str, Result] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def ratios(self, name: str, of: str = "goodfit") -> list[float]:
        """How many times as long as `of` a contender took, in each round that both finished."""
        if name == "best":
            return [min(row) for row in zip(*(self.ratios(peer, of) for peer in self.rivals()), strict=False)]
        both = zip(self.results[name].cpu, self.results[of].cpu, strict=False)
        return [a / b for a, b in both]

    def ratio(self, name: str, of: str = "goodfit") -> float:
        """Their median. Of `best` it is that of the fastest rival: one and the same in every round."""
        if name == "best":
            return min(self.ratio(peer, of) for peer in self.rivals())
        return median(self.ratios(name, of))

    def rivals(self) -> list[str]:
        """The libraries that have been measured."""
        return [name for name in self.results if name not in CORE]


class Bench:
    """Keeps the contenders' processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[str, Process] = {}
        self.missing: dict[str, str] = {}
        self.versions: dict[str, str] = {}

    def measure(
        self,
        work: Work,
        names: Iterable[str],
        rounds: int,
        told: Callable[[str], None] = lambda text: None,
        few: int | None = None,
    ) -> Measured:
        """Every contender once a round; libraries, which take the longest, in the first `few` rounds only."""
        path, little = make(work, self._folder), self._little(work)
        measured = Measured(work)
        for round_ in range(rounds):
            for name in names:
                if name in measured.refused or (few is not None and round_ >= few and name not in CORE):
                    continue
                try:
                    answer = self._process(name).fit(work, path, round_ + 1, little)
                except Refused as refusal:
                    measured.refused[name] = str(refusal)
                    measured.results.pop(name, None)
                    told(f"{work.name} {name}: {refusal}")
                    continue
                result = measured.results.setdefault(name, Result())
                for key, value in answer.items():
                    getattr(result, key).append(value)
                told(f"{work.name} round {round_ + 1} {name}: {answer['cpu']:.2f} s, accuracy {answer['accuracy']:.3f}")
        return measured

    def close(self) -> None:
        """End the processes."""
        for process in self._processes.values():
            process.close()

    def _process(self, name: str) -> Process:
        if name in self.missing:
            raise Refused(self.missing[name])
        if name not in self._processes:
            try:
                self._processes[name] = Process(name)
            except Refused as refusal:
                self.missing[name] = str(refusal)
                raise
            self.versions |= self._processes[name].versions
        return self._processes[name]

    def _little(self, work: Work) -> tuple[Work, Path]:
        """A few steps of the same."""
        few = replace(work, epochs=1)
        if work.data in ("tabular", "images"):
            few = replace(few, rows=4 * work.batch + 1, validation=work.batch)
        return few, make(few, self._folder)


def to_stderr(text: str) -> None:
    """Progress, while the table is on its way."""
    print(text, file=sys.stderr, flush=True)
