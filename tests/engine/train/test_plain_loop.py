"""The loop against a plain PyTorch loop, written out by hand: every loss, every weight, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from engine.parts.scheduler import Clock, learning_rate, monitored_series
from engine.train.build.augmentation import build_augmentation

MLP = """
seed: 3
data: {source: {type: Builtin, name: digits}, limit: 100, batch_size: 32}
model:
  layers: [{type: Linear, out_features: 24}, ReLU, {type: Dropout, p: 0.3}, {type: Linear, out_features: outputs}]
optimizer: {type: Adam, lr: 0.01, weight_decay: 0.001}
scheduler: {type: CosineAnnealingLR, warmup: {epochs: 1.5}}
train: {epochs: 4}
"""
CNN = """
seed: 4
data:
  source: {type: Builtin, name: digits}
  reshape: [1, 8, 8]
  limit: 90
  batch_size: 40
  augment: [{type: RandomRotation, degrees: 20}, {type: GaussianNoise, std: 0.05}]
model:
  layers:
    - {type: Conv2d, out_channels: 6, kernel_size: 3, padding: 1}
    - BatchNorm2d
    - ReLU
    - {type: MaxPool2d, kernel_size: 2}
    - Flatten
    - {type: Linear, out_features: outputs}
optimizer: {type: SGD, lr: 0.05, momentum: 0.9, nesterov: true}
scheduler: {type: OneCycleLR}
train: {epochs: 3, clip_grad_norm: 0.5}
"""
WEIGHTED = """
seed: 5
data: {source: {type: Builtin, name: wine}, batch_size: 17}
model: {layers: [{type: Linear, out_features: 8}, Tanh, {type: Linear, out_features: outputs}]}
loss: {type: CrossEntropyLoss, weight: balanced, label_smoothing: 0.1}
optimizer: {type: AdamW, lr: 0.02}
scheduler: {type: StepLR, step_size: 2, gamma: 0.5}
train: {epochs: 4}
"""
BINARY = """
seed: 6
data: {source: {type: Builtin, name: breast_cancer}, limit: 64, batch_size: 20, drop_last: true}
model: {layers: [{type: Linear, out_features: 6}, {type: BatchNorm1d}, GELU, {type: Linear, out_features: outputs}]}
loss: {type: BCEWithLogitsLoss, pos_weight: balanced}
optimizer: {type: RMSprop, lr: 0.005, momentum: 0.5}
train: {epochs: 3}
"""
REGRESSION = """
seed: 7
data: {source: {type: Builtin, name: diabetes}, limit: 70, batch_size: 16, shuffle: false}
model: {layers: [{type: Linear, out_features: 12}, ReLU, {type: Linear, out_features: outputs}]}
loss: HuberLoss
optimizer: {type: Adagrad, lr: 0.5}
scheduler: {type: ReduceLROnPlateau, patience: 0, factor: 0.5}
train: {epochs: 5, clip_grad_value: 0.1}
"""


def class_weights(y: np.ndarray[Any, Any], classes: int) -> torch.Tensor:
    counts = np.bincount(y, minlength=classes)
    return torch.tensor([len(y) / (classes * count) for count in counts.tolist()])


def mlp(data: Any) -> tuple[nn.Module, nn.Module, Callable[..., torch.optim.Optimizer]]:
    model = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Dropout(0.3), nn.Linear(24, 10))
    return model, nn.CrossEntropyLoss(), lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.001, fused=True)


def cnn(data: Any) -> tuple[nn.Module, nn.Module, Callable[..., torch.optim.Optimizer]]:
    convolution = nn.Conv2d(1, 6, 3, padding=1)
    model = nn.Sequential(convolution, nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(96, 10))
    return model, nn.CrossEntropyLoss(), lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9, nesterov=True, fused=True)


def weighted(data: Any) -> tuple[nn.Module, nn.Module, Callable[..., torch.optim.Optimizer]]:
    model = nn.Sequential(nn.Linear(13, 8), nn.Tanh(), nn.Linear(8, 3))
    loss = nn.CrossEntropyLoss(weight=class_weights(data.train.y, 3), label_smoothing=0.1)
    return model, loss, lambda p: torch.optim.AdamW(p, lr=0.02, fused=True)


def binary(data: Any) -> tuple[nn.Module, nn.Module, Callable[..., torch.optim.Optimizer]]:
    model = nn.Sequential(nn.Linear(30, 6), nn.BatchNorm1d(6), nn.GELU(), nn.Linear(6, 1))
    yes = float(data.train.y.sum())
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([(len(data.train.y) - yes) / yes]))
    return model, loss, lambda p: torch.optim.RMSprop(p, lr=0.005, momentum=0.5)


def regression(data: Any) -> tuple[nn.Module, nn.Module, Callable[..., torch.optim.Optimizer]]:
    model = nn.Sequential(nn.Linear(10, 12), nn.ReLU(), nn.Linear(12, 1))
    return model, nn.HuberLoss(), lambda p: torch.optim.Adagrad(p, lr=0.5, fused=True)


CASES = [(MLP, mlp), (CNN, cnn), (WEIGHTED, weighted), (BINARY, binary), (REGRESSION, regression)]


def plain(recipe: Any, data: Any, make: Any) -> tuple[list[np.float32], list[np.float32], list[float], Any]:
    """A training loop as a textbook has it: step losses, validation losses, training losses, weights."""
    torch.manual_seed(recipe.seed)
    model, criterion, optimizer_of = make(data)
    layout = torch.channels_last if data.facts.shape[1:] else torch.preserve_format
    model = model.to(memory_format=layout)
    optimizer = optimizer_of(model.parameters())
    augment = build_augmentation(recipe, "cpu")
    x, y = torch.tensor(data.train.x), torch.tensor(data.train.y)
    xv, yv = torch.tensor(data.validation.x), torch.tensor(data.validation.y)
    n, size = len(x), recipe.data.batch_size
    starts = range(0, n - size + 1 if recipe.data.drop_last else n, size)
    losses, val_losses, train_losses, step = [], [], [], 0
    weight = getattr(criterion, "weight", None)

    def enter(batch: torch.Tensor, positions: torch.Tensor | None, epoch: int) -> torch.Tensor:
        if data.scaling is None:
            return augment(batch, positions, epoch)[0] if augment and positions is not None else batch
        batch = batch.float() * data.scaling.scale if data.scaling.scale != 1 else batch.float()
        if augment and positions is not None:
            batch, _ = augment(batch, positions, epoch)
        mean, std = (
            torch.tensor(v, dtype=torch.float32).view(1, -1, 1, 1) for v in (data.scaling.mean, data.scaling.std)
        )
        return ((batch - mean) / std).contiguous(memory_format=layout)

    for epoch in range(recipe.train.epochs):
        model.train()
        order = np.random.default_rng([recipe.seed, epoch]).permutation(n) if recipe.data.shuffle else np.arange(n)
        total = weights = 0.0
        for start in starts:
            positions = torch.from_numpy(order[start : start + size])
            series = monitored_series(recipe.scheduler)
            clock = Clock(
                step=step, epoch=epoch, steps_per_epoch=len(starts), epochs=recipe.train.epochs,
                lr=recipe.optimizer.lr, monitored=tuple(map(float, val_losses)) if series else (),
            )  # fmt: skip
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(recipe.scheduler, clock)
            loss = criterion(model(enter(x[positions], positions, epoch)), y[positions])
            optimizer.zero_grad()
            loss.backward()
            if recipe.train.clip_grad_norm:
                nn.utils.clip_grad_norm_(model.parameters(), recipe.train.clip_grad_norm)
            if recipe.train.clip_grad_value:
                nn.utils.clip_grad_value_(model.parameters(), recipe.train.clip_grad_value)
            optimizer.step()
            step += 1
            losses.append(np.float32(loss.item()))
            held = len(positions) if weight is None else float(weight.double()[y[positions]].sum())
            total, weights = total + loss.item() * held, weights + held
        model.eval()
        with torch.no_grad():
            val_losses.append(np.float32(criterion(model(enter(xv, None, 0)), yv).item()))
        train_losses.append(total / weights)
    return losses, val_losses, train_losses, model.state_dict()


@pytest.mark.parametrize(("text", "make"), CASES, ids=["mlp", "cnn", "weighted", "binary", "regression"])
def test_every_bit_is_that_of_a_plain_loop(text: str, make: Any, train: Any) -> None:
    trained = train(text.replace("train: {", "train: {executor: autograd, "))
    data = trained.session.prepared
    losses, val_losses, train_losses, weights = plain(trained.session.recipe, data, make)
    assert [np.float32(loss) for loss in trained.losses] == losses
    epochs = trained.of("epoch")
    # one slice holds these validation parts whole
    assert [np.float32(epoch.val_loss) for epoch in epochs] == pytest.approx(val_losses, rel=1e-6)
    assert [epoch.train_loss for epoch in epochs] == pytest.approx(train_losses, rel=1e-12)
    own = trained.session.executor.model.state_dict()
    assert list(own) == list(weights)
    assert all(torch.equal(own[name], weights[name]) for name in own)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=6), case=st.sampled_from([MLP, CNN, WEIGHTED]))
def test_how_many_steps_run_in_one_call_changes_no_bit(lengths: list[int], case: str, train: Any) -> None:
    whole, pieces = train(case), train(case, chunks=lengths)
    assert pieces.losses == whole.losses
    assert pieces.loop.position.digest == whole.loop.position.digest


def test_threads_are_one_for_a_small_network(train: Any) -> None:
    choice = train(MLP).session.choice
    assert (choice.threads, choice.executor) == (1, "dense")
    assert "small" in choice.reason
