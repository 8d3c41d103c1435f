"""A finished run: its folder, its records, and the numbers in them."""

from __future__ import annotations

import csv
import math
import shutil
import stat
import zlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.contract.conftest import EXAMPLE, Trained
from tests.contract.program import Program, Record, journal, kinds, of, tampered

STARTED = {"schema", "run", "kind", "path", "pid", "host", "parent", "base", "versions", "git", "argv", "wall"}
ROWS = 90


def test_the_run_folder(water: Trained) -> None:
    for path in (water.run, *water.run.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert (water.run / "recipe.yaml").read_text() == EXAMPLE.replace("epochs: 40", "epochs: 6"), "as it was started"
    names = {path.name for path in water.run.iterdir()}
    assert names >= {"resolved.yaml", "events.log", "commands", "checkpoints", "lock", "heartbeat", "worker.log"}
    checkpoint = water.run / of(water.printed, "checkpoint")[-1]["path"]
    assert {path.suffix for path in checkpoint.iterdir()} == {".safetensors", ".json"}


def test_what_is_printed_is_the_journal(water: Trained) -> None:
    assert journal(water.run) == water.printed
    assert water.goodfit.json("watch", "last") == water.printed
    assert water.goodfit.json("replay", "water", "--headless", "--speed", "max") == water.printed


def test_the_records_of_a_run(water: Trained) -> None:
    records = water.printed
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    times = [record["time"] for record in records]
    assert times == sorted(times) and {record["life"] for record in records} == {1}
    order = kinds(records)
    assert order[0] == "started" and order[-1] == "finished"
    assert order.index("data") < order.index("plan") < order.index("steps")
    assert order.index("plan") < order.index("epoch")
    started, finished = records[0], records[-1]
    assert set(started) >= STARTED and started["schema"] == 1 and started["parent"] is None
    assert started["wall"].endswith(("+00:00", "Z")) and started["base"] == str(water.goodfit.folder)
    (data,), (plan,) = of(records, "data"), of(records, "plan")
    assert data["rows"] == {"train": 100, "validation": 36, "test": 36} and data["classes"] == ["0", "1"]
    assert plan["steps_per_epoch"] == 4 and plan["parameters"] == 4 * 64 + 64 + 64 + 1
    assert plan["precision"] == "fp32" and plan["executor"] == "dense"
    epochs = of(records, "epoch")
    assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3, 4, 5, 6]
    assert all(set(epoch["metrics"]) == {"val_accuracy", "val_auroc"} for epoch in epochs)
    steps = of(records, "steps")
    assert (steps[0]["first"], steps[0]["step"]) == (1, steps[0]["count"])
    assert sum(row["count"] for row in steps) == 24 == finished["step"]
    best = min(epochs, key=lambda epoch: epoch["val_loss"])
    assert finished["best_epoch"] == best["epoch"] and finished["reason"] == "completed"
    row = {"train_loss": best["train_loss"], "val_loss": best["val_loss"], **best["metrics"]}
    assert finished["best"] == row and set(finished["test"]) == {"test_loss", "test_accuracy", "test_auroc"}
    (look,) = of(records, "test_evaluated")
    assert look["metrics"] == finished["test"] and look["looks"] == 1
    assert finished["recipe"] == (water.run / "recipe.yaml").read_text()


def test_the_learning_rate_is_that_of_each_epochs_last_update(water: Trained) -> None:
    warm = [1e-3 * (0.1 + 0.9 * step / 8) for step in (3, 7)]
    cosine = [1e-3 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4)]
    assert [epoch["lr"] for epoch in of(water.printed, "epoch")] == pytest.approx(warm + cosine, rel=1e-9)


def test_the_words_for_a_run(water: Trained) -> None:
    name = water.run.name
    for word in ("last", "water", "water~0", name, name[:-2], name.rsplit("-", 1)[1], f"runs/{name}", str(water.run)):
        (shown,) = water.goodfit.json("show", word)
        assert shown["text"] == water.printed[-1]["recipe"], word
    for word in ("water~1", "nothing"):
        assert water.goodfit.json("show", word, code=2) == []
    (listed,) = water.goodfit.json("runs")
    assert listed.items() >= {"run": name, "kind": "train", "state": "completed", "epoch": 6, "epochs": 6}.items()
    assert listed["best"] == water.printed[-1]["best"]


