"""Recorded searches, as a worker would have left them: made by a formula, so that they are always the same."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from engine.runs.directory import create
from engine.runs.journal import Journal
from engine.runs.lock import Lock

Json = dict[str, Any]
RECIPE = """\
# Handwritten digits.
goodfit: 1
task: classification
data:
  source: {type: Builtin, name: digits}
  batch_size: 32
model:
  layers:
    - {type: Linear, out_features: 64}   # wide
    - ReLU
    - {type: Dropout, p: 0.3}
    - {type: Linear, out_features: outputs}
loss: CrossEntropyLoss
optimizer: {type: SGD, lr: 1e-2, momentum: 0.9}
train:
  epochs: 20
search:
  trials: 30
  space:
    optimizer.lr: {log_uniform: [1e-4, 1e-1]}
    optimizer.momentum: {uniform: [0.85, 0.99]}
    data.batch_size: {choice: [16, 32, 64]}
    scheduler: {choice: [null, {type: CosineAnnealingLR}]}
"""
EPOCHS = 20


def params_of(number: int) -> Json:
    """The settings of a trial, spread over the space."""
    share = (number * 0.6180339887) % 1
    return {
        "optimizer.lr": float(f"{10 ** (-4 + 3 * share):.6g}"),
        "optimizer.momentum": round(0.85 + 0.14 * ((number * 0.7548776662) % 1), 4),
        "data.batch_size": (16, 32, 64)[number % 3],
        "scheduler": None if number % 2 else {"type": "CosineAnnealingLR"},
    }


def value_of(number: int, epoch: int) -> float:
    """The validation loss of a trial after an epoch: best near lr 1e-2."""
    params = params_of(number)
    off = abs(math.log10(params["optimizer.lr"]) + 2)
    floor = 0.08 + 0.25 * off + 0.5 * abs(params["optimizer.momentum"] - 0.93) + 0.02 * (number % 3)
    return floor + 2.2 * math.exp(-epoch / (2 + 4 * off)) + 0.01 * math.sin(number + epoch)


def state_of(number: int) -> str:
    """Every seventh trial is pruned, every thirteenth fails."""
    return "failed" if number % 13 == 12 else "pruned" if number % 7 == 6 else "completed"


def epochs_of(numbers: list[int], epoch: int) -> Json:
    """How trials that train together stand after an epoch."""
    return {
        "type": "trial_epochs",
        "epoch": epoch,
        "numbers": numbers,
        "params": [params_of(number) for number in numbers],
        "train_loss": [0.9 * value_of(number, epoch) for number in numbers],
        "val_loss": [value_of(number, epoch) for number in numbers],
        "value": [value_of(number, epoch) for number in numbers],
    }


def trial_of(number: int, **more: Any) -> Json:
    """The last word about a trial."""
    state = state_of(number)
    epochs = {"completed": EPOCHS, "pruned": 6, "failed": 2}[state]
    failed = state == "failed"
    params = params_of(number)
    best = min(range(1, epochs + 1), key=lambda epoch: value_of(number, epoch))
    return {
        "type": "trial",
        "number": number,
        "state": state,
        "edits": [{"op": "set", "path": path, "value": value} for path, value in params.items()],
        "params": params,
        "value": None if failed else value_of(number, best),
        "train_loss": None if failed else 0.9 * value_of(number, best),
        "val_loss": None if failed else value_of(number, best),
        "metrics": {} if failed else {"val_accuracy": max(0.0, 1 - value_of(number, best) / 3)},
        "best_epoch": None if failed else best,
        "epochs": epochs,
        "seconds": 0.4 + 0.01 * number,
        "run": None if failed else f"20260101-0900-digits-{number:04x}",
        "message": {"failed": "the loss is not finite", "pruned": "worse than half of the others"}.get(state, ""),
        **more,
    }


def begin(run: str, monitor: str = "val_loss") -> list[Json]:
    """What comes before the first trial."""
    rows = {"train": 1257, "validation": 270, "test": 270}
    return [
        {"type": "started", "run": run, "kind": "search", "path": "digits.yaml", "pid": os.getpid(), "host": "here",
         "parent": None, "base": ".", "versions": {}, "git": None, "argv": [], "wall": "2026-01-01T00:00:00Z",
         "schema": 1},
        {"type": "data", "rows": rows, "task": "classification", "shape": [64], "outputs": 10, "features": [],
         "classes": [str(digit) for digit in range(10)], "class_counts": {}, "target_names": [], "missing": 0,
         "duplicates": 0, "shared": {}, "warnings": [], "data_sha256": "", "split_sha256": ""},
        {"type": "plan", "steps_per_epoch": 40, "epochs": EPOCHS, "parameters": 4810, "loss_baseline": 2.3,
         "device": "cpu", "monitor": monitor},
    ]  # fmt: skip


def trials(first: int, last: int, together: int = 5) -> list[Json]:
    """The records of trials `first` .. `last - 1`, which train several at a time."""
    made: list[Json] = []
    for start in range(first, last, together):
        numbers = list(range(start, min(last, start + together)))
        for epoch in range(1, EPOCHS + 1):
            alive = [n for n in numbers if epoch <= {"completed": EPOCHS, "pruned": 6, "failed": 2}[state_of(n)]]
            made.append(epochs_of(alive, epoch))
            for number in numbers:
                if epoch == {"completed": EPOCHS, "pruned": 6, "failed": 2}[state_of(number)]:
                    made.append(trial_of(number))
        if start + together >= first + 10:
            made.append({
                "type": "importance",
                "values": {"optimizer.lr": 0.71, "optimizer.momentum": 0.2, "data.batch_size": 0.06,
                           "scheduler": 0.03},
                "trials": sum(state_of(n) == "completed" for n in range(numbers[-1] + 1)),
            })  # fmt: skip
    return made


def search(count: int, *, at_work: int = 0, epoch: int = 7, ended: str = "", run: str = "20260101-0900-digits-7f3a",
           monitor: str = "val_loss") -> list[Json]:  # fmt: skip
    """A search of which `count` trials are over and `at_work` more train."""
    made = begin(run, monitor) + trials(0, count)
    if at_work:
        made += [epochs_of(list(range(count, count + at_work)), done) for done in range(1, epoch + 1)]
    if ended:
        made.append({"type": "finished", "reason": ended, "best_epoch": None, "best": {}, "test": None, "recipe": ""})
    return made


def numbered(records: list[Json], pace: float = 0.02) -> list[Json]:
    """As a reader gets them."""
    return [{**record, "seq": at, "time": pace * at, "life": 1} for at, record in enumerate(records, 1)]


def record_search(root: Path, records: list[Json], *, name: str = "digits", recipe: str = RECIPE, alive: bool = False,
                  recipe_path: Path | None = None) -> Any:  # fmt: skip
    """A search on disk; with `alive` its lock is still held and returned with the journal."""
    path = recipe_path or root.parent / f"{name}.yaml"
    run_dir = create(root, name, "search", recipe,
                     {"recipe_path": str(path), "base": str(root.parent), "argv": []})  # fmt: skip
    lock = Lock.acquire(run_dir)
    journal = Journal.open(run_dir, lock)
    for record in records:
        journal.append({**record, "run": run_dir.name} if record["type"] == "started" else record)
    journal.sync()
    if alive:
        return run_dir, lock, journal
    journal.close()
    lock.release()
    return run_dir
