"""Whole searches by real workers: their trials and runs, their deaths, and what the next life makes of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import UserError
from engine.runs import checkpoints
from engine.runs.commands import NotRunning, request, send
from engine.runs.directory import effective_recipe, find
from engine.runs.journal import read
from engine.runs.json_schema import check_record
from engine.runs.launch import Options
from engine.runs.summary import info, launch_options, state_of
from engine.search.stand_in import stands_for
from engine.train.evaluate import on_test_part
from engine.train.restored import best_checkpoint
from engine.train.verify import verify
from tests.engine.train.executors.plain import TOLERANCE

Json = dict[str, Any]

RECIPE = """\
name: wine
seed: 3
data:
  source: {type: Builtin, name: wine}
  batch_size: 32
model:
  layers:
    - {type: Linear, out_features: 16}
    - ReLU
    - {type: Dropout, p: 0.2, name: drop1}
    - {type: Linear, out_features: outputs}
optimizer: {type: SGD, lr: 0.01, momentum: 0.9}
train: {epochs: 4}
search:
  trials: 6
  together: 3
  space:
    optimizer.lr: {log_uniform: [1e-3, 1e-1]}
    optimizer.momentum: {uniform: [0.5, 0.99]}
"""
AUTOGRAD = RECIPE.replace("train: {", "train: {executor: autograd, ")
ODD = """\
from engine.parts.layer import Layer
from engine.parts.part import part, setting
def build_odd(limit):
    import torch
    class Odd(torch.nn.Module):
        def forward(self, x):
            return x if limit < 1 else {}["nothing"]
    return Odd()
@part
class Odd(Layer):
    \"\"\"Breaks where the limit is 1 or more.\"\"\"
    torch = ".build_odd"
    limit: float = setting(0.5, help="limit")
