"""Runs at work: commands, signals, lives, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.program import Program, Record, journal, kinds, of

LONG = """\
name: long
data: {source: {type: Builtin, name: iris}, batch_size: 8}
model:
  layers:
    - {type: Linear, out_features: 8}
    - {type: Dropout, p: 0.3, name: drop1}
    - {type: Linear, out_features: outputs}
optimizer: {type: SGD, lr: 1e-3, momentum: 0.5}
train: {epochs: 1000000}
"""


@pytest.fixture
def long(tmp_path: Path) -> Iterator[Program]:
    """The program beside a recipe that trains for hours; no worker outlives the test."""
    goodfit = Program(tmp_path)
    goodfit.write("long.yaml", LONG)
    yield goodfit
    for run in goodfit.json("runs"):
        if run["state"] in ("preparing", "running", "paused"):
            goodfit("stop", "--kill", run["run"])


def until(process: subprocess.Popen[str], *types: str) -> list[Record]:
    """What a process prints up to the first record of one of these types."""
    assert process.stdout is not None
    records: list[Record] = []
    for line in process.stdout:
        records.append(json.loads(line))
        if records[-1]["type"] in types:
            return records
    raise AssertionError(f"{types} never came: {kinds(records)}")


def rest(process: subprocess.Popen[str]) -> tuple[int, list[Record]]:
    """The exit code, and what a process printed until its end."""
    assert process.stdout is not None and process.stderr is not None
    records = [json.loads(line) for line in process.stdout]
    process.stderr.read()
    return process.wait(timeout=60), records


def glimpse(long: Program, first: int) -> None:
    """Wait until the latest run has an epoch among its records from number `first` on."""
    with long.start("watch", "last", "--from", str(first), "--json") as process:
        until(process, "epoch")
        process.kill()


def test_a_run_is_commanded_killed_and_resumed(long: Program) -> None:
    (started,) = long.json("train", "long.yaml", "--detach")
    run = Path(started["path"])
    watching = long.start("watch", "last", "--json")
    assert until(watching, "epoch")[0] == started
    watching.send_signal(signal.SIGINT)
    assert rest(watching)[0] == 0, "^C only detaches"
    watching = long.start("watch", "last", "--from", "3", "--json")
    assert until(watching, "epoch")[0]["seq"] == 3
    watching.send_signal(signal.SIGTERM)
    assert rest(watching)[0] == 143

    accepted, paused = long.json("pause", "long")
    assert (accepted["type"], paused["type"]) == ("command_accepted", "paused")
    (listed,) = long.json("runs")
    assert listed["state"] == "paused" and listed["pid"] == started["pid"]
    assert kinds(long.json("pause", "last", code=2)) == ["command_refused"]
    assert kinds(long.json("checkpoint", "last")) == ["command_accepted", "checkpoint"]
    accepted, edited = long.json("set", "last", "optimizer.lr=2e-3", "model.layers.drop1.p=0.5")
    assert accepted["type"] == "command_accepted" and edited["type"] == "edited"
    assert edited["step"] == paused["step"] and [edit["value"] for edit in edited["edits"]] == [2e-3, 0.5]
    for refused in ("optimizer.lr=fast", "model.layers.0.out_features=9"):
        assert kinds(long.json("set", "last", refused, code=2)) == ["command_refused"]
    assert long.json("test", "last", code=2) == [], "not while a worker lives"
    before = len(journal(run))
    assert kinds(long.json("resume", "last", "--detach")) == ["started"]
    glimpse(long, before + 1)
    records = journal(run)
    answers = [record["id"] for record in records if record["type"] in ("command_accepted", "command_refused")]
    assert len(answers) == len(set(answers)), "a command is answered once"

    os.kill(started["pid"], signal.SIGKILL)
    printed = long.json("watch", "last", code=1)
    assert printed[-1] == {"type": "finished", "reason": "killed", "inferred": True}
    assert journal(run) == printed[:-1], "readers write nothing"
    assert long.json("runs")[0]["state"] == "failed"
    assert kinds(long.json("stop", "last", code=2)) == ["command_refused"]

    long.json("resume", "last", "--set", "optimizer.lr=5e-3", "--detach")
    glimpse(long, len(printed))
    accepted, finished = long.json("stop", "last")
    assert accepted["type"] == "command_accepted" and finished["reason"] == "stopped"
    assert "optimizer: {type: SGD, lr: 5e-3, momentum: 0.5}" in finished["recipe"]
    assert "{type: Dropout, p: 0.5, name: drop1}" in finished["recipe"]
    assert long.json("show", "last") == [{"type": "recipe", "text": finished["recipe"]}]
    records = journal(run)
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    assert [record["time"] for record in records] == sorted(record["time"] for record in records)
    second = [record for record in records if record["life"] == 2]
    assert set(second[0]) >= {"from_step", "pid", "host", "versions", "wall"} and second[0]["type"] == "resumed"
    assert second[-1] == finished and len(of(records, "started")) == 1
    assert long.json("watch", "last") == records, "stopped by a command: exit 0"


@pytest.mark.parametrize(("number", "reason"), [(signal.SIGINT, "stopped"), (signal.SIGTERM, "preempted")])
def test_a_signal_saves_and_stops(long: Program, number: signal.Signals, reason: str) -> None:
    process = long.start("train", "long.yaml", "--json")
    run = Path(until(process, "epoch")[0]["path"])
    process.send_signal(number)
    code, records = rest(process)
    assert code == 128 + number and records[-1]["type"] == "finished" and records[-1]["reason"] == reason
    assert of(journal(run), "checkpoint")[-1]["step"] == records[-1]["step"]
    assert long.json("runs")[0]["state"] == "stopped"


def test_what_is_required_is_judged_at_the_end(long: Program) -> None:
    one = ("long.yaml", "--set", "train.epochs=1")
    for words in (("nothing>=1",), ("test_accuracy>=0",), ("val_loss=1",), ("val_loss<9", "--detach")):
        assert long.json("train", *one, "--require", *words, code=2) == []
    assert long.json("runs") == [], "refused before training"
    records = long.json("train", *one, "--require", "train_loss > 0", "--require", "val_accuracy >= 1.5", code=3)
    assert records[-1]["reason"] == "completed" and records[-1]["type"] == "finished"


def test_equal_runs_have_equal_digests_and_a_fork_goes_on_with_them(long: Program) -> None:
    whole = long.json("train", "long.yaml", "--set", "train.epochs=3")
    short = long.json("train", "long.yaml", "--set", "train.epochs=1")
    forked = long.json("fork", "long", "--epoch", "best", "--set", "train.epochs=3")
    digests = [epoch["digest"] for epoch in of(whole, "epoch")]
    assert [epoch["digest"] for epoch in of(short, "epoch")] == digests[:1]
    assert [epoch["digest"] for epoch in of(forked, "epoch")] == digests[1:]
    name = short[0]["run"]
    assert forked[0]["parent"] == {"run": name, "how": "fork", "step": short[-1]["step"]}
    resumed = long.json("resume", name, "--set", "train.epochs=2", "--test")
    assert resumed[0]["type"] == "resumed" and resumed[0]["from_step"] == short[-1]["step"]
    assert [epoch["digest"] for epoch in of(resumed, "epoch")] == digests[1:2]
    assert of(resumed, "test_evaluated")[0]["looks"] == 1
    assert set(resumed[-1]["test"]) == {"test_loss", "test_accuracy"}
