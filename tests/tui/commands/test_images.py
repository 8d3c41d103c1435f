"""Images on the command line: a first recipe, training, predictions, and what the cache takes."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from engine.data import inspect
from engine.data.cache import cache_folder
from engine.data.pixels.read import Size, read_images
from engine.runs.directory import run_dirs
from tests.engine.data.pictures import write_classes
from tests.tui.commands.goodfit import Goodfit
from tui.commands import doctor


def test_the_doctor_shows_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOODFIT_CACHE", str(tmp_path / "cache"))

    def shown() -> str:
        return next(fact.value for fact in doctor.disk(tmp_path) if fact.name == "cache")

    assert shown() == f"{tmp_path / 'cache'}, 0 B"
    pets = write_classes(tmp_path / "pets", {"cat": 3, "dog": 2})
    names = [path.relative_to(pets).as_posix() for path in sorted(pets.rglob("*.png"))]
    read_images(pets, names, Size(20, 20, 3), lambda *_: None, "k")
    held = sum(path.stat().st_size for path in cache_folder().rglob("*") if path.is_file())
    assert held > 5 * 1200 and shown().endswith(f"{doctor.size(held)} of it decoded images")


def test_from_a_folder_to_predictions(goodfit: Goodfit) -> None:
    pets = write_classes(goodfit.folder / "pets", {"cat": 40, "dog": 40})
    assert goodfit.json("new", "pets") == [{"type": "created", "file": "pets.yaml"}]
    assert goodfit.json("check", "pets.yaml")[-1]["errors"] == 0
    records = goodfit.json("train", "pets.yaml", "--set", "train.epochs=1", "--test")
    assert records[-1]["reason"] == "completed" and records[-1]["test"]
    assert goodfit.json("test", "last", "pets")[-1]["rows"] == 80
    goodfit("predict", "last", "pets/dog", "--out", "out.csv")
    rows = list(csv.DictReader((goodfit.folder / "out.csv").read_text().splitlines()))
    assert [row["file"] for row in rows] == sorted(path.name for path in (pets / "dog").iterdir())
    assert {row["prediction"] for row in rows} <= {"cat", "dog"}
    (pets / "dog" / "bad.png").write_bytes(b"no image")
    refused = goodfit("predict", "last", "pets", code=2).stderr
    assert "dog/bad.png: it is no image" in refused
    assert "dog/bad.png" in goodfit.json("check", "pets.yaml", code=2)[0]["message"]


def test_the_worker_alone_reads_large_data(goodfit: Goodfit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect, "LARGE", 1)
    pets = write_classes(goodfit.folder / "pets", {"cat": 30, "dog": 30})
    goodfit("new", "pets")
    shutil.rmtree(goodfit.folder / "cache")
    one = ("train", "pets.yaml", "--set", "train.epochs=1")
    decoded = [r["done"] for r in goodfit.json(*one) if r.get("stage") == "decoding"]
    assert decoded[-1] == 60
    # what the data alone reveals ends the run, and is exit 2 where it has to be known beforehand, or is known
    bad = pets / "dog" / "bad.png"
    bad.write_bytes(b"no image")
    assert "dog/bad.png: it is no image" in goodfit.json(*one, code=1)[-1]["message"]
    bad.unlink()
    wide = (*one, "--set", "model.layers=[Flatten, {type: Linear, out_features: 7}]")
    message = goodfit.json(*wide, code=1)[-1]["message"]
    runs = len(run_dirs(goodfit.folder / "runs"))
    assert message.partition(";")[0] in goodfit(*wide, "--require", "val_loss < 1", code=2).stderr
    assert "val_los" in goodfit(*one, "--require", "val_los < 1", code=2).stderr
    goodfit(*one, "--set", "optimizer.lr=-1", code=2)
    (goodfit.folder / "t.csv").write_text("a,b\n" + "1,2\n" * 60)
    table = ("--set", "data.source={type: CSV, path: t.csv, target: c}", "--set", "model.layers=[ReLU]")
    assert "no column 'c'" in goodfit(*one, *table, code=2).stderr
    (goodfit.folder / "t.parquet").write_bytes(b"no such thing")
    torn = [word.replace("CSV, path: t.csv", "Parquet, path: t.parquet") for word in table]
    assert "as Parquet" in goodfit(*one, *torn, code=2).stderr
    assert "one class" in goodfit(*one, "--set", "data.source.path=.", code=2).stderr
    assert "gone" in goodfit(*one, "--set", "data.source.path=gone", code=2).stderr
    goodfit("check", "pets.yaml")
    assert message.partition(";")[0] in goodfit(*wide, code=2).stderr
    assert len(run_dirs(goodfit.folder / "runs")) == runs
