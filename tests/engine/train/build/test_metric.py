"""Metrics against plain arithmetic, and where they are not defined."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.parts.metric import Metric, higher_is_better
from engine.parts.part import find, names
from engine.train.build.metric import compute
from engine.train.build.outputs import predicted, probabilities
from tests.engine.train.build.cases import batch, facts, part

METRICS = [cls for name in names("metric") if (cls := find("metric", name)) and issubclass(cls, Metric)]


def test_series_names_are_the_contracts() -> None:
    assert {cls.series() for cls in METRICS} >= {
        "accuracy", "precision", "recall", "f1_score", "auroc", "r2_score", "mean_squared_error",
        "mean_absolute_error", "confusion_matrix",
    }  # fmt: skip


def test_which_way_is_better_is_known_by_series() -> None:
    assert higher_is_better("val_accuracy") and higher_is_better("val_r2_score") and higher_is_better("test_auroc")
    assert not higher_is_better("val_loss") and not higher_is_better("val_mean_squared_error")


@pytest.mark.parametrize("cls", METRICS, ids=lambda cls: cls.type_name())
def test_every_metric_has_a_value_for_each_of_its_tasks(cls: type[Metric]) -> None:
    assert cls.tasks
    for task in cls.tasks:
        outputs, targets = batch(task, 60)
        value = compute(cls(), outputs, targets, facts(task))
        if cls.higher_is_better is None:
            assert isinstance(value, list) and sum(map(sum, value)) == 60
        else:
            assert isinstance(value, float) and math.isfinite(value)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 40))
def test_classification_equals_plain_arithmetic(seed: int, rows: int) -> None:
    outputs, targets = batch("classification", rows, seed=seed)
    guess, true = outputs.argmax(1).numpy(), targets.numpy()
    table = np.array([[int(((true == t) & (guess == g)).sum()) for g in range(3)] for t in range(3)])
    found = facts("classification")
    assert compute(part("metric", "ConfusionMatrix"), outputs, targets, found) == table.tolist()
    assert compute(part("metric", "Accuracy"), outputs, targets, found) == pytest.approx(np.trace(table) / rows)
    right, predicted_, actual = np.diag(table), table.sum(0), table.sum(1)
    seen = (predicted_ + actual) > 0
    for name, below in (("Precision", predicted_), ("Recall", actual), ("F1Score", (predicted_ + actual) / 2)):
        each = np.divide(right, below, out=np.zeros(3), where=below > 0)
        assert compute(part("metric", name), outputs, targets, found) == pytest.approx(each[seen].mean(), rel=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_binary_is_of_the_second_class(seed: int) -> None:
    outputs, targets = batch("binary", 30, seed=seed)
    score, true = outputs.numpy().ravel(), targets.numpy().ravel() == 1
    guess = score > 0
    found = facts("binary")
    tp = int((guess & true).sum())
    assert compute(part("metric", "Precision"), outputs, targets, found) == pytest.approx(tp / max(guess.sum(), 1))
    assert compute(part("metric", "Recall"), outputs, targets, found) == pytest.approx(tp / max(true.sum(), 1))
    pairs = score[true][:, None] > score[~true][None, :]
    expected = pairs.mean() if pairs.size else math.nan
    assert compute(part("metric", "AUROC"), outputs, targets, found) == pytest.approx(expected, nan_ok=True, rel=1e-5)


def test_accuracy_is_the_plain_fraction() -> None:
    outputs = torch.tensor([[9.0, 0.0, 0.0]] * 10)
    targets = torch.tensor([0] * 9 + [1])
    assert compute(part("metric", "Accuracy"), outputs, targets, facts("classification")) == 0.9


@pytest.mark.parametrize("task", ["classification", "binary", "multilabel"])
def test_auroc_of_a_single_class_is_not_a_number(task: str) -> None:
    outputs, targets = batch(task)
    assert math.isnan(compute(part("metric", "AUROC"), outputs, torch.zeros_like(targets), facts(task)))  # type: ignore[arg-type]


def test_auroc_leaves_out_what_is_not_there() -> None:
    outputs, targets = torch.tensor([[3.0, 1, 0], [1, 3, 0], [2, 1, 0]]), torch.tensor([0, 1, 0])
    assert compute(part("metric", "AUROC"), outputs, targets, facts("classification")) == 1.0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), width=st.integers(1, 3), rows=st.integers(2, 20))
def test_regression_equals_plain_arithmetic(seed: int, width: int, rows: int) -> None:
    outputs, targets = batch("regression", rows, width, seed)
    x, y = outputs.double().numpy(), targets.double().numpy()
    found = facts("regression", width)
    assert compute(part("metric", "MeanSquaredError"), outputs, targets, found) == pytest.approx(((x - y) ** 2).mean())
    assert compute(part("metric", "MeanAbsoluteError"), outputs, targets, found) == pytest.approx(abs(x - y).mean())
    assume(((y - y.mean(0)) ** 2).sum(0).min() > 1e-2)  # torchmetrics calls less than that no spread at all
    r2 = 1 - ((x - y) ** 2).sum(0) / ((y - y.mean(0)) ** 2).sum(0)
    assert compute(part("metric", "R2Score"), outputs, targets, found) == pytest.approx(r2.mean(), rel=1e-5)


def test_a_part_too_small_to_judge_is_not_a_number() -> None:
    outputs, targets = batch("regression", 1)
    assert math.isnan(compute(part("metric", "R2Score"), outputs, targets, facts("regression")))  # type: ignore[arg-type]
    outputs, targets = batch("classification", 1)
    for name in ("Accuracy", "F1Score"):
        assert math.isnan(compute(part("metric", name), outputs[:0], targets[:0], facts("classification")))  # type: ignore[arg-type]


@pytest.mark.parametrize("task", ["classification", "binary", "multilabel", "regression"])
def test_outputs_become_probabilities_and_decisions(task: str) -> None:
    outputs, _ = batch(task)
    p, guess = probabilities(outputs, task), predicted(outputs, task)
    assert p.shape == outputs.shape
    if task == "regression":
        assert torch.equal(p, outputs) and torch.equal(guess, outputs)
    elif task == "classification":
        assert torch.allclose(p.sum(1), torch.ones(12)) and torch.equal(guess, p.argmax(1))
    else:
        assert guess.shape == ((12,) if task == "binary" else outputs.shape)
        assert torch.equal(guess.reshape(-1), (outputs.reshape(-1) > 0).long())


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 300),
    task=st.sampled_from(["classification", "binary", "multilabel"]),
)
def test_accuracy_is_torchmetrics_own_to_the_last_bit(seed: int, rows: int, task: str) -> None:
    from torchmetrics.functional import classification

    outputs, targets = batch(task, rows, seed=seed)
    chances = probabilities(outputs, task)
    wanted = {
        "classification": lambda: classification.multiclass_accuracy(
            chances, targets, num_classes=chances.shape[1], average="micro"
        ),
        "binary": lambda: classification.binary_accuracy(chances.reshape(-1), targets.reshape(-1).long()),
        "multilabel": lambda: classification.multilabel_accuracy(
            chances, targets.long(), num_labels=chances.shape[1], average="micro"
        ),
    }[task]()
    assert np.float32(compute(part("metric", "Accuracy"), outputs, targets, facts(task))) == np.float32(wanted)
