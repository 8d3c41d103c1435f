"""Verbs that read: a recipe, a run that has ended, what there is. Those that need no torch run without it."""

from __future__ import annotations

import csv
import json
import re
import time
from pathlib import Path

import pytest

from engine.runs.journal import encode, read
from tests.tui.commands.forked import stand_in
from tests.tui.commands.goodfit import RECIPE, Goodfit, kinds
from tui.commands.replay import play


def test_check_prints_place_line_caret_and_hint(goodfit: Goodfit) -> None:
    (goodfit.folder / "bad.yaml").write_text(RECIPE.replace("batch_size: 16", "batch_sise: 16"))
    done = goodfit("check", "bad.yaml", "iris.yaml", code=2)
    lines = done.stdout.splitlines()
    assert re.match(r"bad\.yaml:5:3: error: .*batch_sise", lines[0])
    assert lines[1].strip() == "batch_sise: 16"
    assert lines[2].index("^") == lines[1].index("batch_sise")
    assert "hint: " in lines[3] and "batch_size" in lines[3]
    assert "1 error" in done.stderr


def test_check_as_json(goodfit: Goodfit) -> None:
    (goodfit.folder / "bad.yaml").write_text(RECIPE.replace("- ReLU", "- Relu").replace("epochs: 3", "epochs: none"))
    (goodfit.folder / "empty.yaml").write_text("")
    found = goodfit.json("check", "bad.yaml", "empty.yaml", "gone.yaml", "iris.yaml", code=2)
    *problems, checked = found
    assert set(kinds(problems)) == {"problem"}
    assert all(set(p) == {"type", "file", "line", "column", "path", "message", "hint", "severity"} for p in problems)
    errors = [p for p in problems if p["severity"] == "error"]
    assert [(p["file"], p["path"]) for p in errors if p["file"] == "bad.yaml"] == [
        ("bad.yaml", "model.layers.1"),
        ("bad.yaml", "train.epochs"),
    ] or len([p for p in errors if p["file"] == "bad.yaml"]) == 2
    assert {(p["line"], p["column"]) for p in errors if p["file"] in ("empty.yaml", "gone.yaml")} == {(1, 1)}
    warnings = sum(p["severity"] == "warning" for p in problems)
    assert checked == {"type": "checked", "files": 4, "errors": len(errors), "warnings": warnings}


def test_check_knows_the_data(goodfit: Goodfit) -> None:
    (goodfit.folder / "data").mkdir()
    (goodfit.folder / "data" / "t.csv").write_text("a,b,y\n" + "".join(f"{i},{i * i % 7},{i % 2}\n" for i in range(60)))
    source = "{type: CSV, path: t.csv, target: %s}"
    recipe = RECIPE.replace("{type: Builtin, name: iris}", source)
    (goodfit.folder / "good.yaml").write_text(recipe % "y")
    (goodfit.folder / "bad.yaml").write_text(recipe % "z")
    assert goodfit.json("check", "good.yaml", "--data-root", "data")[-1]["errors"] == 0
    goodfit.env["GOODFIT_DATA"] = "data"
    assert goodfit.json("check", "good.yaml")[-1]["errors"] == 0
    problem, _ = [o for o in goodfit.json("check", "bad.yaml", code=2) if o.get("severity") != "warning"]
    assert problem["path"].startswith("data.source") and "z" in problem["message"] and problem["line"] == 4


def test_show_as_written_changed_and_resolved(trained: Goodfit) -> None:
    assert trained.json("show", "iris.yaml") == [{"type": "recipe", "text": RECIPE}]
    changed = trained.json("show", "iris.yaml", "--set", "optimizer.lr=3e-4")[0]["text"]
    assert changed == RECIPE.replace("1e-2", "3e-4")
    resolved = trained.json("show", "iris.yaml", "--resolved")[0]["text"]
    assert "CrossEntropyLoss" in resolved and "out_features: 3" in resolved and "stratify" in resolved
    assert trained.json("show", "last") == [{"type": "recipe", "text": RECIPE}]
    of_run = trained.json("show", "last", "--resolved")[0]["text"]
    assert of_run == resolved
    assert "recipe" in trained("show", "iris.yaml", "--at", "3", code=2).stderr


def test_resolving_twice_changes_nothing(trained: Goodfit) -> None:
    once = trained.json("show", "iris.yaml", "--resolved")[0]["text"]
    (trained.folder / "once.yaml").write_text(once)
    assert trained.json("show", "once.yaml", "--resolved")[0]["text"] == once
    (trained.folder / "once.yaml").unlink()


