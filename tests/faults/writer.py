"""The disk's part of a worker, without torch: journal, checkpoints, commits. `python -m tests.faults.writer RUN_DIR`.

What is acknowledged on stdout has been promised: it must be there whatever happens next.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from engine.runs import checkpoints
from engine.runs.journal import Journal, read
from engine.runs.lock import Lock
from engine.runs.records import Checkpoint
from engine.runs.storage import StorageError
from engine.runs.thinning import thin

Result = TypeVar("Result")
ROUNDS = 3


def insist(what: Callable[[], Result]) -> Result:
    """Do it, and again where the disk refuses: at most a few times."""
    for _ in range(3):
        try:
            return what()
        except StorageError:
            time.sleep(0)
    return what()


def main(run_dir: Path) -> None:
    """Some rounds of what a worker writes."""
    lock = insist(lambda: Lock.acquire(run_dir, retry=0.1))
    journal = insist(lambda: Journal.open(run_dir, lock))
    records = read(run_dir)
    checkpoints.sweep(run_dir, records)
    last = checkpoints.latest(records)
    step = int(last["step"]) if last else 0
    life = {"pid": 1, "host": "h", "wall": "w"}
    first = {"type": "resumed", "from_step": step, **life} if records else {"type": "started", **life}
    insist(lambda: journal.append(first))
    for _ in range(ROUNDS):
        step += 1
        row = insist(lambda: journal.append({"type": "steps", "step": step, "first": step, "count": 1}))  # noqa: B023
        print("appended", row["seq"], flush=True)  # noqa: T201
        done = insist(lambda: checkpoints.write(run_dir, step, {"w": np.full(500, step)}, {"step": step}))  # noqa: B023
        commit = Checkpoint(step=step, path=done.path, manifest_sha=done.manifest_sha, best=False)
        insist(lambda: journal.append(commit))  # noqa: B023
        print("committed", step, flush=True)  # noqa: T201
        thin(run_dir, 10_000)
    journal.close()
    lock.release()
    print("done", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
