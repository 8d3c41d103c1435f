"""`train`: records, exit codes, and what happens to the worker when its owner is interrupted or dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from engine.runs.journal import read
from engine.runs.json_schema import check_record
from engine.runs.lock import probe
from engine.runs.summary import launch_options, state_of
from tests.tui.commands.goodfit import MAIN, Goodfit, eventually, kinds, objects
from tui.commands.attach import train_to_the_end
from tui.commands.follow import Outcome
from tui.commands.requirements import judge, read_requirements

LONG = ("--set", "train.epochs=1000000")


def reaches_epoch(goodfit: Goodfit, epochs: int = 1) -> None:
    """Wait until the newest run has finished an epoch."""
    eventually(lambda: (goodfit.folder / "runs").is_dir() and any((goodfit.folder / "runs").iterdir()))
    eventually(lambda: kinds(read(goodfit.run_dir())).count("epoch") >= epochs)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return process.returncode, out, err


def test_the_records_of_a_run(trained: Goodfit) -> None:
    records = objects((trained.folder / "printed.jsonl").read_text())
    found = kinds(records)
    assert found[0] == "started" and found[-1] == "finished" and found.count("epoch") == 3
    assert found.index("data") < found.index("plan") < found.index("epoch")
    assert [problem for record in records for problem in check_record(record)] == []
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    assert records == read(trained.run_dir())
    finished = records[-1]
    assert finished["reason"] == "completed" and set(finished["test"]) == {"test_loss", "test_accuracy"}
    assert state_of(trained.run_dir()) == "completed"
    assert launch_options(trained.run_dir())["recipe_path"] == str(trained.folder / "iris.yaml")


def test_watch_and_replay_give_the_same_records(trained: Goodfit) -> None:
    recorded = read(trained.run_dir())
    assert trained.json("watch", "last") == recorded
    assert trained.json("watch", "iris", "--from", "4") == recorded[3:]
    assert trained.json("replay", "last", "--headless", "--speed", "max") == recorded


def test_plain_lines_where_stdout_is_no_terminal(trained: Goodfit) -> None:
    words = trained("watch", "last").stdout
    assert "\r" not in words and "\x1b" not in words
    assert sum(line.startswith("epoch ") for line in words.splitlines()) == 3
    assert "train_loss" in words and "completed" in words and "test_accuracy" in words
    assert "┤" in words, "the curves"


def test_a_detached_run_goes_on_without_anybody(goodfit: Goodfit) -> None:
    (started,) = goodfit.json("train", "iris.yaml", *LONG, "--detach")
    assert started["type"] == "started" and started["pid"] != os.getpid()
    process = goodfit.start("watch", "last", "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == started
    process.send_signal(signal.SIGINT)
    code, out, _ = finish(process)
    assert code == 0 and "finished" not in kinds(objects(out)), "^C only detaches"
    assert probe(goodfit.run_dir()) == "alive"
    (killed,) = goodfit.json("stop", "last", "--kill")
    assert killed == {"type": "finished", "reason": "killed", "inferred": True}
    assert state_of(goodfit.run_dir()) == "failed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_saves_and_stops(goodfit: Goodfit, number: signal.Signals) -> None:
    process = goodfit.start("train", "iris.yaml", *LONG, "--json")
    reaches_epoch(goodfit)
    process.send_signal(number)
    code, out, _ = finish(process)
    records = objects(out)
    assert code == 128 + number
    assert records[-1]["reason"] == ("stopped" if number == signal.SIGINT else "preempted")
    assert "checkpoint" in kinds(records)
    assert state_of(goodfit.run_dir()) == "stopped"


def test_the_second_signal_kills(goodfit: Goodfit) -> None:
    process = goodfit.start("train", "iris.yaml", *LONG, "--json")
    reaches_epoch(goodfit)
    worker = next(record["pid"] for record in read(goodfit.run_dir()) if record["type"] == "started")
    os.kill(worker, signal.SIGSTOP)  # it cannot answer, so the first ^C has no effect yet
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "once more kills" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    code, out, _ = finish(process)
    assert code == 130
    assert objects(out)[-1] == {"type": "finished", "reason": "killed", "inferred": True}
    assert state_of(goodfit.run_dir()) == "failed"


def test_a_killed_worker_is_exit_1(goodfit: Goodfit) -> None:
    process = goodfit.start("train", "iris.yaml", *LONG, "--json", "--require", "val_loss < 1000")
    reaches_epoch(goodfit)
    os.kill(read(goodfit.run_dir())[0]["pid"], signal.SIGKILL)
    code, out, _ = finish(process)
    assert code == 1 and objects(out)[-1] == {"type": "finished", "reason": "killed", "inferred": True}
    assert "finished" not in kinds(read(goodfit.run_dir())), "readers write nothing"


def test_the_owners_death_stops_the_worker(goodfit: Goodfit) -> None:
    process = goodfit.start("train", "iris.yaml", *LONG)
    reaches_epoch(goodfit)
    process.kill()
    process.communicate()
    run_dir = goodfit.run_dir()
    eventually(lambda: probe(run_dir) == "dead", seconds=10)
    assert read(run_dir)[-1]["reason"] == "stopped"


def test_a_stop_from_elsewhere_is_exit_0(goodfit: Goodfit) -> None:
    process = goodfit.start("train", "iris.yaml", *LONG)
    reaches_epoch(goodfit)
    assert kinds(goodfit.json("stop", "last")) == ["command_accepted", "finished"]
    assert finish(process)[0] == 0


@pytest.mark.usefixtures("forked")
def test_a_life_that_breaks_is_exit_1_whatever_is_required(goodfit: Goodfit) -> None:
    breaks = ("--set", "optimizer={type: SGD, lr: 1e30}", "--require", "val_loss < 0")
    assert goodfit.json("train", "iris.yaml", *breaks, code=1)[-1]["reason"] == "non_finite"
    assert goodfit.json("watch", "last", code=1)[-1]["reason"] == "non_finite"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--require", "val_loss"), "NAME OP NUMBER"),
        (("--require", "val_loss < nan"), "NAME OP NUMBER"),
        (("--require", "val_acuracy > 0.5"), "did you mean val_accuracy?"),
        (("--require", "test_accuracy > 0.5"), "--test"),
        (("--require", "val_loss < 1", "--detach"), "--detach"),
        (("--fail-on", "warning", "--detach"), "--detach"),
        (("--set", "optimizer.lr"), "PATH=VALUE"),
        (("--set", "optimizer.lr=[1"), "optimizer.lr"),
        (("--set", "optimizer.lrr=1"), "lr"),
        (("--set", "data.source={type: CSV, path: gone.csv, target: y}"), "gone.csv"),
    ],
)
def test_bad_input_is_exit_2_before_any_run(goodfit: Goodfit, arguments: tuple[str, ...], words: str) -> None:
    done = goodfit("train", "iris.yaml", *arguments, code=2)
    assert words in done.stderr and done.stdout == ""
    assert not (goodfit.folder / "runs").exists()


def test_a_requirement_that_is_not_met_is_exit_3(trained: Goodfit, capsys: pytest.CaptureFixture[str]) -> None:
    required = read_requirements(["val_loss < 0", "train_loss > 0", "test_loss > 0"])
    assert train_to_the_end(trained.run_dir(), True, requirements=required) == 3
    err = capsys.readouterr().err
    assert "val_loss < 0" in err and "train_loss" not in err and "test_loss" not in err
    assert train_to_the_end(trained.run_dir(), True, requirements=required[1:]) == 0


def test_findings_that_stay_open_fail_a_run() -> None:
    outcome = Outcome()
    for record in (
        {"type": "finding", "rule": "overfitting", "severity": "warning", "epoch": 3, "step": 30},
        {"type": "finding", "rule": "plateau", "severity": "error", "epoch": 4, "step": 40},
        {"type": "finding_cleared", "rule": "plateau", "epoch": 5, "step": 50},
        {"type": "finished", "reason": "completed"},
    ):
        outcome.note(record)
    assert outcome.finished is not None and outcome.code() == 0
    assert judge(outcome.finished, outcome.findings.values(), [], "warning")
    assert not judge(outcome.finished, outcome.findings.values(), [], "error")
    outcome.note({"type": "resumed", "from_step": 20})
    assert outcome.findings == {} and outcome.finished is None


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_closed_streams_harm_no_run(goodfit: Goodfit, closed: str) -> None:
    shell = f"{sys.executable} -P -c '{MAIN}' train iris.yaml --set train.epochs=1 {closed}"
    done = subprocess.run(
        ["sh", "-c", shell], cwd=goodfit.folder, env={**os.environ, **goodfit.env}, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert read(goodfit.run_dir())[-1]["reason"] == "completed"


@pytest.mark.parametrize("device", ["cuda", "cuda:3"])
@pytest.mark.parametrize("in_the_recipe", [False, True])
def test_a_gpu_that_is_surely_not_there_is_refused_before_a_run(
    device: str, in_the_recipe: bool, goodfit: Goodfit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    asked = ("--set", f"train.device={device}") if in_the_recipe else ("--device", device)
    done = goodfit("train", "iris.yaml", *asked, code=2)
    assert "no such GPU here" in done.stderr and "CUDA_VISIBLE_DEVICES hides every GPU" in done.stderr
    assert not (goodfit.folder / "runs").exists()