def test_diff_of_recipes_and_runs(trained: Goodfit) -> None:
    (trained.folder / "other.yaml").write_text(RECIPE.replace("1e-2", "1e-3").replace("    - ReLU\n", ""))
    found = trained.json("diff", "iris.yaml", "other.yaml")
    assert {item["path"] for item in found} == {"optimizer.lr", "model.layers.1"}
    lr = next(item for item in found if item["path"] == "optimizer.lr")
    assert lr == {"type": "difference", "path": "optimizer.lr", "a": 0.01, "b": 0.001}
    assert trained.json("diff", "iris.yaml", "last") == []
    assert "optimizer.lr: 0.01 -> 0.001" in trained("diff", "iris.yaml", "other.yaml").stdout
    (trained.folder / "other.yaml").unlink()


def test_runs(trained: Goodfit) -> None:
    (run,) = trained.json("runs")
    assert set(run) == {"type", "run", "kind", "state", "pid", "host", "epoch", "epochs", "best"}
    assert (run["state"], run["kind"], run["epoch"], run["epochs"]) == ("completed", "train", 3, 3)
    assert set(run["best"]) == {"train_loss", "val_loss", "val_accuracy"}
    assert run["run"] in trained("runs").stdout
    assert trained("runs", "--runs", "elsewhere").stdout == ""


def test_a_run_that_is_not_there_lists_what_is(trained: Goodfit) -> None:
    assert trained.run_dir().name in trained("watch", "nonesuch", code=2).stderr


def test_parts(goodfit: Goodfit) -> None:
    parts = goodfit.json("parts")
    assert all(set(part) == {"type", "name", "kind", "fields", "help"} and part["help"] for part in parts)
    assert {"Linear", "Adam", "CSV", "CrossEntropyLoss"} <= {part["name"] for part in parts}
    (adam,) = goodfit.json("parts", "Adam")
    assert adam["kind"] == "optimizer" and next(f for f in adam["fields"] if f["name"] == "lr")["default"] == 0.001
    assert "did you mean Adam" in goodfit("parts", "adm", code=2).stderr
    assert "learning rate" in goodfit("parts", "Adam").stdout


def test_own_parts_come_from_a_file_that_a_person_names(goodfit: Goodfit) -> None:
    (goodfit.folder / "mine.py").write_text(
        "from typing import ClassVar\n"
        "from engine.parts.layer import Layer\nfrom engine.parts.part import part\n\n"
        '@part\nclass Wobble(Layer):\n    """Adds a wobble."""\n    torch: ClassVar[str | None] = "torch.nn.Identity"\n'
    )
    assert goodfit.json("parts", "Wobble", "--parts", "mine.py")[0]["help"] == "Adds a wobble."
    goodfit.process("parts", "Wobble", code=2)
    assert "gone.py" in goodfit("parts", "--parts", "gone.py", code=2).stderr


def test_schemas(goodfit: Goodfit) -> None:
    (line,) = goodfit.json("schema")
    assert line["schema"]["properties"]["optimizer"]
    (events,) = goodfit.json("schema", "--events")
    assert "oneOf" in events["schema"]
    assert json.loads(goodfit("schema").stdout) == line["schema"]


def test_doctor(goodfit: Goodfit) -> None:
    facts = goodfit.json("doctor")
    assert all(set(fact) == {"type", "name", "value", "ok", "hint"} for fact in facts)
    names = {fact["name"] for fact in facts}
    assert {"python", "torch", "terminal", "colours", "unicode", "logging out", "disk space", "cache"} <= names
    assert any("CPU" in name or "cuda" in name for name in names), "from the process that may import torch"


@pytest.mark.usefixtures("forked")
def test_test_counts_its_looks(trained: Goodfit, tmp_path: Path) -> None:
    goodfit = trained.copy(tmp_path)
    (result,) = goodfit.json("test", "last")
    assert set(result) == {"type", "metrics", "rows"} and set(result["metrics"]) == {"test_loss", "test_accuracy"}
    *_, finished, look = read(goodfit.run_dir())
    assert finished["type"] == "finished" and finished["test"] == result["metrics"]
    assert look["type"] == "test_evaluated" and look["looks"] == 2, "--test was the first"


FLOWERS = "sepal_length,sepal_width,petal_length,petal_width\n6.7,3.0,5.2,2.3\n5.1,3.5,1.4,0.2\n4.9,3.0,1.4,0.2\n"


