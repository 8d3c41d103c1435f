"""Several models in one dense stack against each of them alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from engine.train.executors.dense import cover
from engine.train.executors.dense.stack import DenseStack
from engine.train.executors.executor import Rate
from engine.train.feed.opening import open_feed
from tests.engine.train.executors.plain import close, open_plain, unlike
from tests.engine.train.executors.recipes import DROPPED, course, deep, text, without_generators


def stack_of(texts: list[str]) -> tuple[DenseStack, list[Any]]:
    sessions = [open_plain(each, "dense") for each in texts]
    recipes = [session.recipe for session in sessions]
    assert all(cover.same_stack(recipes[0], recipe) for recipe in recipes)
    prepared = sessions[0].prepared
    return DenseStack(recipes, prepared, open_feed(recipes[0], prepared, torch.device("cpu"))), recipes


STACKED = {
    "SGD": "{{type: SGD, lr: {0}, momentum: {1}, weight_decay: {2}, dampening: {2}}}",
    "Adam": "{{type: Adam, lr: {0}, betas: [{1}, 0.99], weight_decay: {2}, eps: 0.0001}}",
    "AdamW": "{{type: AdamW, lr: {0}, betas: [0.8, {1}9], weight_decay: {2}, amsgrad: true}}",
    "RMSprop": "{{type: RMSprop, lr: {0}, alpha: {1}, weight_decay: {2}, momentum: {2}, eps: 0.001}}",
    "Adagrad": "{{type: Adagrad, lr: {0}, lr_decay: {2}}}",
}
TRIALS = [(0.001, 0.9, 0.0, 0.2), (0.004, 0.5, 0.01, 0.0), (0.002, 0.8, 0.1, 0.5), (0.003, 0.9, 0.0, 0.1),
          (0.001, 0.7, 0.02, 0.3)]  # fmt: skip


@pytest.mark.parametrize("loss", ["CrossEntropyLoss", "BCEWithLogitsLoss", "HuberLoss"])
@pytest.mark.parametrize("optimizer", STACKED)
def test_models_of_a_stack_take_the_courses_that_they_take_alone(optimizer: str, loss: str) -> None:
    layers = DROPPED if loss == "CrossEntropyLoss" else DROPPED.removeprefix("{type: Dropout, p: 0.1}, ")
    texts = [
        text(loss, STACKED[optimizer].format(*trial), layers.replace("p: 0.4", f"p: {trial[3]}"))
        .replace("epochs: 50", f"epochs: 50, clip_grad_norm: {0.1 + trial[0] * 100}")
        for trial in TRIALS
    ]  # fmt: skip
    stack, recipes = stack_of(texts)
    rates = [[Rate(recipe.optimizer.lr) for recipe in recipes]] * 5
    losses = np.concatenate([stack.run(epoch, 0, rates).losses for epoch in range(25)])
    pieces = list(stack.evaluate("validation"))
    for model, each in enumerate(texts):
        alone = open_plain(each, "dense")
        assert close(course(alone.executor, alone, range(25)), losses[:, model])
        assert not unlike(stack.state(model), without_generators(alone.executor.state()))
        own = [piece.outputs for piece in alone.executor.evaluate("validation")]
        assert close(np.concatenate(own), np.concatenate([piece[model].outputs for piece in pieces]))


def test_a_model_that_breaks_leaves_the_others_as_they_are() -> None:
    texts = [text("MSELoss", f"{{type: SGD, lr: {lr}}}", DROPPED) for lr in (0.01, 0.02, 0.03)]
    (good, recipes), (bad, _) = stack_of(texts), stack_of(texts)
    rates = [[Rate(recipe.optimizer.lr) for recipe in recipes]] * 5
    broken = [[rate[0], Rate(1e30), rate[2]] for rate in rates]
    for epoch in range(6):
        a, b = good.run(epoch, 0, rates), bad.run(epoch, 0, broken)
        assert good.finite(a.losses).all()
        assert bad.finite(b.losses).tolist() == [True, False, True]
        assert np.array_equal(a.losses[:, [0, 2]], b.losses[:, [0, 2]])
    for model in (0, 2):
        one, other = good.state(model), bad.state(model)
        assert all(one.tensors[name].tobytes() == other.tensors[name].tobytes() for name in one.tensors)


def test_models_leave_a_stack_and_the_others_go_on() -> None:
    texts = [text("MSELoss", f"{{type: Adam, lr: {lr}}}", DROPPED) for lr in (0.001, 0.002, 0.003)]
    stack, recipes = stack_of(texts)
    rates = [[Rate(recipe.optimizer.lr) for recipe in recipes]] * 5
    first = [stack.run(epoch, 0, rates).losses[:, 2] for epoch in range(5)]
    kept = stack.state(2)
    stack.drop([1])
    assert stack.models == 2
    assert all(kept.tensors[name].tobytes() == value.tobytes() for name, value in stack.state(1).tensors.items())
    second = [stack.run(epoch, 0, [rate[::2] for rate in rates]).losses[:, 1] for epoch in range(5, 10)]
    stack.drop([0])
    third = [stack.run(epoch, 0, [rate[2:] for rate in rates]).losses[:, 0] for epoch in range(10, 15)]
    alone = open_plain(texts[2], "dense")
    assert close(course(alone.executor, alone, range(15)), np.concatenate([*first, *second, *third]))


def test_a_gradient_that_is_cut_to_a_value_still_counts() -> None:
    texts = [text("MSELoss", f"{{type: SGD, lr: {lr}}}", deep("Tanh"), train=", clip_grad_value: 1") for lr in (1, 2)]
    for chosen, broken in ((texts, [True, False]), (texts[:1], [False])):
        stack, _ = stack_of(chosen)
        with torch.inference_mode():
            stack.gradients(len(chosen) - 1)["0.bias"][3] = float("inf")
            stack._clipping()
            assert torch.isfinite(stack._update.gradients).all()
        assert stack.finite(np.zeros((1, len(chosen)), np.float32)).tolist() == broken
