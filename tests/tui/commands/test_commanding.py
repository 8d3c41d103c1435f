"""Verbs that change a run or a recipe: set, pause, resume, checkpoint, stop, fork."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.runs import commands
from engine.runs.journal import read
from engine.runs.lock import probe
from engine.runs.summary import state_of
from tests.tui.commands.goodfit import RECIPE, Goodfit, eventually, kinds
from tui.commands import ask


@pytest.mark.usefixtures("forked")
def test_a_run_is_led_through_its_life(goodfit: Goodfit) -> None:
    goodfit("train", "iris.yaml", "--set", "train.epochs=1000000", "--detach")
    run_dir = goodfit.run_dir()
    eventually(lambda: "epoch" in kinds(read(run_dir)))

    accepted, edited = goodfit.json("set", "last", "optimizer.lr=3e-4")
    assert kinds([accepted, edited]) == ["command_accepted", "edited"] and edited["id"] == accepted["id"]
    assert edited["edits"][0]["value"] == 3e-4 and edited["step"] > 0
    assert (goodfit.folder / "iris.yaml").read_text() == RECIPE, "a live edit never writes the file"

    accepted, saved = goodfit.json("checkpoint", "last")
    assert kinds([accepted, saved]) == ["command_accepted", "checkpoint"] and (run_dir / saved["path"]).is_dir()

    (refused,) = goodfit.json("set", "last", "model.layers.0.out_features=9", code=2)
    assert refused["type"] == "command_refused" and refused["reason"]

    assert kinds(goodfit.json("pause", "last")) == ["command_accepted", "paused"]
    assert state_of(run_dir) == "paused"
    assert kinds(goodfit.json("pause", "last", code=2)) == ["command_refused"]

    (started,) = goodfit.json("resume", "last", "--detach", "--set", "optimizer.lr=1e-4")
    assert started["type"] == "started" and state_of(run_dir) == "running"
    assert "is running" in goodfit("resume", "last", code=2).stderr

    assert kinds(goodfit.json("stop", "last")) == ["command_accepted", "finished"]
    eventually(lambda: probe(run_dir) == "dead")
    (refused,) = goodfit.json("stop", "last", code=2)
    assert refused["type"] == "command_refused"
    assert kinds(goodfit.json("stop", "last", "--kill", code=2)) == ["command_refused"]

    lrs = [item["b"] for item in goodfit.json("diff", "iris.yaml", "last") if item["path"] == "optimizer.lr"]
    assert lrs == [1e-4]
    first_edit = next(record["step"] for record in read(run_dir) if record["type"] == "edited")
    before = goodfit.json("show", "last", "--at", str(first_edit - 1))[0]["text"]
    assert "lr: 1e-2" in before

    epoch = max(record["epoch"] for record in read(run_dir) if record["type"] == "epoch")
    records = goodfit.json("resume", "last", "--set", f"train.epochs={epoch + 2}")
    assert kinds(records)[0] == "resumed" and records[-1]["reason"] == "completed"
    assert state_of(run_dir) == "completed"


@pytest.mark.usefixtures("forked")
def test_fork_starts_a_new_run(trained: Goodfit, tmp_path: Path) -> None:
    goodfit = trained.copy(tmp_path)
    source = goodfit.run_dir()
    records = goodfit.json("fork", "last", "--epoch", "best", "--set", "train.epochs=5")
    assert records[0]["type"] == "started" and records[0]["parent"] == {"run": source.name, "how": "fork", "step": 21}
    assert records[-1]["reason"] == "completed" and goodfit.run_dir() != source
    assert [record["epoch"] for record in records if record["type"] == "epoch"] == [4, 5]
    assert "no checkpoint" in goodfit("fork", source.name, "--epoch", "99", code=2).stderr
    assert "--epoch" in goodfit("fork", source.name, "--epoch", "none", code=2).stderr


def test_set_on_a_file_touches_its_own_line_alone(goodfit: Goodfit) -> None:
    (line,) = goodfit.json("set", "iris.yaml", "optimizer.lr=3e-4", "train.epochs=7")
    assert line["type"] == "set" and line["file"] == "iris.yaml"
    assert [(edit["path"], edit["value"]) for edit in line["edits"]] == [("optimizer.lr", 3e-4), ("train.epochs", 7)]
    text = (goodfit.folder / "iris.yaml").read_text()
    assert text == RECIPE.replace("1e-2", "3e-4").replace("epochs: 3", "epochs: 7")


def test_set_on_a_file_is_all_or_nothing(goodfit: Goodfit) -> None:
    done = goodfit("set", "iris.yaml", "optimizer.lr=3e-4", "model.layers.99.p=1", code=2)
    assert "99" in done.stderr and (goodfit.folder / "iris.yaml").read_text() == RECIPE


def test_a_setting_that_resume_cannot_take_starts_nothing(trained: Goodfit) -> None:
    before = len(list((trained.folder / "runs").iterdir()))
    done = trained("resume", "last", "--set", "train.epochs=many", code=2)
    assert "train.epochs" in done.stderr or "epochs" in done.stderr
    assert len(list((trained.folder / "runs").iterdir())) == before
    assert state_of(trained.run_dir()) == "completed"


def test_what_is_not_live_is_refused_before_a_worker_starts(trained: Goodfit) -> None:
    before = read(trained.run_dir())
    for change, words in (
        ("data.batch_size=8", "data.batch_size cannot change while the run trains"),
        ("train.epochs=2", "epoch 3 has begun"),
        ("optimizer.type=SGD", "optimizer"),
    ):
        assert words in trained("resume", "last", "--set", change, code=2).stderr
    assert read(trained.run_dir()) == before
    runs = list((trained.folder / "runs").iterdir())
    assert "no key 'lrr'" in trained("fork", "last", "--set", "optimizer.lrr=1", code=2).stderr
    assert list((trained.folder / "runs").iterdir()) == runs


def test_a_new_type_drops_what_it_lacks_and_says_so(goodfit: Goodfit) -> None:
    goodfit("set", "iris.yaml", "optimizer={type: SGD, lr: 0.1, momentum: 0.9}")
    assert "Adam has no momentum: dropped" in goodfit("set", "iris.yaml", "optimizer.type=Adam").stderr
    assert "momentum" not in (goodfit.folder / "iris.yaml").read_text()
    goodfit("set", "iris.yaml", "optimizer={type: SGD, lr: 0.1, momentum: 0.9}")
    done = goodfit("show", "iris.yaml", "--set", "optimizer.type=Adam", "--json")
    assert "dropped" in done.stderr and "momentum" not in done.stdout
    done = goodfit("train", "iris.yaml", "--set", "optimizer.type=Adam", "--set", "optimizer.lr=-1", code=2)
    assert "dropped" in done.stderr and "optimizer.momentum" not in done.stderr


def test_a_worker_that_does_not_answer_is_exit_1(trained: Goodfit, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object, **__: object) -> None:
        raise commands.NoAnswer("silence")

    monkeypatch.setattr(commands, "request", silent)
    monkeypatch.setattr(ask, "request", silent)
    for verb in ("pause", "stop", "checkpoint"):
        assert "silence" in trained(verb, "last", code=1).stderr
