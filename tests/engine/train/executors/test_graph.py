"""The graph executor's step on the CPU: the function that a GPU would capture, against the plain executor and loop.

There is no GPU here, so a recorder stands in for CUDA's: recording does nothing, replaying does the steps. It holds the
executor to the rules of a capture: what it recorded, it calls only while every address is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import UserError
from engine.recipe.resolve import resolve
from engine.train import session as sessions
from engine.train.desk import Change
from engine.train.executors import choice as executors
from engine.train.executors.executor import Rate, State
from engine.train.executors.graph.check import self_check
from engine.train.executors.graph.cover import refuses, uncovered
from engine.train.executors.graph.executor import GraphExecutor
from engine.train.session import open_session
from tests.engine.train.test_plain_loop import BINARY, CASES, CNN, MLP, WEIGHTED, plain

CPU = torch.device("cpu")
MANY = """
seed: 3
data: {source: {type: Builtin, name: digits}, limit: 700, batch_size: 8}
model:
  layers:
    - {type: Linear, out_features: 16}
    - ReLU
    - {type: Dropout, p: 0.3, name: drop1}
    - {type: Linear, out_features: outputs}
optimizer: {type: SGD, lr: 0.05, momentum: 0.9, weight_decay: 0.001}
scheduler: {type: OneCycleLR}
train: {epochs: 3}
"""
"""Eighty-eight steps an epoch: every length of replay."""


class StandIn:
    """Records in the way of CUDA, on the CPU."""

    def __init__(self) -> None:
        self.recorded = 0
        self.forgotten = 0
        self.warmed = 0
        self.replayed: list[Callable[[], None]] = []

    def warm(self, step: Callable[[], None]) -> None:
        self.warmed += 1
        step()

    def record(self, steps: Callable[[], None]) -> Callable[[], None]:
        self.recorded += 1
        born = self.forgotten

        def replay() -> None:
            assert self.forgotten == born, "replayed after what it holds on to has gone"
            self.replayed.append(steps)
            steps()

        return replay

    def forget(self) -> None:
        self.forgotten += 1


@pytest.fixture(params=["uncaptured", "captured"])
def graphs(request: Any, monkeypatch: Any) -> list[GraphExecutor]:
    """Sessions get graph executors from here on; all that were built."""
    built: list[GraphExecutor] = []

    def build(name: str, recipe: Any, prepared: Any, feed: Any, **choice: Any) -> GraphExecutor:
        recorder = StandIn() if request.param == "captured" else None
        built.append(GraphExecutor(recipe, prepared, feed, recorder=recorder, **choice))
        return built[-1]

    monkeypatch.setattr(executors, "build", build)
    monkeypatch.setattr(executors, "self_check", lambda *given: None)
    return built


def same(one: State, other: State) -> None:
    """Every number and every draw."""
    assert one.tensors.keys() == other.tensors.keys()
    assert all(one.tensors[name].tobytes() == other.tensors[name].tobytes() for name in one.tensors)


def near(one: State, other: State, tolerance: float = 2e-4) -> None:
    """Weights, optimizer's and generators', under the same names."""
    assert one.tensors.keys() == other.tensors.keys()
    assert one.data == other.data
    for name, value in one.tensors.items():
        if name.startswith("generator/"):
            assert np.array_equal(value, other.tensors[name])
        else:
            np.testing.assert_allclose(value, other.tensors[name], rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize(("text", "make"), CASES[:4], ids=["mlp", "cnn", "weighted", "binary"])
def test_the_step_follows_a_plain_loop(text: str, make: Any, train: Any, graphs: Any) -> None:
    trained = train(text)
    losses, val_losses, train_losses, weights = plain(trained.session.recipe, trained.session.prepared, make)
    np.testing.assert_allclose(trained.losses, losses, rtol=2e-5)
    epochs = trained.of("epoch")
    np.testing.assert_allclose([epoch.val_loss for epoch in epochs], val_losses, rtol=2e-5)
    np.testing.assert_allclose([epoch.train_loss for epoch in epochs], train_losses, rtol=2e-5)
    for name, value in trained.session.executor.model.state_dict().items():
        np.testing.assert_allclose(value.numpy(), weights[name].numpy(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("extra", ["", ", clip_grad_norm: 0.5", ", clip_grad_value: 0.05"])
def test_hundreds_of_steps_follow_the_plain_executor(extra: str, train: Any, graphs: Any) -> None:
    text = MANY.replace("epochs: 3", "epochs: 3" + extra)
    trained = train(text)
    other = losses_of_plain(trained)
    assert len(trained.losses) == len(other) == 264
    np.testing.assert_allclose(trained.losses, other, rtol=1e-3)


def losses_of_plain(trained: Any) -> list[float]:
    """Losses of the plain executor on the same recipe, by the rates of the loop."""
    from engine.parts.scheduler import Clock, learning_rate

    session = trained.session
    executor = plain_executor(session)
    losses: list[float] = []
    for epoch in range(session.recipe.train.epochs):
        rates = [
            Rate(
                learning_rate(
                    session.recipe.scheduler,
                    Clock(
                        step=epoch * session.steps_per_epoch + step,
                        epoch=epoch,
                        steps_per_epoch=session.steps_per_epoch,
                        epochs=session.recipe.train.epochs,
                        lr=session.recipe.optimizer.lr,
                    ),
                )
            )
            for step in range(session.steps_per_epoch)
        ]
        losses += executor.run(epoch, 0, rates).losses.tolist()
    return losses


def plain_executor(session: Any) -> Any:
    from engine.train.executors.autograd import AutogradExecutor

    feed = session.executor._feed
    kernel = session.choice.optimizer_kernel
    return AutogradExecutor(session.recipe, session.prepared, feed, device=CPU, kernel=kernel)


@pytest.mark.parametrize("augment", ["[]", "[RandomRotation]"])
def test_a_batch_may_be_larger_than_the_data(augment: str, train: Any, graphs: Any) -> None:
    text = f"""
