"""goodfit as shipped: a run's folder and a worker's whole life on it, with journal, digest, metrics and checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.works import Work
from engine.runs.directory import create
from engine.runs.journal import read as read_journal
from engine.runs.launch import Options
from engine.train import loop, session  # noqa: F401  what a waiting worker has imported
from engine.train.life import live

PACKAGES = ("torch", "torchmetrics")


def recipe(work: Work, path: Path, seed: int, **train: Any) -> str:
    """The work as a recipe, with nothing in it that the other contenders are not given too."""
    layers: list[str] = []
    for channels in work.channels:
        layers.append(f"{{type: Conv2d, out_channels: {channels}, kernel_size: 3, padding: 1}}")
        layers += ["ReLU", "{type: MaxPool2d, kernel_size: 2}"]
    if len(work.shape) > 1:
        layers.append("Flatten")
    for hidden in work.hidden:
        layers += [f"{{type: Linear, out_features: {hidden}}}", "ReLU"]
        if work.dropout:
            layers.append(f"{{type: Dropout, p: {work.dropout}}}")
    layers.append("{type: Linear, out_features: outputs}")
    augment = "[{type: RandomRotation, degrees: 15}, RandomHorizontalFlip]" if work.turned else "[]"
    options = {"epochs": work.epochs, "device": "cpu", "threads": 1, "precision": work.precision, **train}
    lines = [
        f"name: {work.name}",
        "task: classification",
        f"seed: {seed}",
        "data:",
        f"  source: {{type: NPZ, path: {path.name}}}",
        "  split: {test: 0}",
        "  normalize: none",
        f"  augment: {augment}",
        f"  batch_size: {work.batch}",
        "model:",
        "  layers:",
        *(f"    - {layer}" for layer in layers),
        f"optimizer: {{{'type: SGD, momentum: 0.9' if work.sgd else 'type: Adam'}, lr: {work.lr}}}",
        f"train: {{{', '.join(f'{key}: {value}' for key, value in options.items())}}}",
    ]
    if work.trials:
        lines += [
            "search:",
            f"  trials: {work.trials}",
            "  space:",
            "    optimizer.lr: {log_uniform: [1e-4, 1e-2]}",
            "    optimizer.momentum: {uniform: [0.85, 0.99]}",
        ]
    return "\n".join(lines) + "\n"


def fit(work: Work, path: Path, seed: int, how: str) -> Callable[[], tuple[float, float]]:
    """A whole run; `how` names an executor, else the engine chooses. What comes back gives the validation accuracy and
    loss of the last epoch, or of a search's best trial, and clears away."""
    train = {"executor": how} if how else {}
    run_dir = begin(recipe(work, path, seed, **train), path.parent, "search" if work.trials else "train")
    live(run_dir)
    return lambda: outcome(work, run_dir)


def begin(text: str, base: Path, kind: str = "train") -> Path:
    """A run's folder, as the train key makes it."""
    options = {**Options(base=str(base)).to_json(), "edits": [], "from": None}
    return create(base / "runs", "bench", kind, text, options)


def outcome(work: Work, run_dir: Path) -> tuple[float, float]:
    """What the run's journal says of its end. The run is gone afterwards."""
    records = read_journal(run_dir)
    shutil.rmtree(run_dir.parent, ignore_errors=True)
    if records[-1].get("reason") != "completed":
        raise RuntimeError(records[-1].get("message", "the run did not end"))
    rows = next(record["rows"] for record in records if record["type"] == "data")
    assert (rows["train"], rows["validation"]) == (work.rows, work.validation), rows
    if work.trials:
        best = records[-1]["best"]
        assert len([record for record in records if record["type"] == "trial"]) == work.trials
        return float(best["val_accuracy"]), float(best["val_loss"])
    last = [record for record in records if record["type"] == "epoch"][-1]
    return float(last["metrics"]["val_accuracy"]), float(last["val_loss"])
