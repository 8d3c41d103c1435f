"""Commands that come while data is read or an epoch is validated."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.runs.commands import request, send
from engine.runs.journal import effective, read
from engine.runs.process import start_token
from engine.train import session
from engine.train.desk import Change
from engine.train.executors import autograd
from engine.train.life import live
from tests.engine.train import stuck

TEXT = """
seed: 9
data: {source: {type: Builtin, name: digits}, limit: 64, batch_size: 32}
model: {layers: [{type: Linear, out_features: 8}, {type: Dropout, p: 0.4}, {type: Linear, out_features: outputs}]}
optimizer: {type: Adam, lr: 0.01}
train: {epochs: 4, executor: autograd, early_stopping: {patience: 2, min_delta: 0.0}}
"""


@pytest.fixture
def slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation in several slices."""
    monkeypatch.setattr(autograd, "slice_of", lambda shape: 64)


class During:
    """A desk on which a wish lands while the first epoch is validated."""

    def __init__(self, desk: Any, wish: Any) -> None:
        self.desk, self.wish, self.heard = desk, wish, 0
        self.wishes = desk.wishes

    def listen(self, step: int) -> Iterator[Any]:
        yield from self.desk.listen(step)
        if step == 2:
            self.heard += 1
            if self.heard == 3:  # once before the epoch is closed, then slice by slice
                self.wish(self.wishes)

    def rest(self) -> None:
        self.wishes.pause = False

    def over(self, step: int, epoch: int) -> bool:
        return bool(self.desk.over(step, epoch))

    def horizon(self, step: int) -> int | None:
        return None


def with_wish(make_loop: Any, wish: Any) -> Any:
    trained = make_loop(TEXT)
    trained.loop._desk = During(trained.loop._desk, wish)
    trained.records.extend(trained.loop.run())
    return trained


def test_a_stop_leaves_the_validation_to_the_next_life(slices: None, make_loop: Any, train: Any) -> None:
    def stop(wishes: Any) -> None:
        wishes.stop = "stopped"

    stopped = with_wish(make_loop, stop)
    state = stopped.session.executor.state()  # before another loop draws from the same generator
    whole, position = train(TEXT), stopped.loop.position
    assert (position.step, position.index, position.epoch) == (2, 2, 0) and not stopped.of("epoch")
    again = train(TEXT, state=state, position=position)
    assert again.loop.position == whole.loop.position
    assert [e.digest for e in again.of("epoch")] == [e.digest for e in whole.of("epoch")]


def test_a_pause_holds_between_two_slices(slices: None, make_loop: Any, train: Any) -> None:
    def pause(wishes: Any) -> None:
        wishes.pause = True

    held, whole = with_wish(make_loop, pause), train(TEXT)
    order = [r.type for r in held.records if r.type in ("paused", "resumed", "epoch")]
    assert order == ["paused", "resumed", *["epoch"] * 4]
    assert held.loop.position == whole.loop.position


def test_an_edit_has_one_meaning_wherever_at_its_step_it_came(slices: None, make_loop: Any, train: Any) -> None:
    edits = [
        {"op": "set", "path": "optimizer.lr", "value": 0.1},
        {"op": "set", "path": "train.early_stopping", "value": {"patience": 1, "min_delta": 100.0}},
    ]
    late = with_wish(make_loop, lambda wishes: wishes.changes.append(Change(None, edits)))
    early = train(TEXT, changes=[(2, Change(None, edits))])
    assert [r.step for r in late.of("edited")] == [r.step for r in early.of("edited")] == [2]
    assert late.loop.position == early.loop.position and late.loop.position.epoch == 2
    assert late.loop.ending.reason == "early_stopped"


