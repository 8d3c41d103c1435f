"""One contender in a process of its own: imports first, then a fit for each line on stdin, timed.

A line is {"work": {...}, "path": ..., "seed": ...}; the answer is {"cpu", "wall", "accuracy", "loss"} or {"error"}. CPU
time is that of the process, all its threads and its children. What libraries print goes nowhere.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.contenders.names import CONTENDERS
from bench.works import Work, work_from


def main(name: str) -> None:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    contender = CONTENDERS[name]
    try:
        import torch
        import torch._dynamo  # torch's optimizers import it when first made; no contender is to pay for that

        torch.set_num_threads(1)
        module = import_module(f"bench.contenders.{contender.module}")
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"[:300]}), file=answers)
        return
    print(json.dumps({"versions": versions(module.PACKAGES)}), file=answers)
    for line in sys.stdin:
        asked = json.loads(line)
        work = work_from(asked["work"])
        try:
            answer = timed(module.fit, work, Path(asked["path"]), asked["seed"], contender.how)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=answers)


def timed(fit: Any, work: Work, path: Path, seed: int, how: str) -> dict[str, float]:
    """One whole fit, from the file on disk to the last epoch's validation."""
    gc.collect()
    before, began = cpu_seconds(), time.perf_counter()
    result = fit(work, path, seed, how)
    cpu, wall = cpu_seconds() - before, time.perf_counter() - began
    accuracy, loss = result() if callable(result) else result  # what is left to look up is no part of the fit
    return {"cpu": cpu, "wall": wall, "accuracy": accuracy, "loss": loss}


def cpu_seconds() -> float:
    """Of this process and of the children that have ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Installed versions."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "?"
    return found


if __name__ == "__main__":
    main(sys.argv[1])