"""
LONG = AUTOGRAD.replace("epochs: 4", "epochs: 100000")


def search(nursery: Any, text: str, **launch: Any) -> Path:
    """The folder of a search that has not been started."""
    from engine.runs.directory import create

    options = {**Options(base=str(nursery.root)).to_json(), "edits": [], "from": None, **launch}
    return create(nursery.root / "runs", "wine", "search", text, options)


def searched(nursery: Any, text: str) -> Path:
    """A whole search."""
    run_dir = search(nursery, text)
    nursery.finish(run_dir, nursery.start(run_dir))
    return run_dir


def of(run_dir: Path, kind: str) -> list[Json]:
    return [record for record in read(run_dir) if record["type"] == kind]


def outcome(run_dir: Path) -> dict[int, Any]:
    """What each trial was, and what became of it."""
    return {
        trial["number"]: (trial["state"], trial["params"], trial["value"], trial["epochs"], trial["best_epoch"])
        for trial in of(run_dir, "trial")
    }


@pytest.fixture(params=[RECIPE, AUTOGRAD], ids=["together", "alone"])
def text(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def until(request: pytest.FixtureRequest) -> Any:
    """`await_record` of the conftest, which cannot be imported by name."""
    return sys.modules[type(request.getfixturevalue("nursery")).__module__].await_record


def test_a_search_and_the_runs_of_its_trials(nursery: Any, text: str) -> None:
    run_dir = searched(nursery, text)
    records = read(run_dir)
    assert [problem for record in records for problem in check_record(record)] == []
    trials = of(run_dir, "trial")
    assert [trial["number"] for trial in trials] == list(range(6))
    assert {trial["state"] for trial in trials} == {"completed"}
    finished = records[-1]
    best = min(trials, key=lambda trial: trial["value"])
    assert (finished["reason"], finished["best_epoch"]) == ("completed", best["best_epoch"])
    assert finished["best"] | best["metrics"] == finished["best"]
    assert (finished["best"]["trial"], finished["best"]["run"]) == (best["number"], best["run"])
    for trial in trials:
        assert trial["curve"]["epochs"] == [1, 2, 3, 4]
        assert min(trial["curve"]["values"]) == pytest.approx(trial["value"], rel=1e-5)
    assert (finished["best"]["val_loss"], finished["best"]["params"]) == (best["val_loss"], best["params"])
    assert records[-2]["type"] == "importance" and sum(records[-2]["values"].values()) == pytest.approx(1)
    plan = of(run_dir, "plan")[0]
    assert (plan["trials"], plan["monitor"], plan["epochs"]) == (6, "val_loss", 4)
    assert ("train together" in plan["reason"]) == (text == RECIPE)
    listed = info(run_dir)
    assert (listed.kind, listed.epoch, listed.epochs, listed.state) == ("search", 6, 6, "completed")
    assert listed.best is not None and listed.best["val_loss"] == best["val_loss"]
    told: dict[int, list[int]] = {}
    for record in of(run_dir, "trial_epochs"):
        assert len(record["numbers"]) == len(record["params"]) == len(record["value"])
        for number in record["numbers"]:
            told.setdefault(number, []).append(record["epoch"])
    assert all(epochs[-1] == 4 for epochs in told.values()) and told.keys() == set(range(6))
    for trial in trials:
        check_child(run_dir, trial)


def check_child(run_dir: Path, trial: Json) -> None:
    """The run of a trial is a run like any other."""
    child = run_dir.parent / trial["run"]
    records = read(child)
    assert [problem for record in records for problem in check_record(record)] == []
    kinds = [record["type"] for record in records]
    assert kinds[:3] == ["started", "data", "plan"] and kinds[-1] == "finished"
    assert kinds.count("epoch") == 4 and "test_evaluated" not in kinds
    assert records[0]["parent"] == {"run": run_dir.name, "how": "child", "step": None}
    assert records[0]["kind"] == "train" and info(child).kind == "train"
    assert state_of(child) == "completed"
    row = next(record for record in records if record["type"] == "epoch" and record["epoch"] == trial["best_epoch"])
    assert (row["train_loss"], row["val_loss"]) == (trial["train_loss"], trial["val_loss"])
    assert (records[-1]["best_epoch"], records[-1]["best"]["val_loss"]) == (trial["best_epoch"], trial["val_loss"])
    saved = checkpoints.available(child, records)
    assert saved[-1]["step"] == records[-1]["step"] and checkpoints.best(saved) is not None
    for record in saved:
        checkpoints.verify(child / record["path"], record["manifest_sha"])
    recipe = effective_recipe(child)
    assert "search" not in recipe and f"lr: {trial['params']['optimizer.lr']}" in recipe
    assert (child / "resolved.yaml").is_file()
    metrics, rows, _ = on_test_part(child, best_checkpoint(child))
    assert rows > 0 and metrics.keys() == {"test_loss", "test_accuracy"}


def test_a_trial_takes_the_course_that_its_recipe_takes_alone(nursery: Any, train: Any) -> None:
    run_dir = searched(nursery, RECIPE.replace(", name: drop1", "").replace("p: 0.2", "p: 0.0"))
    for trial in of(run_dir, "trial"):
        child = run_dir.parent / trial["run"]
        alone = train((child / "recipe.yaml").read_text().replace("train: {", "train: {executor: autograd, "))
        for told, epoch in zip(of(child, "epoch"), alone.of("epoch"), strict=True):
            assert told["train_loss"] == pytest.approx(epoch.train_loss, rel=2e-4)
            assert told["val_loss"] == pytest.approx(epoch.val_loss, rel=2e-4)


def test_trials_alone_can_be_verified_and_stacked_ones_say_why_not(nursery: Any, text: str) -> None:
    run_dir = searched(nursery, text)
    child = run_dir.parent / of(run_dir, "trial")[0]["run"]
    if text == AUTOGRAD:
        assert list(verify(child))[-1]["equal"] is True
    else:
        from engine.train.verify import NotComparable

        with pytest.raises(NotComparable, match="together with 2 other trials"):
            list(verify(child))


def test_the_test_part_changes_nothing(nursery: Any, text: str) -> None:
    """Poison it: features that dwarf all others, holes, words never seen, every label wrong."""
    rng = np.random.default_rng(0)
    rows = [(*rng.normal(size=2), rng.choice(list("abc")), int(rng.random() < 0.5)) for _ in range(60)]
    parts = ["train"] * 30 + ["validation"] * 15 + ["test"] * 15
    outcomes = []
    for poisoned in (False, True):
        lines = ["x,y,word,target,part"]
        for (x, y, word, target), part in zip(rows, parts, strict=True):
            if poisoned and part == "test":
                x, y, word, target = 1e30, "", "never seen", 1 - target
            lines.append(f"{x},{y},{word},{target},{part}")
        (nursery.root / "table.csv").write_text("\n".join(lines) + "\n")
        data = "data:\n  source: {type: CSV, path: table.csv, target: target}\n  missing: median\n"
        data += "  columns: {part: ignore, word: category}\n  split: {column: part}\n"
        assert "data:\n  source: {type: Builtin, name: wine}\n" in text
        run_dir = searched(nursery, text.replace("data:\n  source: {type: Builtin, name: wine}\n", data))
        assert of(run_dir, "data")[0]["rows"] == {"train": 30, "validation": 15, "test": 15}
        epochs = [
            [
                {k: v for k, v in e.items() if "second" not in k and k != "time"}
                for e in of(run_dir.parent / name, "epoch")
            ]
            for name in (trial["run"] for trial in of(run_dir, "trial"))
        ]
        weights = [
            (
                run_dir.parent
                / t["run"]
                / of(run_dir.parent / t["run"], "checkpoint")[-1]["path"]
                / "tensors.safetensors"
            )
            for t in of(run_dir, "trial")
        ]
        outcomes.append((outcome(run_dir), epochs, [path.read_bytes() for path in weights]))
        assert of(run_dir, "test_evaluated") == [] and read(run_dir)[-1]["test"] is None
    assert outcomes[0] == outcomes[1]


def test_the_same_seed_gives_the_same_search(nursery: Any, text: str) -> None:
    assert outcome(searched(nursery, text)) == outcome(searched(nursery, text))


@pytest.mark.parametrize("place", ["first epoch", "first trial", "fourth trial"])
def test_killed_anywhere_and_resumed_is_the_same_search(nursery: Any, until: Any, text: str, place: str) -> None:
    whole = searched(nursery, text)
    run_dir = search(nursery, text)
    process = nursery.start(run_dir)
    wanted = {
        "first epoch": lambda r: r["type"] == "trial_epochs",
        "first trial": lambda r: r["type"] == "trial",
        "fourth trial": lambda r: r["type"] == "trial" and r["number"] == 3,
    }[place]
    until(run_dir, wanted)
    process.kill()
    process.join(10)
    nursery.finish(run_dir, nursery.start(run_dir))
    found, wanted_outcome = outcome(run_dir), outcome(whole)
    assert found.keys() == wanted_outcome.keys() and len(of(run_dir, "trial")) == 6
    for number, (state, params, value, epochs, best_epoch) in found.items():
        # trials that go on in a smaller stack than they began in take the same course, within the stated tolerance
        close = pytest.approx(wanted_outcome[number][2], rel=TOLERANCE)
        assert (state, params, value, epochs, best_epoch) == (*wanted_outcome[number][:2], close, epochs, best_epoch)
        assert (epochs, best_epoch) == wanted_outcome[number][3:]
    ours, theirs = read(run_dir)[-1]["best"], read(whole)[-1]["best"]
    assert (ours["trial"], ours["params"]) == (theirs["trial"], theirs["params"])
    assert ours["val_loss"] == pytest.approx(theirs["val_loss"], rel=TOLERANCE)
    runs = [trial["run"] for trial in of(run_dir, "trial")]
    assert len(set(runs)) == 6
    for name in runs:
        assert state_of(run_dir.parent / name) == "completed"


def test_stop_is_felt_and_resume_goes_on(nursery: Any, until: Any) -> None:
    run_dir = search(nursery, LONG)
    process = nursery.start(run_dir)
    until(run_dir, lambda r: r["type"] == "trial_epochs")
    child = next(path for path in run_dir.parent.iterdir() if path.name.startswith("2") and "trial-0" in path.name)
    with pytest.raises(NotRunning, match="trial of a search"):
        send(child, "stop")
    assert request(run_dir, "pause")[-1]["type"] == "paused"
    assert state_of(run_dir) == "paused"
    assert request(run_dir, "resume")[-1]["type"] == "resumed"
    assert request(run_dir, "checkpoint")[-1]["type"] == "command_refused"
    assert "cannot change" in request(run_dir, "set", edits=[{"op": "set", "path": "seed", "value": 1}])[-1]["reason"]
    answers = request(run_dir, "set", edits=[{"op": "set", "path": "search.trials", "value": 2}])
    assert answers[-1]["type"] == "edited" and info(run_dir).epochs == 2
    finished = request(run_dir, "stop")[-1]
    process.join(10)
    assert (finished["reason"], process.exitcode) == ("stopped", 0)
    assert read(child)[-1]["reason"] == "stopped"
    assert of(run_dir, "trial") == []
    with pytest.raises(UserError, match="no completed trial"):
        stands_for(run_dir)
    short = {"op": "set", "path": "search.minutes", "value": 1e-9}
    (run_dir / "launch.json").write_text(json.dumps({**launch_options(run_dir), "edits": [short]}))
    process = nursery.start(run_dir)
    until(run_dir, lambda record: record["type"] == "resumed" and record.get("pid"), life=2)
    finished = nursery.finish(run_dir, process)
    assert finished["reason"] == "completed" and "time was up" in finished["message"]
    assert of(run_dir, "trial") == []


def test_time_that_is_up_ends_trials_with_their_epoch(nursery: Any) -> None:
    run_dir = search(nursery, LONG.replace("together: 3", "together: 1\n  minutes: 0.005"))
    finished = nursery.finish(run_dir, nursery.start(run_dir))
    trials = of(run_dir, "trial")
    assert finished["reason"] == "completed" and "1 of 6 trials" in finished["message"]
    assert [(trial["state"], trial["message"]) for trial in trials] == [("completed", "the time was up")]
    assert trials[0]["epochs"] >= 1 and finished["best"]["trial"] == 0


def test_a_failed_trial_is_recorded_and_ends_nothing(nursery: Any, text: str) -> None:
    space = "    optimizer.lr: {choice: [0.01, 1e30]}\n    model.layers.0.out_features: {choice: [4, 8]}\n"
    text = text.partition("    optimizer.lr:")[0].replace("trials: 6", "trials: 8\n  sampler: grid") + space
    run_dir = searched(nursery, text.replace("together: 3", "together: 2"))
    trials = of(run_dir, "trial")
    assert len(trials) == 4
    for trial in trials:
        broke = trial["params"]["optimizer.lr"] == 1e30
        assert trial["state"] == ("failed" if broke else "completed")
        assert ("not finite" in trial["message"]) == broke
        child = run_dir.parent / trial["run"]
        assert read(child)[-1]["reason"] == ("non_finite" if broke else "completed")
    assert read(run_dir)[-1]["reason"] == "completed"
    assert read(run_dir)[-1]["details"] == {"trials": 4, "completed": 2, "pruned": 0, "failed": 2}


def test_a_part_that_does_anything_wrong_fails_its_trial_alone(nursery: Any) -> None:
    (nursery.root / "odd.py").write_text(ODD)
    layers = "    - {type: Odd, limit: 0.5}\n    - {type: Linear, out_features: outputs}\n"
    text = RECIPE.replace("    - {type: Linear, out_features: outputs}\n", layers).partition("    optimizer.lr:")[0]
    text += "    model.layers.3.limit: {choice: [0.5, 2]}\n"
    text = text.replace("trials: 6", "trials: 2\n  sampler: grid")
    run_dir = search(nursery, text, parts=[str(nursery.root / "odd.py")])
    nursery.finish(run_dir, nursery.start(run_dir))
    states = {trial["params"]["model.layers.3.limit"]: trial for trial in of(run_dir, "trial")}
    assert states[0.5]["state"] == "completed"
    assert states[2]["state"] == "failed" and "KeyError" in states[2]["message"]


def test_a_search_whose_trials_all_fail_says_why(nursery: Any) -> None:
    run_dir = searched(nursery, RECIPE.replace("log_uniform: [1e-3, 1e-1]", "choice: [1e30, 1e31]"))
    finished = read(run_dir)[-1]
    assert finished["reason"] == "error" and "no trial was completed" in finished["message"]
    assert finished["best"] == {}


def test_values_that_do_not_go_together_fail_without_a_run(nursery: Any) -> None:
    optimizers = "{choice: [{type: Adam, lr: 0.01}, {type: SGD, lr: 0.01}]}"
    space = f"    optimizer: {optimizers}\n    optimizer.momentum: {{choice: [0.9]}}\n"
    text = RECIPE.partition("    optimizer.lr:")[0].replace("trials: 6", "trials: 2\n  sampler: grid") + space
    run_dir = searched(nursery, text)
    states = {trial["params"]["optimizer"]["type"]: trial for trial in of(run_dir, "trial")}
    assert states["SGD"]["state"] == "completed"
    assert states["Adam"]["state"] == "failed" and states["Adam"]["run"] is None
    assert "momentum" in states["Adam"]["message"]


def test_batch_sizes_widths_and_epochs_train_apart(nursery: Any) -> None:
    space = (
        "    data.batch_size: {choice: [16, 32]}\n    train.epochs: {int: [1, 3]}\n"
        "    model.layers.drop1.p: {uniform: [0, 0.5]}\n    data.normalize: {choice: [standard, minmax]}\n"
    )
    run_dir = searched(nursery, RECIPE.partition("    optimizer.lr:")[0].replace("together: 3", "together: 6") + space)
    for trial in of(run_dir, "trial"):
        assert trial["state"] == "completed" and trial["epochs"] == trial["params"]["train.epochs"]
        assert f"batch_size: {trial['params']['data.batch_size']}" in effective_recipe(run_dir.parent / trial["run"])


def test_pruned_trials_leave(nursery: Any, text: str) -> None:
    text = text.replace("together: 3", "together: 1\n  pruner: median").replace("trials: 6", "trials: 16")
    run_dir = searched(nursery, text.replace("epochs: 4", "epochs: 8"))
    pruned = [trial for trial in of(run_dir, "trial") if trial["state"] == "pruned"]
    assert len(of(run_dir, "trial")) == 16 and pruned
    for trial in pruned:
        assert trial["epochs"] < 8 and trial["value"] is not None and "given up" in trial["message"]
    best = read(run_dir)[-1]["best"]["trial"]
    assert best not in {trial["number"] for trial in pruned}


def test_a_second_worker_joins_and_every_trial_is_run_once(nursery: Any, until: Any) -> None:
    text = AUTOGRAD.replace("trials: 6", "trials: 24").replace("together: 3", "together: 1")
    first = search(nursery, text.replace("epochs: 4", "epochs: 30"))
    one = nursery.start(first)
    until(first, lambda r: r["type"] == "trial")
    second = search(nursery, text.replace("epochs: 4", "epochs: 30"), join=str(first))
    two = nursery.start(second)
    nursery.finish(first, one)
    nursery.finish(second, two)
    trials = of(first, "trial")
    assert sorted(trial["number"] for trial in trials) == list(range(24))
    parents = {read(first.parent / trial["run"])[0]["parent"]["run"] for trial in trials}
    assert parents == {first.name, second.name}
    assert outcome(second).items() <= outcome(first).items()
    assert read(first)[-1]["best"]["trial"] == min(trials, key=lambda trial: trial["value"])["number"]


def test_trials_are_not_what_a_person_started(nursery: Any) -> None:
    run_dir = searched(nursery, RECIPE)
    root = run_dir.parent
    assert find(root, "last") == find(root, "wine") == run_dir
    best = read(run_dir)[-1]["best"]["run"]
    assert stands_for(run_dir) == root / best and stands_for(root / best) == root / best
