"""A step that breaks: found whatever chunk it stands in, named, and undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.runs.journal import read
from engine.train.loop import NonFinite, OutOfMemory

TEXT = """
seed: 1
data:
  source: {{type: NPZ, path: {path}}}
  normalize: none
  target_scale: none
  shuffle: {shuffle}
  batch_size: 4
model: {{layers: [{{type: Linear, out_features: 3, name: first}}, {{type: Dropout, p: 0.2}}, {{type: Linear, out_features: outputs}}]}}
loss: MSELoss
optimizer: {{type: SGD, lr: {lr}, momentum: 0.9}}
train: {{epochs: 3{more}}}
"""  # noqa: E501


@pytest.fixture
def text(tmp_path: Path) -> Any:
    """A recipe on forty rows, of which the training row `bad` may hold something enormous."""

    def make(
        bad: int | None = None, value: float = 9e36, lr: float = 0.01, shuffle: str = "false", more: str = ""
    ) -> str:
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(40, 2)).astype(np.float32), rng.normal(size=40).astype(np.float32)
        if bad is not None:
            x[bad] = value
        np.savez(
            tmp_path / "data.npz",
            x_train=x[:24], y_train=y[:24], x_val=x[24:32], y_val=y[24:32], x_test=x[32:], y_test=y[32:],
        )  # fmt: skip
        return TEXT.format(path=tmp_path / "data.npz", lr=lr, shuffle=shuffle, more=more)

    return make


@pytest.mark.parametrize("executor", ["autograd", "dense"])
@pytest.mark.parametrize("chunks", [[1], [6], [2, 3]])
def test_the_loss_the_rows_and_the_layer_are_named(chunks: list[int], executor: str, text: Any, make_loop: Any) -> None:
    trained = make_loop(text(bad=9, more=f", executor: {executor}"), chunks=chunks)
    with pytest.raises(NonFinite) as caught:
        for record in trained.loop.run():
            trained.records.append(record)
    details = caught.value.details
    assert details["what"] == "loss" and details["rows"] == [8, 9, 10, 11]
    assert (details["step"], details["epoch"]) == (3, 1)
    assert trained.loop.position.step == 2 and len(trained.losses) == 2
    assert "rows 8, 9, 10, 11" in str(caught.value)


@pytest.mark.parametrize("executor", ["autograd", "dense"])
@pytest.mark.parametrize("chunks", [[1], [6], [4, 1]])
def test_the_state_is_that_from_before_the_step(
    chunks: list[int], executor: str, text: Any, make_loop: Any, train: Any
) -> None:
    recipe = text(bad=13, shuffle="true", more=f", executor: {executor}")
    broken = make_loop(recipe, chunks=chunks)
    with pytest.raises(NonFinite):
        list(broken.loop.run())
    until = broken.loop.position.step
    kept = broken.session.executor.state()
    generator = torch.get_rng_state()
    before = train(recipe, last=until)
    assert torch.equal(generator, torch.get_rng_state())
    state = before.session.executor.state()
    assert kept.tensors.keys() == state.tensors.keys()
    assert all(kept.tensors[name].tobytes() == state.tensors[name].tobytes() for name in kept.tensors)
    assert before.loop.position == broken.loop.position


@pytest.mark.parametrize("executor", ["autograd", "dense"])
def test_weights_that_overflow_while_the_loss_is_finite(executor: str, text: Any, make_loop: Any) -> None:
    broken = make_loop(text(lr=3e38, more=f", executor: {executor}"))
    with pytest.raises(NonFinite) as caught:
        list(broken.loop.run())
    assert caught.value.details["step"] == 1 and caught.value.details["what"] == "weight"
    assert broken.loop.position.step == 0
    assert all(np.isfinite(value).all() for value in broken.session.executor.state().tensors.values())


def test_a_gradient_that_is_cut_to_a_value_still_counts(text: Any, make_loop: Any) -> None:
    """Clipping by value turns an infinite gradient into a finite one, and hides what happened."""
    broken = make_loop(text(bad=1, value=3e18, more=", clip_grad_value: 0.5, executor: autograd"))
    executor = broken.session.executor
    loss_of = executor._loss
    executor._loss = lambda outputs, targets, mix: loss_of(outputs, targets).clamp(max=1e30) * 1e20  # type: ignore[method-assign]
    with pytest.raises(NonFinite) as caught:
        list(broken.loop.run())
    assert caught.value.details["what"] in ("gradient", "loss")


def test_the_worker_keeps_the_last_finite_state(text: Any, nursery: Any) -> None:
    run_dir = nursery.train(text(bad=22))
    records = read(run_dir)
    finished = records[-1]
    assert finished["reason"] == "non_finite" and finished["details"]["rows"] == [20, 21, 22, 23]
    last = [r for r in records if r["type"] == "checkpoint"][-1]
    assert last["step"] == finished["step"] == 5
    assert sum(r["count"] for r in records if r["type"] == "steps") == 5


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
def test_out_of_memory_leaves_the_state_whole(error: BaseException, text: Any, make_loop: Any, train: Any) -> None:
    recipe = text(more=", executor: autograd")
    broken = make_loop(recipe, chunks=[2])
    executor, calls = broken.session.executor, []
    update = executor._update

    def failing(rate: Any) -> None:
        calls.append(rate)
        if len(calls) >= 6:
            raise error
        update(rate)

    executor._update = failing  # type: ignore[method-assign]
    with pytest.raises(OutOfMemory):
        list(broken.loop.run())
    assert len(calls) == 7, "tried again once, with room made"
    assert broken.loop.position.step == 4
    state, same = executor.state(), train(recipe, last=4).session.executor.state()
    assert all(state.tensors[name].tobytes() == same.tensors[name].tobytes() for name in same.tensors)


@pytest.mark.parametrize("chunks", [[1], [2], [5]])
def test_where_memory_runs_out_the_rows_make_room_and_no_bit_changes(
    chunks: list[int], text: Any, make_loop: Any, train: Any
) -> None:
    recipe = text(shuffle="true", more=", executor: autograd")
    cramped = make_loop(recipe, chunks=chunks)
    executor, calls = cramped.session.executor, []
    update = executor._update

    def failing(rate: Any) -> None:
        calls.append(rate)
        if len(calls) == 6:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        update(rate)

    executor._update = failing  # type: ignore[method-assign]
    assert executor._feed.kind == "resident"
    cramped.records.extend(cramped.loop.run())
    whole = train(recipe)
    assert executor._feed.kind == "mapped"
    assert cramped.losses == whole.losses
    state, same = executor.state(), whole.session.executor.state()
    assert all(state.tensors[name].tobytes() == same.tensors[name].tobytes() for name in same.tensors)
    assert executor.make_room() == ""
