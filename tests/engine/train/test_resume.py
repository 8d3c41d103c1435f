"""A state saved after any step and taken up again goes on as if nothing had happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.runs import checkpoints
from engine.train.desk import Change
from engine.train.executors.executor import State
from engine.train.position import Best, Position
from engine.train.session import Session

TEXT = """
seed: 9
data:
  source: {type: Builtin, name: digits}
  reshape: [1, 8, 8]
  limit: 80
  batch_size: 32
  augment: [{type: RandomRotation, degrees: 15}]
model:
  layers:
    - {type: Conv2d, out_channels: 4, kernel_size: 3}
    - BatchNorm2d
    - ReLU
    - {type: Conv2d, out_channels: 4, kernel_size: 3, padding: 1}
    - Flatten
    - {type: Dropout, p: 0.4, name: drop1}
    - {type: Linear, out_features: outputs}
optimizer: {type: Adam, lr: 0.01}
scheduler: {type: ReduceLROnPlateau, patience: 0, factor: 0.5}
train: {epochs: 3, early_stopping: {patience: 5}}
metrics: [Accuracy, F1Score]
"""


def through_disk(folder: Path, trained: Any) -> tuple[State, Position]:
    """The state as a checkpoint on disk gives it back."""
    state, position = trained.session.executor.state(), trained.loop.position
    written = checkpoints.write(
        folder, position.step, state.tensors, {"executor": state.data, "position": position.to_json()}
    )
    tensors, data = checkpoints.load(folder / written.path, written.manifest_sha)
    return State(tensors, data["executor"]), Position.from_json(data["position"])


@pytest.mark.parametrize("step", range(10))
def test_every_step_is_a_place_to_go_on_from(step: int, train: Any, tmp_path: Path) -> None:
    whole = train(TEXT)
    before = train(TEXT, last=step)
    state, position = through_disk(tmp_path, before)
    after = train(TEXT, state=state, position=position)
    assert before.losses + after.losses == whole.losses
    assert after.loop.position == whole.loop.position
    one, other = whole.session.executor.state(), after.session.executor.state()
    assert one.tensors.keys() == other.tensors.keys()
    assert all(one.tensors[name].tobytes() == other.tensors[name].tobytes() for name in one.tensors)


@pytest.mark.parametrize("optimizer", ["SGD, lr: 0.1, momentum: 0.9", "AdamW, lr: 0.01, amsgrad: true",
                                       "RMSprop, lr: 0.01, centered: true", "Adagrad, lr: 0.1"])  # fmt: skip
def test_every_optimizer_goes_on(optimizer: str, train: Any, tmp_path: Path) -> None:
    text = TEXT.replace("Adam, lr: 0.01", optimizer)
    whole = train(text)
    state, position = through_disk(tmp_path, train(text, last=4))
    assert train(text, state=state, position=position).losses == whole.losses[4:]


def test_an_edit_takes_effect_at_its_step_and_survives_a_resume(train: Any, tmp_path: Path) -> None:
    edits = [
        {"op": "set", "path": "optimizer.lr", "value": 0.002},
        {"op": "set", "path": "model.layers.drop1.p", "value": 0.0},
        {"op": "set", "path": "train.epochs", "value": 4},
    ]
    changes = [(4, Change(None, edits))]
    whole = train(TEXT, changes=changes)
    edited = whole.of("edited")
    assert [record.step for record in edited] == [4]
    assert len(whole.of("epoch")) == 4
    assert whole.losses[:4] == train(TEXT).losses[:4]
    assert whole.losses[4:9] != train(TEXT).losses[4:9]
    first = train(TEXT, changes=changes, last=7)
    state, position = through_disk(tmp_path, first)
    assert train(first.loop.text, state=state, position=position).losses == whole.losses[7:]


@pytest.mark.parametrize("executor", ["autograd", "dense"])
def test_rmsprop_may_get_momentum_on_the_way(executor: str, train: Any, tmp_path: Path) -> None:
    text = MLP.replace("dense", executor)
    changes = [(4, Change(None, [{"op": "set", "path": "optimizer.momentum", "value": 0.9}]))]
    whole = train(text, changes=changes)
    assert whole.losses[:5] == train(text).losses[:5] and whole.losses[6:] != train(text).losses[6:]
    # saved before it has any, edited after
    state, position = through_disk(tmp_path, train(text, last=3))
    assert train(text, state=state, position=position, changes=changes).losses == whole.losses[3:]


MLP = """
data: {source: {type: Builtin, name: iris}, batch_size: 16}
model: {layers: [{type: Linear, out_features: 8}, Tanh, {type: Linear, out_features: outputs}]}
optimizer: {type: RMSprop, lr: 0.01}
train: {epochs: 2, executor: dense}
"""


def test_a_position_is_plain_json() -> None:
    position = Position(step=3, monitored=[0.5, 0.25], reference=0.5, best=Best(2, 8, {"val_loss": 0.25}))
    assert Position.from_json(json.loads(json.dumps(position.to_json()))) == position


def test_weights_of_another_network_are_refused(train: Any) -> None:
    from engine.errors import UserError

    state = train(TEXT, last=0).session.executor.state()
    with pytest.raises(UserError, match=r"0\.weight is"):
        train(TEXT.replace("out_channels: 4", "out_channels: 5").replace("BatchNorm2d", "Tanh"), state=state)


def test_probing_leaves_the_generator_alone(train: Any) -> None:
    trained = train(TEXT, last=2)
    before = torch.get_rng_state()
    list(trained.session.executor.evaluate("validation"))
    assert torch.equal(torch.get_rng_state(), before)


def test_without_validation_the_training_loss_judges(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No recipe is let through without validation rows; the loop could do without."""
    monkeypatch.setattr(Session, "validated", False)
    trained = train(TEXT.replace("scheduler: {type: ReduceLROnPlateau, patience: 0, factor: 0.5}\n", ""))
    epochs = trained.of("epoch")
    assert [epoch.val_loss for epoch in epochs] == [None] * 3
    losses = [epoch.train_loss for epoch in epochs]
    assert trained.loop.position.best.epoch == losses.index(min(losses)) + 1
