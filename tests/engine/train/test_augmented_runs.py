"""Runs that change their batches: the same bits in whatever chunks, mixed losses, validation left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.train.build.augmentation import build_augmentation

IMAGES = """
seed: 4
data:
  source: {type: Builtin, name: digits}
  reshape: [1, 8, 8]
  limit: 90
  batch_size: 20
  normalize: none
  augment:
    - RandomRotation
    - {type: RandomVerticalFlip, p: 0.2}
    - {type: RandomResizedCrop, scale: [0.5, 1.0]}
    - {type: RandomCrop, padding: 1}
    - {type: ColorJitter, brightness: 0.3, contrast: 0.3}
    - RandomErasing
    - {type: Normalize, mean: [0.2], std: [0.5]}
    - GaussianNoise
    - {type: Mixup, alpha: 0.7}
model:
  layers: [{type: Conv2d, out_channels: 4}, ReLU, Flatten, {type: Linear, out_features: outputs}]
loss: {type: CrossEntropyLoss, weight: balanced}
optimizer: {type: SGD, lr: 0.05}
train: {epochs: 2}
"""
ROWS = """
seed: 5
data: {source: {type: Builtin, name: diabetes}, limit: 70, batch_size: 16, augment: [GaussianNoise, Mixup]}
model: {layers: [{type: Linear, out_features: 6}, Tanh, {type: Linear, out_features: outputs}]}
optimizer: {type: SGD, lr: 0.05}
train: {epochs: 3}
"""


@pytest.mark.parametrize("text", [IMAGES, ROWS], ids=["images", "rows"])
@pytest.mark.parametrize("lengths", [[1], [3, 1, 2]])
def test_how_many_steps_run_in_one_call_changes_no_bit(text: str, lengths: list[int], train: Any) -> None:
    whole, pieces = train(text), train(text, chunks=lengths)
    assert pieces.losses == whole.losses
    assert pieces.loop.position.digest == whole.loop.position.digest


def convolutional() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


def straight() -> nn.Module:
    return nn.Sequential(nn.Linear(10, 6), nn.Tanh(), nn.Linear(6, 1))


@pytest.mark.parametrize(("text", "make"), [(IMAGES, convolutional), (ROWS, straight)], ids=["images", "rows"])
def test_mixed_losses_and_plain_validation(text: str, make: Any, train: Any) -> None:
    """train_loss is of the mixed samples, each loss weighed by its share; val_loss is of the rows as they are."""
    trained = train(text)
    recipe, data = trained.session.recipe, trained.session.prepared
    images = data.scaling is not None
    torch.manual_seed(recipe.seed)
    model = make()
    x, y = (torch.tensor(each) for each in (data.train.x, data.train.y))
    xv, yv = (torch.tensor(each) for each in (data.validation.x, data.validation.y))
    counts = torch.bincount(y, minlength=10) if images else None
    weight = len(y) / (10 * counts.clamp(min=1)) if counts is not None else None
    criterion = nn.CrossEntropyLoss(weight=weight) if images else nn.MSELoss()
    augment = build_augmentation(recipe, "cpu")
    assert augment is not None

    def to_unit(rows: torch.Tensor) -> torch.Tensor:
        return rows.float() * data.scaling.scale if data.scaling is not None else rows

    def back(rows: torch.Tensor) -> torch.Tensor:
        return (rows - data.scaling.mean[0]) / data.scaling.std[0] if data.scaling is not None else rows

    losses, epochs = [], []
    for epoch in range(recipe.train.epochs):
        order = np.random.default_rng([recipe.seed, epoch]).permutation(len(x))
        sums, size = np.zeros(2), recipe.data.batch_size
        for index, start in enumerate(range(0, len(x), size)):
            positions = torch.from_numpy(order[start : start + size])
            inputs, mix = augment(x[positions], positions, epoch, index, to_unit)
            assert mix is not None
            outputs, targets = model(back(inputs)), y[positions]
            share = float(mix.weight)
            loss = share * criterion(outputs, targets) + (1 - share) * criterion(outputs, targets[mix.partner])
            model.zero_grad()
            loss.backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter -= 0.05 * parameter.grad
            losses.append(loss.item())
            held = len(targets) if weight is None else float(weight[targets].sum())
            sums += (loss.item() * held, held)
        with torch.no_grad():
            seen = back((to_unit(xv) - 0.2) / 0.5) if images else xv
            epochs.append((sums[0] / sums[1], criterion(model(seen), yv).item()))
    assert trained.losses == pytest.approx(losses, rel=1e-4)
    assert [(row.train_loss, row.val_loss) for row in trained.of("epoch")] == [
        pytest.approx(each, rel=1e-4) for each in epochs
    ]
    shares = [augment.mix(0, index, 20) for index in range(4)]
    assert len({float(mix.weight) for mix in shares if mix is not None}) == 4