class While:
    """A desk on which a wish lands while a metric is worked out, which takes until the desk has been asked again."""

    def __init__(self, trained: Any, wish: Any) -> None:
        self.desk, self.wish = trained.loop._desk, wish
        self.wishes = self.desk.wishes
        self.measuring, self.heard = threading.Event(), threading.Event()
        measure = trained.loop._measure

        def slow(part: str, outputs: Any) -> Any:
            self.measuring.set()
            assert self.heard.wait(30), "nobody listens"
            return measure(part, outputs)

        trained.loop._measure = slow
        trained.loop._desk = self

    def listen(self, step: int) -> Iterator[Any]:
        yield from self.desk.listen(step)
        if self.heard.is_set() or not self.measuring.is_set():
            return
        self.wish(self.wishes)
        self.heard.set()

    def rest(self) -> None:
        self.wishes.pause = False

    def over(self, step: int, epoch: int) -> bool:
        return bool(self.desk.over(step, epoch))

    def horizon(self, step: int) -> int | None:
        return None


def wish_of(name: str) -> Any:
    edit = Change("edit", [{"op": "set", "path": "optimizer.lr", "value": 0.1}])
    return {
        "stop": lambda wishes: setattr(wishes, "stop", "stopped"),
        "pause": lambda wishes: setattr(wishes, "pause", True),
        "edit": lambda wishes: wishes.changes.append(edit),
    }[name]


@pytest.mark.parametrize("executor", ["autograd", "dense"])
@pytest.mark.parametrize("wish", ["stop", "pause", "edit"])
def test_wishes_are_heard_while_a_metric_is_worked_out(wish: str, executor: str, make_loop: Any) -> None:
    trained = make_loop(TEXT.replace("executor: autograd", f"executor: {executor}"))
    desk = While(trained, wish_of(wish))
    for record in trained.loop.run():
        trained.records.append(record)
        if record.type in ("paused", "edited"):
            assert not trained.of("epoch"), "heard before the epoch was told"
    assert desk.heard.is_set()
    said = [r.type for r in trained.records if r.type in ("paused", "resumed", "edited")]
    assert said == {"stop": [], "pause": ["paused", "resumed"], "edit": ["edited"]}[wish]
    assert len(trained.of("epoch")) == (0 if wish == "stop" else 4)


def test_a_metric_that_fails_in_its_thread_fails_in_the_loop(make_loop: Any) -> None:
    trained = make_loop(TEXT)

    def broken(part: str, outputs: Any) -> Any:
        raise ZeroDivisionError(part)

    trained.loop._measure = broken
    with pytest.raises(ZeroDivisionError, match="validation"):
        list(trained.loop.run())


@pytest.mark.parametrize("executor", ["autograd", "dense"])
@pytest.mark.parametrize("wish", ["stop", "pause", "edit"])
def test_wishes_are_heard_while_the_test_part_is_judged(wish: str, executor: str, make_loop: Any, train: Any) -> None:
    """The run is over: it can be held and stopped, and nothing of it changes."""
    text = TEXT.replace("executor: autograd", f"executor: {executor}")
    text = text.replace("limit: 64", "split: {validation: 0.1, test: 0.2}, limit: 64")
    whole = train(text)  # first: both draw from the same generator
    trained = make_loop(text)
    list(trained.loop.run())
    trained.loop._measure_seconds = 1.0
    While(trained, wish_of(wish))
    series = yield_all(trained.loop.evaluate("test", obey=False), trained.records)
    said = {record.type: record for record in trained.records}
    assert (series is None) == (wish == "stop")
    assert list(said) == {"stop": [], "pause": ["paused", "resumed"], "edit": ["command_refused"]}[wish]
    if wish == "pause":
        assert (said["paused"].epoch, said["paused"].step) == (4, 8) == (said["resumed"].epoch, said["resumed"].step)
    if series is not None:
        assert series == yield_all(whole.loop.evaluate("test", obey=False), [])
    assert trained.loop.recipe.optimizer.lr == 0.01


def yield_all(records: Any, found: list[Any]) -> Any:
    """Gather what a generator yields; what it returns."""
    while True:
        try:
            found.append(next(records))
        except StopIteration as end:
            return end.value