def test_an_ambiguous_word_lists_what_it_could_be(water: Trained, tmp_path: Path) -> None:
    other = water.run.name[:-4] + ("0000" if water.run.name[-4:] != "0000" else "ffff")
    for name in (water.run.name, other):
        shutil.copytree(water.run, tmp_path / "runs" / name)
    process = Program(tmp_path).start("show", water.run.name[:6])
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2 and water.run.name in err and other in err


def test_commands_to_an_ended_run_are_refused(water: Trained) -> None:
    for words in (("pause",), ("stop",), ("checkpoint",), ("set", "optimizer.lr=1")):
        (refused,) = water.goodfit.json(words[0], "last", *words[1:], code=2)
        assert refused["type"] == "command_refused" and refused["reason"]
    assert journal(water.run) == water.printed


def test_verify_tells_a_bit_that_differs(water: Trained, tmp_path: Path) -> None:
    """The journal's copy has another checksum of losses in its second row: a new training finds it."""
    (line,) = water.goodfit.json("verify", "last", "--epochs", "2")
    assert line.items() >= {"type": "verified", "equal": True, "first_difference": None, "comparable": True}.items()
    copy = shutil.copytree(water.run, tmp_path / water.run.name)
    second = of(water.printed, "steps")[1]
    changed = [{**record, "crc": "00000000"} if record == second else record for record in water.printed]
    (copy / "events.log").write_bytes(b"".join(map(tampered, changed)))
    (line,) = water.goodfit.json("verify", str(copy), code=1)
    assert line["equal"] is False and line["comparable"] is True
    assert str(second["first"]) in line["first_difference"]


