"""Records the journals of this folder: `python -m tests.golden.record`.

A journal that is there stays as it is, since what an earlier version wrote must be readable for ever: delete its folder
to record it anew. Names of machines and folders are replaced.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from engine.runs.commands import request
from engine.runs.directory import RECIPE
from engine.runs.journal import LOG, encode, read
from engine.runs.launch import Options, kill_worker, resume_run, start_run
from engine.runs.lock import probe
from engine.runs.records import Json

HERE = Path(__file__).parent
USE = {"memory_own": 1 << 28, "memory_used": 1 << 33, "memory_total": 1 << 34, "utilization": 50.0, "temperature": None}
"""What `device_use` says in a recorded journal, whatever the machine."""
TEXT = """\
goodfit: 1
name: digits
seed: 9
data: {source: {type: Builtin, name: digits}, limit: 96, batch_size: 32}
model:
  layers:
    - {type: Linear, out_features: 16}
    - ReLU
    - {type: Dropout, p: 0.2, name: drop1}
    - {type: Linear, out_features: outputs}
optimizer: {type: Adam, lr: 0.01}   # the usual one
train: {epochs: 5}
metrics: [Accuracy, ConfusionMatrix]
"""
LONG = TEXT.replace("epochs: 5", "epochs: 100000")


def await_record(run_dir: Path, wanted: Callable[[Json], bool]) -> None:
    """Wait for a record."""
    while not any(wanted(record) for record in read(run_dir)):
        time.sleep(0.005)


def ended(run_dir: Path) -> Path:
    """The same run, once its worker has gone."""
    while probe(run_dir) == "alive":
        time.sleep(0.02)
    return run_dir


def completed(root: Path) -> Path:
    """A run to its planned end, with a look at the test part."""
    return ended(start_run(root, "digits", TEXT, Options(base=str(root), argv=("goodfit", "train"), test=True)))


def led(root: Path) -> Path:
    """A run that was paused, edited, resumed, killed, given a new life and stopped."""
    run_dir = start_run(root, "digits", LONG, Options(base=str(root), argv=("goodfit", "train")))
    await_record(run_dir, lambda r: r["type"] == "epoch")
    request(run_dir, "pause")
    for path, value in (("optimizer.lr", 0.003), ("train.early_stopping", {"patience": 90000})):
        request(run_dir, "set", edits=[{"op": "set", "path": path, "value": value}])
    request(run_dir, "set", edits=[{"op": "set", "path": "seed", "value": 1}])
    request(run_dir, "resume")
    epoch = max(record["epoch"] for record in read(run_dir) if record["type"] == "epoch")
    await_record(run_dir, lambda r: r["type"] == "epoch" and r["epoch"] > epoch)
    kill_worker(run_dir)
    resume_run(ended(run_dir), Options(), [{"op": "set", "path": "train.epochs", "value": 80000}])
    await_record(run_dir, lambda r: r["type"] == "edited" and r["life"] == 2)
    request(run_dir, "stop")
    return ended(run_dir)


def killed(root: Path) -> Path:
    """A run whose worker went without a word."""
    run_dir = start_run(root, "digits", LONG, Options(base=str(root), argv=("goodfit", "train")))
    await_record(run_dir, lambda r: r["type"] == "epoch")
    kill_worker(run_dir)
    return ended(run_dir)


def non_finite(root: Path) -> Path:
    """A run that blew up."""
    text = TEXT.replace("{type: Adam, lr: 0.01}", "{type: SGD, lr: 1e30}")
    return ended(start_run(root, "digits", text, Options(base=str(root), argv=("goodfit", "train"))))


def keep(run_dir: Path, place: Path) -> None:
    """Copy what readers look at, less the names of this machine."""
    place.mkdir()
    shutil.copy(run_dir / RECIPE, place)
    lines = []
    for record in read(run_dir):
        known: Json = {"pid": 4711, "host": "here", "path": f"/runs/{run_dir.name}", "base": "/recipes", "git": None}
        if record["type"] == "checkpoint":
            known.pop("path")
        if record["type"] == "device_use":
            known.update(USE)
        lines.append(encode({**record, **{key: value for key, value in known.items() if key in record}}))
    (place / LOG).write_bytes(b"".join(lines))


def main() -> None:
    """Record what is missing."""
    for make in (completed, led, killed, non_finite):
        if not (HERE / make.__name__).exists():
            with tempfile.TemporaryDirectory() as folder:
                keep(make(Path(folder)), HERE / make.__name__)


if __name__ == "__main__":
    main()
