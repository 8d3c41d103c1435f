"""A search, from outside: records, runs of its trials, verbs that take it for its best trial, exit codes."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.program import Program, Record, journal, kinds, of

RECIPE = """\
name: iris
data:
  source: {type: Builtin, name: iris}
  batch_size: 16
model:
  layers:
    - {type: Linear, out_features: 8}
    - ReLU
    - {type: Linear, out_features: outputs}
optimizer: {type: SGD, lr: 1e-2, momentum: 0.9}   # the classic
train: {epochs: 3}
search:
  trials: 10
  space:
    optimizer.lr: {log_uniform: [1e-4, 1e-2]}
    optimizer.momentum: {uniform: [0.85, 0.99]}
"""
TRIAL = {"number", "state", "edits", "params", "value", "train_loss", "val_loss", "metrics", "best_epoch", "epochs"} | {
    "seconds",
    "run",
    "message",
}


@dataclass(frozen=True)
class Searched:
    """A finished search, to be read and not changed."""

    goodfit: Program
    printed: list[Record]

    @property
    def run(self) -> Path:
        """Its folder."""
        return Path(self.printed[0]["path"])


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searched]:
    goodfit = Program(tmp_path_factory.mktemp("iris"))
    goodfit.write("iris.yaml", RECIPE)
    yield Searched(goodfit, goodfit.json("search", "iris.yaml", "--trials", "5", "--require", "val_accuracy > 0"))


def test_the_records_of_a_search(iris: Searched) -> None:
    records = iris.printed
    assert records == journal(iris.run) == iris.goodfit.json("watch", "last")
    started, finished = records[0], records[-1]
    assert (started["kind"], started["parent"], finished["reason"]) == ("search", None, "completed")
    order = kinds(records)
    assert order.index("data") < order.index("plan") < order.index("trial_epochs") < order.index("trial")
    assert of(records, "plan")[0]["trials"] == 5 and of(records, "plan")[0]["monitor"] == "val_loss"
    trials = of(records, "trial")
    assert sorted(trial["number"] for trial in trials) == [0, 1, 2, 3, 4]
    for trial in trials:
        assert set(trial) >= TRIAL and trial["state"] == "completed" and trial["epochs"] == 3
        assert trial["params"].keys() == {"optimizer.lr", "optimizer.momentum"}
        assert {edit["path"]: edit["value"] for edit in trial["edits"]} == trial["params"]
        assert trial["value"] == trial["val_loss"] and set(trial["metrics"]) == {"val_accuracy"}
    best = min(trials, key=lambda trial: trial["val_loss"])
    assert finished["best"] == {
        "trial": best["number"],
        "run": best["run"],
        "train_loss": best["train_loss"],
        "val_loss": best["val_loss"],
        "val_accuracy": best["metrics"]["val_accuracy"],
        "params": best["params"],
    }
    for row in of(records, "trial_epochs"):
        columns = [row[name] for name in ("numbers", "params", "train_loss", "val_loss", "value")]
        assert len({len(column) for column in columns}) == 1
    assert sum(of(records, "importance")[-1]["values"].values()) == pytest.approx(1)


def test_trials_are_runs_and_a_search_stands_for_its_best(iris: Searched) -> None:
    goodfit = iris.goodfit
    runs = {run["run"]: run for run in goodfit.json("runs")}
    assert sum(name.partition("-iris")[1] != "" for name in runs) == 6
    search = runs[iris.run.name]
    assert (search["kind"], search["state"], search["epoch"], search["epochs"]) == ("search", "completed", 5, 5)
    best = iris.printed[-1]["best"]
    assert search["best"]["val_loss"] == best["val_loss"] == runs[best["run"]]["best"]["val_loss"]
    child = journal(iris.run.parent / best["run"])
    assert child[0]["kind"] == "train"
    assert child[0]["parent"] == {"run": iris.run.name, "how": "child", "step": None}
    assert goodfit.json("check", str(iris.run.parent / best["run"] / "recipe.yaml"))[-1]["errors"] == 0
    (evaluation,) = goodfit.json("test", "iris")
    assert evaluation["metrics"].keys() == {"test_loss", "test_accuracy"}
    assert journal(iris.run.parent / best["run"])[-1]["type"] == "test_evaluated"
    assert repr(best["params"]["optimizer.lr"]) in goodfit("code", "iris")
    assert goodfit.json("verify", "iris", code=3)[-1]["comparable"] is False


def test_what_is_wrong_with_a_search_is_said_before_it_begins(iris: Searched) -> None:
    goodfit = iris.goodfit
    before = len(goodfit.json("runs"))
    goodfit("search", "iris.yaml", "--set", "search={trials: 3}", code=2)
    goodfit("search", "iris.yaml", "--trials", "0", code=2)
    goodfit("search", "iris.yaml", "--set", "search.space={optimizer.momentum: {uniform: [0.5, 3]}}", code=2)
    goodfit("search", "iris.yaml", "--set", 'search.space."data.split.seed"={int: [0, 9]}', code=2)
    goodfit("search", "iris.yaml", "--require", "test_accuracy > 0.5", code=2)
    goodfit("search", "--join", "nobody", code=2)
    assert len(goodfit.json("runs")) == before


def test_unmet_requirements_and_json_lines_of_a_resumed_search(iris: Searched) -> None:
    goodfit = iris.goodfit
    path = goodfit.write("more.yaml", RECIPE.replace("name: iris\ndata", "name: more\ndata"))
    goodfit("search", path, "--trials", "2", "--require", "val_accuracy > 2", code=3)
    records = goodfit.json("resume", "more", "--set", "search.trials=4")
    assert kinds(records)[:2] == ["resumed", "edited"] and records[-1]["reason"] == "completed"
    assert sorted(trial["number"] for trial in of(records, "trial")) == [2, 3]
    assert len(of(journal(Path(goodfit.json("watch", "more")[0]["path"])), "trial")) == 4


def test_interrupted_searches_stop_and_go_on(iris: Searched) -> None:
    goodfit = iris.goodfit
    named = RECIPE.replace("name: iris\ndata", "name: long\ndata")
    path = goodfit.write("long.yaml", named.replace("epochs: 3", "epochs: 400000"))
    process = goodfit.start("search", path, "--json")
    deadline = time.monotonic() + 60
    while not list((goodfit.folder / "runs").glob("*-long-trial-*/events.log")):
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err, err
    assert '"reason":"stopped"' in out.splitlines()[-1]
    records = goodfit.json("resume", "long", "--set", "search.minutes=0.0001")
    assert records[-1]["reason"] == "completed" and "time was up" in records[-1]["message"]