def columns(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Write table.csv: two numbers, one with holes, a category, a class, two targets. Hands the parts' inputs back."""
    rng = np.random.default_rng(5)
    a, b = rng.normal(3, 2, ROWS).round(4), rng.normal(-1, 5, ROWS).round(4)
    level, noise = rng.choice(["u", "v", "w"], ROWS), rng.normal(0, 1, ROWS)
    kind = np.where(a + b / 3 + noise > 3, "yes", np.where(a > 2, "maybe", "no"))
    part = np.array(["train"] * 55 + ["validation"] * 25 + ["test"] * 10)[rng.permutation(ROWS)]
    hole = np.arange(ROWS) % 11 == 0
    lines = ["a,b,level,part,kind,up,down"]
    for i in range(ROWS):
        cells = ("" if hole[i] else a[i], b[i], level[i], part[i], kind[i], 100 * b[i] + 7, a[i] - b[i])
        lines.append(",".join(map(str, cells)))
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    train = (part == "train") & ~hole
    numbers = [(column - column[train].mean()) / column[train].std() for column in (a, b)]
    levels = [(level == name).astype(float) for name in "uvw"]
    return np.stack([*numbers, *levels], 1).astype(np.float32), np.where(hole, "", part), kind


TABLE = """\
name: table
data:
  source: {type: CSV, path: table.csv, target: TARGET, features: [a, b, level]}
  split: {column: part}
  missing: drop
  batch_size: 16
model: {layers: [{type: Linear, out_features: 6}, Tanh, {type: Linear, out_features: outputs}]}
loss: LOSS
optimizer: {type: SGD, lr: LR}
train: {epochs: 2}
"""


def table(target: str, loss: str, lr: str) -> str:
    return TABLE.replace("TARGET", target).replace("LOSS", loss).replace("LR", lr)


def outputs(run: Path, record: Record, x: np.ndarray) -> np.ndarray:
    """The network of TABLE with a checkpoint's weights, in numpy."""
    weights = load_file(run / record["path"] / "tensors.safetensors")
    hidden = np.tanh(x @ weights["model/0.weight"].T + weights["model/0.bias"])
    return hidden @ weights["model/2.weight"].T + weights["model/2.bias"]


def test_losses_are_sums_over_sums_of_class_weights(goodfit: Program) -> None:
    """With a rate that moves no weight, the running mean of training is the mean at those weights."""
    x, part, kind = columns(goodfit.folder)
    goodfit.write("table.yaml", table("kind", "{type: CrossEntropyLoss, weight: balanced}", "1e-12"))
    records = goodfit.json("train", "table.yaml")
    (data,), epoch = of(records, "data"), of(records, "epoch")[-1]
    classes = sorted(set(kind))
    assert data["classes"] == classes
    true = np.array([classes.index(name) for name in kind])
    counts = np.bincount(true[part == "train"])
    weight = counts.sum() / (len(counts) * counts)
    scores = outputs(Path(records[0]["path"]), of(records, "checkpoint")[-1], x).astype(float)
    loss = np.log(np.exp(scores).sum(1)) - scores[np.arange(ROWS), true]
    for name, rows in (("train_loss", part == "train"), ("val_loss", part == "validation")):
        assert epoch[name] == pytest.approx((loss * weight[true])[rows].sum() / weight[true][rows].sum(), abs=2e-6)
    right = (scores.argmax(1) == true)[part == "validation"].mean()
    assert epoch["metrics"] == {"val_accuracy": pytest.approx(right, abs=1e-6)}
    rows = list(csv.DictReader(goodfit("predict", "last", "table.csv").splitlines()))
    assert list(rows[0]) == ["row", "prediction", *(f"p_{name}" for name in classes)]
    assert [int(row["row"]) for row in rows] == list(range(ROWS)), "every row has its line"
    for row, scored, inside in zip(rows, scores, part, strict=True):
        wanted = classes[int(scored.argmax())] if inside else ""
        assert row["prediction"] == wanted, "a dropped row stays empty"
        if inside:
            assert float(row[f"p_{wanted}"]) == pytest.approx(np.exp(scored).max() / np.exp(scored).sum(), abs=1e-5)


def test_regression_reports_in_the_targets_units(goodfit: Program) -> None:
    x, part, _ = columns(goodfit.folder)
    goodfit.write("table.yaml", table("[up, down]", "MSELoss", "0.05") + "metrics: [MeanAbsoluteError]\n")
    records = goodfit.json("train", "table.yaml")
    best = [record for record in of(records, "checkpoint") if record["best"]][-1]
    with (goodfit.folder / "table.csv").open() as file:
        y = np.array([(float(row["up"]), float(row["down"])) for row in csv.DictReader(file)])
    mean, std = y[part == "train"].mean(0), y[part == "train"].std(0)
    scores, inside = outputs(Path(records[0]["path"]), best, x), part == "validation"
    finished = records[-1]
    assert finished["best"]["val_loss"] == pytest.approx(((scores - (y - mean) / std)[inside] ** 2).mean(), rel=1e-4)
    error = np.abs(scores * std + mean - y)[inside].mean()
    assert finished["best"]["val_mean_absolute_error"] == pytest.approx(error, rel=1e-4)
    with (goodfit.folder / "table.csv").open() as file:
        lines = [",".join(line.split(",")[:3]) for line in file]
    goodfit.write("bare.csv", "\n".join(lines) + "\n")
    assert goodfit.json("predict", "last", "bare.csv", "--out", "out.csv") == [
        {"type": "predicted", "file": "out.csv", "rows": ROWS}
    ]
    rows = list(csv.DictReader((goodfit.folder / "out.csv").read_text().splitlines()))
    assert list(rows[0]) == ["row", "prediction_up", "prediction_down"], "the targets may be absent"
    known = part != ""
    told = np.array([(float(row["prediction_up"] or "nan"), float(row["prediction_down"] or "nan")) for row in rows])
    assert np.array_equal(np.isnan(told[:, 0]), ~known)
    np.testing.assert_allclose(told[known], (scores * std + mean)[known], rtol=1e-4, atol=1e-3)
    assert goodfit.json("predict", "last", "bare.csv", code=2) == [], "--json needs --out"


def test_the_digest_is_over_all_losses_in_order(goodfit: Program) -> None:
    """One step an epoch, so that the journal has every loss by itself."""
    columns(goodfit.folder)
    text = table("kind", "CrossEntropyLoss", "0.1").replace("batch_size: 16", "batch_size: 500")
    records = goodfit.json("train", goodfit.write("table.yaml", text))
    steps, epochs = of(records, "steps"), of(records, "epoch")
    assert [row["count"] for row in steps] == [1, 1]
    crc = 0
    for step, epoch in zip(steps, epochs, strict=True):
        loss = np.float32(step["loss_mean"]).tobytes()
        assert step["crc"] == f"{zlib.crc32(loss):08x}"
        crc = zlib.crc32(np.float32(epoch["val_loss"]).tobytes(), zlib.crc32(loss, crc))
        assert epoch["digest"] == f"{crc:08x}"
