"""Using a trained run, as a tool process that prints JSON lines.

`python -P -m engine.train.evaluate test RUN_DIR [FILE]` gives `evaluation {metrics, rows, looks}` on the test part or
on a file, and journals the look; `predict RUN_DIR FILE --out CSV` gives `predicted {file, rows}`.
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.data import new_rows
from engine.data.facts import Facts
from engine.data.prepare import prepare
from engine.data.samples import Samples
from engine.errors import UserError
from engine.runs.directory import count_looks
from engine.runs.journal import Journal
from engine.runs.lock import Held, Lock
from engine.runs.records import TestEvaluated
from engine.runs.summary import launch_options
from engine.train import tool
from engine.train.build.outputs import probabilities
from engine.train.checkpoint import Saved
from engine.train.executors.executor import Executor
from engine.train.restored import best_checkpoint, restore
from engine.train.session import measure, read_recipe

USAGE = "evaluate test RUN_DIR [FILE] | predict RUN_DIR FILE --out CSV"


def work(arguments: list[str]) -> tool.Rows:
    """What the arguments ask for."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    match arguments:
        case ["test", run]:
            yield _test(Path(run), None)
        case ["test", run, file]:
            yield _test(Path(run), Path(file))
        case ["predict", run, file, "--out", out]:
            yield {"type": "predicted", "file": out, "rows": predict(Path(run), Path(file), Path(out))}
        case _:
            raise UserError("engine.train.evaluate does not know what to do", USAGE)


def _test(run_dir: Path, file: Path | None) -> dict[str, Any]:
    try:
        lock = Lock.acquire(run_dir, purpose="test")
    except Held as held:
        raise UserError(f"{run_dir.name} is still at work, and its weights with it", held.hint) from None
    with lock:
        saved = best_checkpoint(run_dir)
        metrics, rows, sha256 = on_file(run_dir, saved, file) if file else on_test_part(run_dir, saved)
        looks = count_looks(run_dir.parent, sha256) + 1
        journal = Journal.open(run_dir, lock)
        try:
            epoch = saved.position.epoch
            journal.append(TestEvaluated(epoch=epoch, metrics=metrics, data_sha256=sha256, looks=looks, rows=rows))
        finally:
            journal.close()
    return {"type": "evaluation", "metrics": metrics, "rows": rows, "looks": looks}


def on_test_part(run_dir: Path, saved: Saved) -> tuple[dict[str, Any], int, str]:
    """Metrics on the run's own test part, its rows, and the data's fingerprint. Raises UserError."""
    base = Path(launch_options(run_dir).get("base") or run_dir)
    prepared = prepare(read_recipe(saved.text), base)
    facts = prepared.facts
    known = (saved.facts["data_sha256"], saved.facts["split_sha256"])
    if known != (facts.data_sha256, facts.split_sha256):
        raise UserError(
            "the data is not what the run was trained on, so its test part may hold rows that it has learned",
            "put the old data back, or name a file of new rows",
        )
    if prepared.test is None or not len(prepared.test.rows):
        raise UserError("the run has no test part", "name a file: goodfit test RUN DATA")
    executor, recipe, _ = restore(run_dir, saved)
    loss, outputs = _run(executor, prepared.test.x, prepared.test.y)
    series = {"loss": loss, **measure(recipe, prepared, outputs, prepared.test.y)}
    return {f"test_{name}": value for name, value in series.items()}, len(outputs), facts.data_sha256


def on_file(run_dir: Path, saved: Saved, file: Path) -> tuple[dict[str, Any], int, str]:
    """Metrics on the rows of a file, their number, and the file's fingerprint. Raises UserError."""
    rows = new_rows.transform(saved.fitted, _facts(saved), file, with_target=True)
    if rows.y is None or not len(rows.x):
        raise UserError(f"{file.name} has no row with a target to compare with")
    executor, recipe, prepared = restore(run_dir, saved)
    loss, outputs = _run(executor, rows.x, rows.y)
    series = {"loss": loss, **measure(recipe, prepared, outputs, rows.y)}
    return {f"test_{name}": value for name, value in series.items()}, len(outputs), rows.sha256


def predict(run_dir: Path, file: Path, out: Path) -> int:
    """Write predictions for every row of a file as CSV; the number of rows. Raises UserError."""
    saved = best_checkpoint(run_dir)
    rows = new_rows.transform(saved.fitted, _facts(saved), file)
    executor, _, prepared = restore(run_dir, saved)
    _, outputs = _run(executor, rows.x, None)
    values = probabilities(torch.from_numpy(outputs).double(), prepared.facts.task).numpy()
    table = new_rows.predictions(saved.fitted, values, rows.valid, rows.files)
    try:
        with out.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(table.header)
            writer.writerows(table.rows)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}") from None
    return rows.n


def _facts(saved: Saved) -> Facts:
    return Facts(**{**saved.facts, "shape": tuple(saved.facts["shape"])})


def _run(executor: Executor, x: Samples, y: npt.NDArray[Any] | None) -> tuple[float, npt.NDArray[np.float32]]:
    """Loss and outputs (N, width)."""
    slices = list(executor.evaluate_rows(x, y))
    denominator = sum(piece.denominator for piece in slices)
    loss = sum(piece.numerator for piece in slices) / denominator if denominator else float("nan")
    empty = np.zeros((0, 1), np.float32)
    return loss, np.concatenate([piece.outputs for piece in slices]) if slices else empty


if __name__ == "__main__":
    sys.exit(tool.run(work, sys.argv[1:]))
