"""Using a trained run: the test part, a file of new rows, predictions."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import UserError
from engine.runs.journal import read
from engine.train.evaluate import work

TABLE = """
name: table
data:
  source: {type: CSV, path: table.csv, target: kind}
  batch_size: 16
  split: {validation: 0.2, test: 0.2}
model: {layers: [{type: Linear, out_features: 8}, ReLU, {type: Dropout, p: 0.5}, {type: Linear, out_features: outputs}]}
optimizer: {type: Adam, lr: 0.05}
train: {epochs: 12, early_stopping: {monitor: val_accuracy, patience: 12}}
"""


def table(path: Path, rows: int = 120, target: bool = True, holes: bool = False) -> list[str]:
    rng = np.random.default_rng(1)
    kinds = []
    lines = ["size,colour" + (",kind" if target else "")]
    for row in range(rows):
        size, colour = rng.normal(), "red" if rng.random() < 0.5 else "blue"
        kinds.append("big" if size + (0.5 if colour == "red" else -0.5) > 0 else "small")
        cell = "" if holes and row == 3 else f"{size:.4f}"
        lines.append(f"{cell},{colour}" + (f",{kinds[-1]}" if target else ""))
    path.write_text("\n".join(lines) + "\n")
    return kinds


def only(arguments: list[str]) -> dict[str, Any]:
    (row,) = work(arguments)
    return row


def test_test_gives_what_train_gave_and_counts_its_looks(nursery: Any, tmp_path: Path) -> None:
    table(tmp_path / "table.csv")
    run_dir = nursery.train(TABLE, test=True)
    finished = read(run_dir)[-1]
    assert finished["reason"] == "completed" and finished["test"]["test_accuracy"] > 0.8
    found = only(["test", str(run_dir)])
    assert found == {"type": "evaluation", "metrics": finished["test"], "rows": 24, "looks": 2}
    last = read(run_dir)[-1]
    assert (last["type"], last["looks"], last["metrics"]) == ("test_evaluated", 2, finished["test"])
    assert only(["test", str(run_dir)])["looks"] == 3


def test_best_weights_are_used_not_the_last(nursery: Any, tmp_path: Path) -> None:
    table(tmp_path / "table.csv")
    # a rate that ruins the network once the first epochs are over
    text = TABLE.replace("train: {epochs: 12", "scheduler: {type: MultiStepLR, milestones: [50]}\ntrain: {epochs: 6")
    run_dir = nursery.train(text.replace("lr: 0.05", "lr: 3.0"))
    records = read(run_dir)
    best = records[-1]["best"]["val_accuracy"]
    accuracies = [r["metrics"]["val_accuracy"] for r in records if r["type"] == "epoch"]
    assert best == max(accuracies) and records[-1]["best_epoch"] == accuracies.index(best) + 1
    from engine.train.restored import best_checkpoint

    assert best_checkpoint(run_dir).position.epoch == records[-1]["best_epoch"]


def test_predictions_name_classes_and_keep_every_row(nursery: Any, tmp_path: Path) -> None:
    table(tmp_path / "table.csv")
    run_dir = nursery.train(TABLE.replace("batch_size: 16", "batch_size: 16\n  missing: drop"))
    kinds = table(tmp_path / "new.csv", target=False, holes=True)
    out = tmp_path / "out.csv"
    row = only(["predict", str(run_dir), str(tmp_path / "new.csv"), "--out", str(out)])
    assert row == {"type": "predicted", "file": str(out), "rows": 120}
    with out.open() as stream:
        rows = list(csv.DictReader(stream))
    assert [r["row"] for r in rows] == [str(n) for n in range(120)]
    assert rows[3]["prediction"] == "" and rows[3]["p_big"] == ""
    right = [r["prediction"] == kind for r, kind in zip(rows, kinds, strict=True) if r["prediction"]]
    assert sum(right) > 0.8 * len(right)
    for r in rows[:3]:
        assert float(r["p_big"]) + float(r["p_small"]) == pytest.approx(1.0)
        assert r["prediction"] == ("big" if float(r["p_big"]) > float(r["p_small"]) else "small")


def test_a_file_can_be_tested_and_wrong_files_are_refused_in_words(nursery: Any, tmp_path: Path) -> None:
    table(tmp_path / "table.csv")
    run_dir = nursery.train(TABLE)
    table(tmp_path / "new.csv", rows=50)
    found = only(["test", str(run_dir), str(tmp_path / "new.csv")])
    assert found["rows"] == 50 and found["looks"] == 1 and found["metrics"]["test_accuracy"] > 0.8
    table(tmp_path / "blind.csv", target=False)
    with pytest.raises(UserError, match="kind"):
        only(["test", str(run_dir), str(tmp_path / "blind.csv")])
    table(tmp_path / "table.csv", rows=90)
    with pytest.raises(UserError, match="not what the run was trained on"):
        only(["test", str(run_dir)])


def test_a_run_at_work_is_refused(nursery: Any, tmp_path: Path) -> None:
    from engine.runs.lock import Lock

    table(tmp_path / "table.csv")
    run_dir = nursery.train(TABLE)
    with Lock.acquire(run_dir), pytest.raises(UserError, match="still at work"):
        only(["test", str(run_dir)])
