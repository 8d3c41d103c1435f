"""`python -m bench.mapped`: training from a mapped file against training from memory, the file being in page cache.

Both feeds train the MLP on 28x28 images and the CNN, an epoch each by turns, in one process. CPU time of the steps.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from bench.contenders.goodfit_fit import recipe
from bench.data import make
from bench.works import BY_NAME, Work
from engine.data.prepared import Part
from engine.data.samples import Mapped
from engine.train.executors import choice as executors
from engine.train.executors.executor import Executor, Rate
from engine.train.feed.mapped import MappedFeed
from engine.train.session import Session, open_session

GOAL = 0.8
ROUNDS = 7
CHUNK = 32


def measure(work: Work, folder: Path, rounds: int = ROUNDS) -> dict[str, Any]:
    """Speed of the mapped feed by that of the resident one, round by round."""
    path = make(work, folder)
    session = open_session(recipe(work, path, 1), folder)
    pair = {"resident": session.executor, "mapped": mapped(session, folder)}
    seconds: dict[str, list[float]] = {name: [] for name in pair}
    for round_ in range(rounds + 1):
        for name, executor in pair.items():
            spent = epoch(executor, round_, session.steps_per_epoch, work.lr)
            if round_:  # the first brings the file into the cache
                seconds[name].append(spent)
    ratios = [a / b for a, b in zip(seconds["resident"], seconds["mapped"], strict=True)]
    executor = session.choice.executor
    rounded = [round(ratio, 3) for ratio in ratios]
    return {"work": work.title, "rows": work.rows, "executor": executor, "ratios": rounded, "goal": GOAL}


def mapped(session: Session, folder: Path) -> Executor:
    """The same executor on rows that lie in a file."""
    train = session.prepared.train
    file = folder / "rows.raw"
    file.write_bytes(train.x.tobytes())  # type: ignore[union-attr]
    import numpy as np

    samples = Mapped(file, len(train.rows), tuple(train.x.shape[1:]), train.x.dtype, np.arange(len(train.rows)))
    prepared = replace(session.prepared, train=Part(samples, train.y, train.rows))
    data, choice = session.recipe.data, session.choice
    import torch

    device = torch.device(choice.device)
    feed = MappedFeed(
        prepared.train, seed=session.recipe.seed, batch_size=data.batch_size, shuffle=data.shuffle, device=device
    )
    return executors.build(
        choice.executor,
        session.recipe,
        prepared,
        feed,
        device=device,
        precision=choice.precision,
        kernel=choice.optimizer_kernel,
        memory_format=choice.memory_format,
    )


def epoch(executor: Executor, number: int, steps: int, lr: float) -> float:
    """CPU seconds of one epoch's steps."""
    began = time.process_time()
    for first in range(0, steps, CHUNK):
        executor.run(number, first, [Rate(lr)] * min(CHUNK, steps - first))
    return time.process_time() - began


def main() -> list[dict[str, Any]]:
    """Measure and print; the results."""
    found = []
    with tempfile.TemporaryDirectory(prefix="goodfit-bench-") as folder:
        for name, rows in (("T2", 20_000), ("T3a", 2_000)):
            result = measure(replace(BY_NAME[name], rows=rows, validation=256), Path(folder))
            found.append(result)
            middle = median(result["ratios"])
            print(
                f"{result['work']} ({result['executor']}): mapped runs at {middle:.2f} of the speed of resident "
                f"[{min(result['ratios']):.2f}-{max(result['ratios']):.2f}], goal {GOAL}: "
                f"{'reached' if middle >= GOAL else 'missed'}"
            )
    return found


if __name__ == "__main__":
    print(json.dumps(main()))