def test_predict_writes_every_row_in_order(trained: Goodfit, monkeypatch: pytest.MonkeyPatch) -> None:
    (trained.folder / "new.csv").write_text(FLOWERS)
    (line,) = trained.json("predict", "last", "new.csv", "--out", "out.csv")
    assert line == {"type": "predicted", "file": "out.csv", "rows": 3}
    text = (trained.folder / "out.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert list(rows[0]) == ["row", "prediction", "p_setosa", "p_versicolor", "p_virginica"]
    assert [row["row"] for row in rows] == ["0", "1", "2"]
    assert all(abs(sum(float(row[f"p_{name}"]) for name in CLASSES) - 1) < 1e-5 for row in rows)
    assert all(row["prediction"] == max(CLASSES, key=lambda name: float(row[f"p_{name}"])) for row in rows)
    stand_in(monkeypatch)
    assert trained("predict", "last", "new.csv").stdout == text, "without --out they go to stdout"


CLASSES = ("setosa", "versicolor", "virginica")


def test_predict_on_bad_input(trained: Goodfit) -> None:
    (trained.folder / "less.csv").touch()
    assert "--out" in trained("predict", "last", "new.csv", "--json", code=2).stderr
    assert "less.csv" in trained("predict", "last", "les.csv", code=2).stderr
    assert "there is no file" in trained("test", "last", "gone.csv", code=2).stderr


def test_verify(trained: Goodfit) -> None:
    (verdict,) = trained.json("verify", "last")
    assert set(verdict) == {"type", "equal", "first_difference", "comparable", "why"}
    assert verdict["equal"] is True and verdict["comparable"] is True and verdict["first_difference"] is None


@pytest.mark.parametrize(
    ("kind", "key", "value", "code"), [("plan", "torch", "0.1", 3), ("epoch", "digest", "00000000", 1)]
)
@pytest.mark.usefixtures("forked")
def test_verify_of_what_differs(trained: Goodfit, tmp_path: Path, kind: str, key: str, value: str, code: int) -> None:
    goodfit = trained.copy(tmp_path)
    records = read(goodfit.run_dir())
    next(record for record in records if record["type"] == kind)[key] = value
    (goodfit.run_dir() / "events.log").write_bytes(b"".join(map(encode, records)))
    (verdict,) = goodfit.json("replay", "last", "--headless", "--verify", code=code)
    assert verdict["comparable"] is (code == 1) and verdict["equal"] is not True
    assert verdict["why"] if code == 3 else verdict["first_difference"]
    assert "--headless" in goodfit("replay", "last", "--verify", code=2).stderr


def test_replay_keeps_time(trained: Goodfit) -> None:
    class Keeper:
        def __init__(self) -> None:
            self.seen: list[tuple[str, float]] = []

        def record(self, record: dict[str, object]) -> None:
            self.seen.append((str(record["type"]), time.monotonic()))

        def note(self, text: str) -> None:
            raise AssertionError(text)

        def close(self) -> None:
            pass

    keeper = Keeper()
    began = time.monotonic()
    play([{"type": "a", "time": 0.0}, {"type": "b", "time": 3.0}, {"type": "c", "time": 6.0}], keeper, 20.0)
    assert [name for name, _ in keeper.seen] == ["a", "b", "c"]
    assert keeper.seen[1][1] - began >= 0.15 and keeper.seen[2][1] - began >= 0.3


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "fast"])
def test_a_speed_that_is_none(trained: Goodfit, speed: str) -> None:
    assert "--speed" in trained("replay", "last", "--headless", "--speed", speed, code=2).stderr


VERBS_WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["torchmetrics"] = None
from tui.main import start
for call in (
    ["check", "iris.yaml"], ["show", "iris.yaml", "--resolved"], ["show", "last"], ["diff", "iris.yaml", "last"],
    ["runs"], ["watch", "last"], ["replay", "last", "--headless", "--speed", "max"], ["parts"], ["parts", "Adam"],
    ["schema"], ["schema", "--events"], ["set", "iris.yaml", "train.epochs=4"], ["doctor"],
    ["new", "new.csv", "--target", "y", "-o", "fresh.yaml"],
):
    code = start([*call, "--json"])
    assert code == 0, (call, code)
"""


def test_what_needs_no_torch_works_without(trained: Goodfit, tmp_path: Path) -> None:
    goodfit = trained.copy(tmp_path)
    (tmp_path / "new.csv").write_text("a,b,y\n" + "".join(f"{i},{i * i % 7},{i % 2}\n" for i in range(60)))
    goodfit.process(program=VERBS_WITHOUT_TORCH)