data:
  source: {{type: Builtin, name: digits}}
  reshape: [1, 8, 8]
  limit: 50
  batch_size: 4000000000
  augment: {augment}
model: {{layers: [Flatten, {{type: Linear, out_features: outputs}}]}}
optimizer: SGD
train: {{epochs: 3}}
"""
    trained = train(text)
    assert trained.session.executor.buffers.size(0) == 50
    np.testing.assert_allclose(trained.losses, losses_of_plain(trained), rtol=1e-5)


@pytest.mark.parametrize("text", [MANY, CNN, WEIGHTED], ids=["mlp", "cnn", "weighted"])
@pytest.mark.parametrize("lengths", [[1], [2, 3], [40, 1, 9]])
def test_how_many_steps_run_in_one_call_changes_no_bit(text: str, lengths: Any, train: Any, graphs: Any) -> None:
    whole, pieces = train(text), train(text, chunks=lengths)
    assert pieces.losses == whole.losses
    same(whole.session.executor.state(), pieces.session.executor.state())


def test_what_is_captured_changes_no_bit_of_what_is_not(train: Any, monkeypatch: Any) -> None:
    states = []
    for recorder in (None, StandIn()):
        held = recorder
        monkeypatch.setattr(
            executors, "build", lambda name, r, p, f, held=held, **c: GraphExecutor(r, p, f, recorder=held, **c)
        )
        monkeypatch.setattr(executors, "self_check", lambda *given: None)
        states.append(train(MANY).session.executor.state())
    same(*states)


def test_replays_are_long_and_recorded_once(graphs: Any, tmp_path: Path, request: Any) -> None:
    if "uncaptured" in request.node.name:
        pytest.skip("nothing is recorded")
    executor: Any = open_session(MANY, tmp_path).executor
    for epoch in range(3):
        executor.run(epoch, 0, [Rate(0.01)])
        executor.run(epoch, 1, [Rate(0.01)] * 87)
    recorder = executor.captures._recorder
    # the first step uncaptured, then 32, 8 and 1 whole batches and the short one, whatever the epoch
    assert recorder.recorded == 4
    assert recorder.forgotten == 0
    assert recorder.warmed == 6
    assert len(recorder.replayed) == 3 * (1 + 2 + 2 + 6 + 1) - 1


EDITS = [
    ("optimizer.lr", 0.01, False),
    ("train.epochs", 4, False),
    ("optimizer.weight_decay", 0.1, True),
    ("optimizer.momentum", 0.5, True),
    ("model.layers.drop1.p", 0.6, True),
    ("train.clip_grad_norm", 0.1, True),
]


@pytest.mark.parametrize(("path", "value", "again"), EDITS)
def test_live_edits_take_effect_and_record_anew_where_they_must(
    path: str, value: Any, again: bool, train: Any, graphs: Any, request: Any
) -> None:
    text = MANY.replace("epochs: 3", "epochs: 3, clip_grad_norm: 5.0").replace("OneCycleLR", "StepLR, step_size: 2")
    edit = {"op": "set", "path": path, "value": value}
    trained = train(text, changes=[(100, Change(None, [edit]))], chunks=[50])
    assert [record.step for record in trained.of("edited")] == [100]
    if "uncaptured" not in request.node.name:
        assert (graphs[0].captures._recorder.forgotten > 0) is again
    # the same edits at the same step on the plain executor
    whole = train(text)
    assert trained.losses[:100] == whole.losses[:100]
    if path != "train.epochs":
        assert trained.losses[101:] != whole.losses[101 : len(trained.losses)]


@pytest.mark.parametrize("text", [MANY, CNN, BINARY, MLP], ids=["sgd", "cnn", "rmsprop", "adam"])
def test_a_state_goes_on_in_either_executor(text: str, train: Any, graphs: Any) -> None:
    first = train(text, last=5)
    state, position = first.session.executor.state(), first.loop.position
    plain_one = plain_executor(first.session)
    plain_one.load(state)
    near(plain_one.state(), state, 0)
    rates = [Rate(0.01)] * (first.session.steps_per_epoch - position.index % first.session.steps_per_epoch)
    graph = first.session.executor
    graph.load(state)
    here = graph.run(1, 0, rates[:2] or [Rate(0.01)])
    plain_one.load(state)
    there = plain_one.run(1, 0, rates[:2] or [Rate(0.01)])
    np.testing.assert_allclose(here.losses, there.losses, rtol=1e-5)
    np.testing.assert_array_equal(here.denominators, there.denominators)
    near(graph.state(), plain_one.state())
    graph.load(plain_one.state())
    near(graph.state(), plain_one.state(), 0)


def test_a_resumed_run_has_the_same_bits(train: Any, graphs: Any) -> None:
    whole = train(MANY)
    before = train(MANY, last=130)
    after = train(MANY, state=before.session.executor.state(), position=before.loop.position)
    assert before.losses + after.losses == whole.losses
    same(whole.session.executor.state(), after.session.executor.state())


def test_a_rewind_forgets_what_was_recorded_of_a_newer_state(graphs: Any, tmp_path: Path) -> None:
    session = open_session(MANY, tmp_path)
    executor = session.executor
    executor.mark()
    first = executor.run(0, 0, [Rate(0.1)] * 40).losses
    executor.rewind()
    again = executor.run(0, 0, [Rate(0.1)] * 40).losses
    assert np.array_equal(first, again)


def test_a_capture_that_fails_leaves_the_state_and_goes_on_uncaptured(
    graphs: Any, tmp_path: Path, request: Any
) -> None:
    if "uncaptured" in request.node.name:
        pytest.skip("nothing is recorded")
    session = open_session(MANY, tmp_path)
    expected = session.executor.run(0, 0, [Rate(0.1)] * 40).losses
    broken = open_session(MANY, tmp_path).executor

    def refuse(steps: Any) -> Any:
        steps()  # a capture that half worked
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    broken.captures._recorder.record = refuse
    assert np.array_equal(broken.run(0, 0, [Rate(0.1)] * 40).losses, expected)
    assert broken.captures is None
    assert broken.trouble == "operation not permitted when stream is capturing"
    same(broken.state(), session.executor.state())


def test_memory_that_runs_out_in_a_capture_leaves_the_state_whole(graphs: Any, tmp_path: Path, request: Any) -> None:
    if "uncaptured" in request.node.name:
        pytest.skip("nothing is recorded")
    executor = open_session(MANY, tmp_path).executor
    executor.run(0, 0, [Rate(0.1)])
    before = executor.state()

    def refuse(steps: Any) -> Any:
        steps()
        raise torch.OutOfMemoryError("CUDA out of memory.")

    executor.captures._recorder.record = refuse
    with pytest.raises(torch.OutOfMemoryError):
        executor.run(0, 1, [Rate(0.1)] * 3)
    same(executor.state(), before)


def test_where_memory_runs_out_the_rows_leave_the_device(graphs: Any, tmp_path: Path) -> None:
    whole = open_session(MANY, tmp_path).executor
    expected, wanted = whole.run(0, 0, [Rate(0.1)] * 60).losses, whole.state()
    executor = open_session(MANY, tmp_path).executor
    first = executor.run(0, 0, [Rate(0.1)] * 45).losses
    assert "not captured" in executor.make_room()
    assert executor._feed.kind == "mapped" and executor.captures is None
    rest = executor.run(0, 45, [Rate(0.1)] * 15).losses
    np.testing.assert_allclose(np.concatenate([first, rest]), expected, rtol=1e-5)
    near(executor.state(), wanted)
    assert executor.make_room() == ""


def test_bad_numbers_are_found_whatever_the_chunk(graphs: Any, tmp_path: Path) -> None:
    text = MANY.replace("epochs: 3", "epochs: 3, clip_grad_value: 0.5")
    executor = open_session(text, tmp_path).executor
    fine = executor.run(0, 0, [Rate(0.01)] * 9)
    assert executor.finite(fine.losses)
    executor.mark()
    with torch.no_grad():
        next(executor.model.parameters()).fill_(float("inf"))
    broken = executor.run(0, 9, [Rate(0.01)] * 9)
    assert not executor.finite(broken.losses)
    assert executor.blame(0, 9, Rate(0.01))["what"] == "loss"
    executor.rewind()
    assert executor.finite(executor.run(0, 9, [Rate(0.01)] * 9).losses)


# What it refuses


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("batch_size: 8", "batch_size: 8, num_workers: 2"), "num_workers"),
        (("{type: SGD, lr: 0.05, momentum: 0.9, weight_decay: 0.001}", "Adagrad"), "Adagrad"),
        (("{type: OneCycleLR}", "{type: OneCycleLR, cycle_momentum: true}"), "momentum"),
    ],
)
def test_what_cannot_be_captured_is_refused_in_words(change: tuple[str, str], words: str, tmp_path: Path) -> None:
    session = open_session(MANY.replace(*change), tmp_path)
    try:
        assert words in str(uncovered(session.recipe))
    finally:
        session.executor.close()


def test_a_cpu_is_refused_and_passed_over_without_a_word(tmp_path: Path) -> None:
    session = open_session(MANY, tmp_path)
    assert "CUDA" in str(refuses(session.recipe, session.prepared.facts, CPU, "fp32"))
    assert uncovered(session.recipe) is None
    assert "graph" not in session.choice.reason
    with pytest.raises(UserError, match="is graph, which does not cover this recipe"):
        open_session(MANY.replace("epochs: 3", "epochs: 3, executor: graph"), tmp_path)


# The trial before a run


def trial(tmp_path: Path, spoil: Callable[[GraphExecutor], None] = lambda executor: None) -> str | None:
    session = open_session(MANY, tmp_path)
    recipe = resolve(session.recipe, session.prepared.facts)
    executor = GraphExecutor(recipe, session.prepared, session.executor._feed, device=CPU, recorder=StandIn())
    before = executor.state()
    spoil(executor)
    why = self_check(executor, lambda: plain_executor(session), recipe, session.steps_per_epoch)
    if why is None:
        same(executor.state(), before)
    return why


def test_a_trial_passes_where_steps_agree(tmp_path: Path) -> None:
    assert trial(tmp_path) is None


def test_a_trial_finds_a_rate_that_does_not_move(tmp_path: Path) -> None:
    def spoil(executor: GraphExecutor) -> None:
        first = executor.buffers.rate(0)
        executor.buffers.rate = lambda slot: first  # type: ignore[method-assign]

    assert "in place of" in str(trial(tmp_path, spoil))


def test_a_trial_finds_a_capture_that_fails(tmp_path: Path) -> None:
    def spoil(executor: GraphExecutor) -> None:
        def refuse(steps: Any) -> Any:
            raise RuntimeError("no capture here")

        executor.captures._recorder.record = refuse  # type: ignore[union-attr, method-assign]

    assert trial(tmp_path, spoil) == "the capture failed: no capture here"


def test_a_trial_finds_draws_that_are_not_those_of_the_plain_executor(tmp_path: Path) -> None:
    def spoil(executor: GraphExecutor) -> None:
        step = executor._one

        def one(slot: int, size: int) -> None:
            torch.rand(3)
            step(slot, size)

        executor._one = one  # type: ignore[method-assign]

    assert trial(tmp_path, spoil) is not None


def test_an_executor_that_fails_its_trial_makes_way_for_autograd(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(executors, "self_check", lambda *given: "step 3 of the trial gave 2 in place of 1")
    session = open_session(MANY, tmp_path)
    assert session.choice.executor == "autograd"
    assert "step 3 of the trial" in session.choice.reason and "thread" in session.choice.reason
    with pytest.raises(UserError, match="does not work here"):
        open_session(MANY.replace("epochs: 3", "epochs: 3, executor: autograd"), tmp_path)


def test_a_plan_that_is_settled_is_not_tried_again(tmp_path: Path, monkeypatch: Any) -> None:
    choice = open_session(MANY, tmp_path).choice
    monkeypatch.setattr(executors, "self_check", lambda *given: pytest.fail("tried again"))
    assert sessions.open_session(MANY, tmp_path, choice=choice).choice == choice
