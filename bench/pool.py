"""The contenders' processes, seen from the one that asks them in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.works import Work


class Refused(Exception):
    """A contender that cannot be measured, and why."""


class Process:
    """One contender, imported and waiting."""

    def __init__(self, name: str) -> None:
        """Raises Refused where its library is not there."""
        one = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.server", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=Path(__file__).parent.parent,
            env={**os.environ, **one},
        )
        self.versions: dict[str, str] = self._answer()["versions"]
        self._warm: set[str] = set()

    def fit(self, work: Work, path: Path, seed: int, little: tuple[Work, Path]) -> dict[str, float]:
        """One timed fit; before the first of a work a `little` one, so that first calls count for nobody."""
        if work.name not in self._warm:
            self._ask(*little, 0)
            self._warm.add(work.name)
        return self._ask(work, path, seed)

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, work: Work, path: Path, seed: int) -> dict[str, float]:
        assert self._process.stdin is not None
        try:
            print(
                json.dumps({"work": asdict(work), "path": str(path), "seed": seed}),
                file=self._process.stdin,
                flush=True,
            )
        except OSError:
            raise Refused("its process has died") from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Refused("its process has died")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer
