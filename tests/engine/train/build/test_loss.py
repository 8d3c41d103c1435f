"""Losses: equal to PyTorch's, and exact over any set however it is cut into batches."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.parts.loss import Loss
from engine.parts.part import find, names
from engine.train.build.loss import build_loss
from tests.engine.parts import drawn
from tests.engine.train.build.cases import batch, facts, part, recipe


def tasks(name: str) -> tuple[str, ...]:
    cls = find("loss", name)
    assert cls is not None and issubclass(cls, Loss)
    return cls.tasks


CASES = [(name, task) for name in names("loss") for task in tasks(name)]


@pytest.mark.parametrize(("name", "task"), CASES)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), cut=st.integers(1, 39))
def test_batches_add_up_to_the_loss_of_the_set(name: str, task: str, data: st.DataObject, cut: int) -> None:
    loss = data.draw(drawn.part_of("loss", name))
    if isinstance(getattr(loss, "pos_weight", None), list):
        loss = part("loss", name, pos_weight=[2.0] * (1 if task == "binary" else 3))
    criterion = build_loss(recipe(loss=loss), facts(task))
    outputs, targets = batch(task, 40)
    outputs, whole = outputs.double(), None
    criterion = criterion.double()
    targets = targets.double() if targets.is_floating_point() else targets
    whole, _ = criterion.loss(outputs, targets)
    numerator = denominator = 0.0
    for piece in (slice(0, cut), slice(cut, 40)):
        value, weight = criterion.loss(outputs[piece], targets[piece])
        numerator += float(value) * weight
        denominator += weight
    assert numerator / denominator == pytest.approx(float(whole), rel=1e-9)


def test_balanced_classes_weigh_the_same_in_all() -> None:
    criterion = build_loss(recipe(loss=part("loss", "CrossEntropyLoss", weight="balanced")), facts("classification"))
    assert criterion.weight is not None
    assert [count * weight for count, weight in zip([20, 10, 5], criterion.weight.tolist(), strict=True)] == (
        pytest.approx([35 / 3] * 3)
    )


def test_balanced_yeses_weigh_as_much_as_noes() -> None:
    criterion = build_loss(recipe(loss=part("loss", "BCEWithLogitsLoss", pos_weight="balanced")), facts("binary"))
    assert criterion.module.pos_weight.tolist() == [2.5]  # type: ignore[union-attr, operator]
    criterion = build_loss(recipe(loss=part("loss", "BCEWithLogitsLoss", pos_weight="balanced")), facts("multilabel"))
    assert criterion.module.pos_weight.tolist() == pytest.approx([15 / 20, 25 / 10, 30 / 5])  # type: ignore[union-attr, operator]


def test_label_smoothing_equals_its_formula() -> None:
    criterion = build_loss(recipe(loss=part("loss", "CrossEntropyLoss", label_smoothing=0.1)), facts("classification"))
    outputs, targets = batch("classification")
    log = torch.log_softmax(outputs, dim=1)
    expected = -(0.9 * log[torch.arange(12), targets] + 0.1 * log.mean(dim=1)).mean()
    assert float(criterion(outputs, targets)) == pytest.approx(float(expected), rel=1e-6)


def test_guessing_evenly_scores_the_logarithm_of_the_classes() -> None:
    criterion = build_loss(recipe(loss=part("loss", "CrossEntropyLoss")), facts("classification"))
    assert float(criterion(torch.zeros(5, 3), torch.tensor([0, 1, 2, 0, 1]))) == pytest.approx(math.log(3))


def test_a_recipe_that_is_not_resolved_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="resolve"):
        build_loss(recipe(), facts("classification"))


@pytest.mark.parametrize("name", names("optimizer"))
@pytest.mark.parametrize(("loss", "task"), CASES)
def test_every_optimizer_trains_three_steps_on_every_loss(name: str, loss: str, task: str) -> None:
    from engine.train.build.model import build_model
    from engine.train.build.optimizer import build_optimizer

    whole = recipe(loss=part("loss", loss), optimizer=part("optimizer", name, lr=1e-2))
    torch.manual_seed(0)
    model = build_model(whole, facts(task))
    criterion = build_loss(whole, facts(task))
    optimizer = build_optimizer(whole, model, "cpu")
    _, targets = batch(task)
    x = torch.randn(12, 4)
    values = []
    for _ in range(3):
        value = criterion(model(x), targets)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(float(value.detach()))
    assert values[2] < values[0]