@pytest.fixture
def slow_reading(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Data that is never done reading; signal handlers as they were, afterwards."""

    def never(recipe: Any, base: Path, progress: Any) -> None:
        done = 0
        while True:
            done += 1
            progress("loading", done, None)

    monkeypatch.setattr(session, "prepare", never)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("life", [1, 2])
def test_pause_resume_and_stop_while_data_is_read(life: int, slow_reading: None, nursery: Any) -> None:
    run_dir = nursery.create(TEXT) if life == 1 else nursery.train(TEXT)
    before = [record["epoch"] for record in effective(read(run_dir)) if record["type"] == "epoch"]
    answers: list[Any] = []
    support = __import__("sys").modules[type(nursery).__module__]

    def commands() -> None:
        support.await_record(run_dir, lambda r: r["type"] == "progress", life=life)
        for verb in ("pause", "resume"):
            answers.append([r["type"] for r in request(run_dir, verb)])
        waiting = send(run_dir, "set", edits=[{"op": "set", "path": "optimizer.lr", "value": 0.1}])
        answers.append(waiting)
        send(run_dir, "stop")

    helper = threading.Thread(target=commands)
    helper.start()
    assert live(run_dir) == "stopped"
    helper.join(30)
    assert answers[:2] == [["command_accepted", "paused"], ["command_accepted", "resumed"]]
    records = read(run_dir)
    assert records[-1]["reason"] == "stopped" and records[-1]["best_epoch"] == (before[-1] if before else None)
    refused = next(r for r in records if r["type"] == "command_refused")
    assert refused["id"] == answers[2] and "over" in refused["reason"]
    assert not list((run_dir / "commands").iterdir())
    assert [record["epoch"] for record in effective(records) if record["type"] == "epoch"] == before


def test_a_pause_is_told_while_a_long_call_reads_data(nursery: Any) -> None:
    support = __import__("sys").modules[type(nursery).__module__]
    run_dir = nursery.create(TEXT)
    process = nursery.start(run_dir, stuck.main)
    support.await_record(run_dir, lambda r: r["type"] == "started")
    assert [r["type"] for r in request(run_dir, "pause")] == ["command_accepted", "paused"]
    assert [r["type"] for r in request(run_dir, "pause")] == ["command_refused"]
    assert [r["type"] for r in request(run_dir, "resume")] == ["command_accepted", "resumed"]
    assert [r["type"] for r in request(run_dir, "pause")] == ["command_accepted", "paused"]
    assert [r["type"] for r in request(run_dir, "stop")] == ["command_accepted", "finished"]
    process.join(10)
    assert process.exitcode == 0
    kinds = [record["type"] for record in read(run_dir)]
    assert kinds[0] == "started" and kinds[-1] == "finished" and kinds.count("paused") == 2


def test_no_step_is_taken_while_the_run_is_paused_before_its_first(nursery: Any) -> None:
    support = __import__("sys").modules[type(nursery).__module__]
    run_dir = nursery.create(TEXT)
    nursery.start(run_dir, stuck.reads_when_told)
    support.await_record(run_dir, lambda r: r["type"] == "started")
    request(run_dir, "pause")
    (run_dir / "read").touch()
    support.await_record(run_dir, lambda r: r["type"] == "progress" and r["stage"] == "done reading")
    request(run_dir, "resume")
    support.await_record(run_dir, lambda r: r["type"] == "finished")
    kinds = [record["type"] for record in read(run_dir)]
    assert kinds.count("paused") == kinds.count("resumed") == 1
    assert kinds.index("resumed") < kinds.index("data") < kinds.index("steps")


@pytest.mark.parametrize("how", ["stop", "owner", "SIGTERM"])
def test_who_waits_for_data_can_be_ended(how: str, nursery: Any) -> None:
    support = __import__("sys").modules[type(nursery).__module__]
    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    run_dir = nursery.create(TEXT, owner_pid=owner.pid, owner_token=start_token(owner.pid))
    process = nursery.start(run_dir, stuck.main)
    support.await_record(run_dir, lambda r: r["type"] == "started")
    if how == "stop":
        assert [r["type"] for r in request(run_dir, "stop")] == ["command_accepted", "finished"]
    elif how == "SIGTERM":
        os.kill(process.pid, signal.SIGTERM)
    else:
        owner.kill()
    process.join(10)
    assert process.exitcode == (143 if how == "SIGTERM" else 0)
    assert read(run_dir)[-1]["reason"] == ("preempted" if how == "SIGTERM" else "stopped")
    owner.communicate()
