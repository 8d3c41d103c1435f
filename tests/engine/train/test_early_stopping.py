"""The best epoch and the end of patience."""

from __future__ import annotations

import math
from typing import Any

import pytest

from engine.recipe.schema import EarlyStopping
from engine.train.early_stopping import judge, reason_to_stop
from engine.train.position import Position


def run(values: list[float], series: str, stopping: EarlyStopping | None) -> tuple[int | None, int | None]:
    """Epoch of the best, and the epoch at which the run stops."""
    position = Position(min_delta=stopping.min_delta if stopping else 0.0)
    for epoch, value in enumerate(values, 1):
        position.epoch = position.step = epoch
        judge(position, {series: value}, series)
        if reason_to_stop(position, series, stopping):
            return position.best.epoch if position.best else None, epoch
    return position.best.epoch if position.best else None, None


@pytest.mark.parametrize(
    ("values", "series", "patience", "delta", "expected"),
    [
        ([3, 2, 1, 1, 1, 1], "val_loss", 3, 0.0, (3, 6)),
        ([3, 2, 2, 1], "val_loss", 2, 0.0, (4, None)),
        ([0.5, 0.7, 0.6, 0.7], "val_accuracy", 2, 0.0, (2, 4)),
        ([5, 4, 4.5], "val_mean_squared_error", 1, 0.0, (2, 3)),
        ([1, 0.95, 0.9, 0.85], "val_loss", 2, 0.2, (3, 3)),
        ([math.nan, 2, math.nan, math.nan], "val_loss", 2, 0.0, (2, 4)),
        ([math.nan, math.nan], "val_loss", 2, 0.0, (None, 2)),
        ([math.inf, 1.0], "val_loss", 5, 0.0, (2, None)),
    ],
)
def test_best_and_stop(values: list[float], series: str, patience: int, delta: float, expected: Any) -> None:
    stopping = EarlyStopping(monitor=series, patience=patience, min_delta=delta)
    assert run(values, series, stopping) == expected


def test_without_early_stopping_nothing_stops() -> None:
    assert run([1, 2, 3, 4, 5], "val_loss", None) == (1, None)


def test_a_run_stops_with_its_reason(train: Any) -> None:
    text = """
data: {source: {type: Builtin, name: wine}, batch_size: 64}
model: {layers: [{type: Linear, out_features: outputs}]}
optimizer: {type: SGD, lr: 1.0e-12}
train: {epochs: 50, early_stopping: {patience: 2, min_delta: 0.5}}
"""
    trained = train(text)
    assert trained.loop.ending.reason == "early_stopped"
    assert "val_loss has not improved for 2 epochs (patience 2)" in trained.loop.ending.message
    assert len(trained.of("epoch")) == 3
