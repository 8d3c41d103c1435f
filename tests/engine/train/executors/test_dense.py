"""The dense executor against a plain PyTorch loop, against autograd, and against itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.train.executors.dense import cover, masks, private, products
from engine.train.executors.dense.masks import Mask
from engine.train.executors.executor import Rate
from engine.train.session import open_session
from tests.engine.train.executors.plain import Plain, close, open_plain, unlike
from tests.engine.train.executors.recipes import (
    ACTIVATIONS,
    DROPPED,
    LOSSES,
    OPTIMIZERS,
    course,
    deep,
    text,
    without_generators,
)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_hundreds_of_steps_are_those_of_a_plain_loop(loss: str, optimizer: str) -> None:
    """5 batches an epoch, the last of 14 rows; every activation."""
    for activation in ACTIVATIONS.values():
        session = open_plain(text(loss, OPTIMIZERS[optimizer], deep(activation)), "dense")
        plain = Plain(session, session.recipe)
        epochs = range(40 if activation == "ReLU" else 12)
        assert close(course(plain, session, epochs), course(session.executor, session, epochs)), activation
        assert not unlike(session.executor.state(), plain.tensors()), activation
        value, outputs = plain.validation()
        pieces = list(session.executor.evaluate("validation"))
        assert close(outputs, np.concatenate([piece.outputs for piece in pieces])), activation
        whole = sum(piece.numerator for piece in pieces) / sum(piece.denominator for piece in pieces)
        assert close(value, whole) and close(value, session.executor.score(outputs, session.prepared.validation.y))


ODD = [
    "Tanh, {type: Linear, out_features: 6}, ReLU, Sigmoid, ReLU, {type: Linear, out_features: outputs}",
    "{type: Linear, out_features: 18, init: {type: kaiming_normal}}, {type: Linear, out_features: outputs}, Tanh",
    "Flatten, {type: Linear, out_features: outputs}",
    "{type: GELU, approximate: tanh}, {type: Linear, out_features: outputs, bias: false}, Sigmoid, Sigmoid",
]


@pytest.mark.parametrize("layers", ODD)
def test_layers_in_any_order(layers: str) -> None:
    session = open_plain(text("MSELoss", OPTIMIZERS["Adam"], layers), "dense")
    other = open_plain(text("MSELoss", OPTIMIZERS["Adam"], layers), "autograd")
    assert close(course(other.executor, other, range(20)), course(session.executor, session, range(20)))
    assert not unlike(session.executor.state(), without_generators(other.executor.state()))


@pytest.mark.parametrize("train", [", clip_grad_norm: 0.3", ", clip_grad_value: 0.01"])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_clipped_gradients_and_a_moving_schedule(train: str, optimizer: str) -> None:
    session = open_plain(text("CrossEntropyLoss", OPTIMIZERS[optimizer], deep("Tanh"), train=train), "dense")
    plain, executor = Plain(session, session.recipe), session.executor
    losses: tuple[list[float], list[float]] = ([], [])
    for epoch in range(40):
        rates = [Rate(0.001 * (1 + step + epoch % 3), 0.5 + 0.05 * step) for step in range(session.steps_per_epoch)]
        losses[0].extend(plain.run(epoch, 0, rates))
        losses[1].extend(executor.run(epoch, 0, rates).losses.tolist())
    assert close(*losses) and not unlike(executor.state(), plain.tensors())


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Mask, torch.Tensor]]:
    """Every mask that the dense executor fills, in order."""
    found: list[tuple[Mask, torch.Tensor]] = []
    fill = Mask.fill

    def record(mask: Mask, settings: Any) -> None:
        fill(mask, settings)
        found.append((mask, mask.values.t().clone()))

    monkeypatch.setattr(Mask, "fill", record)
    return found


def test_dropout_by_its_masks(drawn: list[tuple[Mask, torch.Tensor]]) -> None:
    session = open_plain(text("CrossEntropyLoss", OPTIMIZERS["Adam"], DROPPED), "dense")
    losses = course(session.executor, session, range(40))
    with torch.inference_mode(False):
        kept = [torch.tensor(mask.numpy()) for _, mask in drawn]

    def every_third(place: int) -> Iterator[torch.Tensor]:
        return iter(kept[place::3])

    plain = Plain(session, session.recipe, {"0": every_third(0), "drop1": every_third(1), "6": every_third(2)})
    assert close(course(plain, session, range(40)), losses)
    assert not unlike(session.executor.state(), plain.tensors())
    values = torch.cat([mask.flatten() for mask in kept[1::3]])
    assert set(values.tolist()) == {0.0, float(torch.tensor(1.0).div(0.6))}
    assert abs(float((values == 0).float().mean()) - 0.4) < 0.02


def test_dropout_draws_what_torchs_own_layer_draws() -> None:
    """So that a run goes on alike under another executor."""
    dense, autograd = (open_plain(text("MSELoss", OPTIMIZERS["SGD"], DROPPED), name) for name in ("dense", "autograd"))
    torch.manual_seed(3)
    start = torch.get_rng_state()
    one = course(dense.executor, dense, range(20))
    generator = torch.get_rng_state()
    torch.set_rng_state(start)
    assert close(course(autograd.executor, autograd, range(20)), one)
    assert torch.equal(generator, torch.get_rng_state())


@pytest.mark.parametrize("keep", [0.5, 0.9, 0.3, 1 / 3])
def test_quick_draws_are_torchs_own(keep: float) -> None:
    if not masks.quick():
        pytest.skip("torch draws otherwise here")
    one, other = torch.Generator().manual_seed(9), torch.Generator().manual_seed(9)
    a, b = torch.empty(5000), torch.empty(5000)
    masks.draw(a, keep, one, None)
    masks.draw(b, keep, other, torch.empty(5000, dtype=torch.int64))
    assert torch.equal(a, b) and torch.equal(one.get_state(), other.get_state())


@pytest.mark.parametrize("onednn", [True, False])
def test_wide_layers_by_either_library(onednn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if onednn and not products.by_onednn():
        pytest.skip("large products are not oneDNN's here")
    monkeypatch.setattr(products, "by_onednn", lambda: onednn)
    monkeypatch.setattr(products, "LARGE", 10_000)
    wide = "{type: Linear, out_features: 150}"
    layers = f"{wide}, ReLU, {{type: Dropout, p: 0.2}}, {wide}, Tanh, {{type: Linear, out_features: outputs}}"
    recipe = text("CrossEntropyLoss", OPTIMIZERS["SGD"], layers)
    dense, autograd = open_plain(recipe, "dense"), open_plain(recipe, "autograd")
    torch.manual_seed(1)
    losses = course(autograd.executor, autograd, range(30))
    torch.manual_seed(1)
    assert close(losses, course(dense.executor, dense, range(30)))
    assert not unlike(dense.executor.state(), without_generators(autograd.executor.state()))


def test_live_edits() -> None:
    base = text("CrossEntropyLoss", "{type: SGD, lr: 0.05}", DROPPED.replace("p: 0.4", "p: 0.0"))
    edited = [
        base,
        base.replace("lr: 0.05", "lr: 0.01, momentum: 0.9").replace("p: 0.0", "p: 0.3"),
        base.replace("lr: 0.05", "lr: 0.01, weight_decay: 0.1").replace(
            "epochs: 50", "epochs: 50, clip_grad_norm: 0.2"
        ),
        base.replace("lr: 0.05", "lr: 0.02, momentum: 0.5").replace("p: 0.1", "p: 0.0"),
    ]
    recipes = [open_plain(each, "autograd").recipe for each in edited]
    found = []
    for name in ("dense", "autograd"):
        session = open_plain(base, name)
        losses: list[float] = []
        for number, recipe in enumerate(recipes):
            session.executor.set(recipe)
            for epoch in range(10 * number, 10 * number + 10):
                losses += session.executor.run(epoch, 0, [Rate(recipe.optimizer.lr)] * 5).losses.tolist()
        found.append((losses, session.executor.state()))
    assert close(found[0][0], found[1][0])
    assert not unlike(found[0][1], without_generators(found[1][1]))


EDITED = {
    "SGD": ["lr: 0.05", "lr: 0.02, momentum: 0.9", "lr: 0.01, weight_decay: 0.1", "lr: 0.02, momentum: 0.5"],
    "Adam": ["lr: 0.01", "lr: 0.002, weight_decay: 0.1", "lr: 0.005, weight_decay: 0.5", "lr: 0.001"],
    "AdamW": ["lr: 0.01", "lr: 0.002, weight_decay: 0.1", "lr: 0.005, weight_decay: 0.5", "lr: 0.001"],
    "RMSprop": ["lr: 0.002, momentum: 0.5", "lr: 0.001", "lr: 0.001, momentum: 0.9, weight_decay: 0.1", "lr: 0.002"],
    "Adagrad": ["lr: 0.05", "lr: 0.02, weight_decay: 0.1", "lr: 0.01", "lr: 0.02, weight_decay: 0.5"],
}
"""What may change while a run lasts. (That torch's own RMSprop cannot be given momentum later is another test's.)"""


@pytest.mark.parametrize("name", ["dense", "autograd"])
@pytest.mark.parametrize("optimizer", EDITED)
def test_live_edits_are_those_of_a_plain_loop(optimizer: str, name: str) -> None:
    """They come in the middle of an epoch, and with a limit to the gradients in between."""
    limits = ["", ", clip_grad_norm: 0.2", ", clip_grad_value: 0.01", ""]
    recipes = [
        open_plain(text("CrossEntropyLoss", f"{{type: {optimizer}, {edit}}}", deep("Tanh"), train=limit), name).recipe
        for edit, limit in zip(EDITED[optimizer], limits, strict=True)
    ]
    session = open_plain(text("CrossEntropyLoss", f"{{type: {optimizer}, {EDITED[optimizer][0]}}}", deep("Tanh")), name)
    plain, executor = Plain(session, recipes[0]), session.executor
    losses: tuple[list[float], list[float]] = ([], [])
    for number, recipe in enumerate(recipes):
        plain.change(recipe)
        executor.set(recipe)
        for epoch in range(10 * number, 10 * number + 10):
            for at, first, count in ((epoch, 2, 3), (epoch + 1, 0, 2)):
                rates = [Rate(recipe.optimizer.lr)] * count
                losses[0].extend(plain.run(at, first, rates))
                losses[1].extend(executor.run(at, first, rates).losses.tolist())
    assert close(*losses)
    assert not unlike(executor.state(), plain.tensors())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("way", [("dense", "autograd"), ("autograd", "dense")])
def test_a_run_goes_on_under_another_executor(optimizer: str, way: tuple[str, str]) -> None:
    recipe = text("CrossEntropyLoss", OPTIMIZERS[optimizer], DROPPED)
    first, second, whole = (open_plain(recipe, name) for name in (*way, way[0]))
    course(first.executor, first, range(20))
    second.executor.load(first.executor.state())
    losses = course(second.executor, second, range(20, 30))
    state = second.executor.state()
    torch.manual_seed(11)
    whole.executor.load(open_plain(recipe, way[0]).executor.state())
    expected = course(whole.executor, whole, range(30))[100:]
    assert close(expected, losses)
    assert not unlike(state, without_generators(whole.executor.state()))


@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 11), min_size=1, max_size=5), batch=st.sampled_from([3, 16, 24]))
def test_how_many_steps_run_in_one_call_changes_no_bit(lengths: list[int], batch: int) -> None:
    recipe = text("CrossEntropyLoss", OPTIMIZERS["Adam"], DROPPED, batch=batch)
    whole, pieces = open_plain(recipe, "dense"), open_plain(recipe, "dense")
    torch.manual_seed(1)
    losses = course(whole.executor, whole, range(2))
    state = whole.executor.state()
    torch.manual_seed(1)
    found: list[float] = []
    for epoch in range(2):
        index = 0
        while index < pieces.steps_per_epoch:
            count = min(lengths[len(found) % len(lengths)], pieces.steps_per_epoch - index)
            pieces.executor.mark()
            ran = pieces.executor.run(epoch, index, [Rate(pieces.recipe.optimizer.lr)] * count)
            if len(found) % 2:  # once more from the mark
                pieces.executor.rewind()
                ran = pieces.executor.run(epoch, index, [Rate(pieces.recipe.optimizer.lr)] * count)
            if len(found) % 5 == 4:
                pieces.executor.load(pieces.executor.state())
            found += ran.losses.tolist()
            index += count
    assert found == losses
    other = pieces.executor.state()
    assert all(state.tensors[name].tobytes() == other.tensors[name].tobytes() for name in state.tensors)


REFUSED = {
    "Conv2d": ("{type: Conv2d, out_channels: 2, kernel_size: 3}, Flatten, {type: Linear, out_features: outputs}", ""),
    "BatchNorm1d": ("{type: Linear, out_features: 4}, BatchNorm1d, {type: Linear, out_features: outputs}", ""),
    "Softmax": ("{type: Linear, out_features: outputs}, Softmax", ""),
    "several axes": ("{type: Linear, out_features: 4}, Flatten, {type: Linear, out_features: outputs}", ""),
    "Mixup": ("Flatten, {type: Linear, out_features: outputs}", ", augment: [Mixup]"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_it_does_not_cover_is_refused(words: str) -> None:
    layers, more = REFUSED[words]
    recipe = text("CrossEntropyLoss", "Adam", layers, source="digits")
    if words in ("Conv2d", "several axes", "Mixup"):
        more += ", reshape: [1, 8, 8]"
    session = open_plain(recipe.replace("batch_size: 24", f"batch_size: 24{more}"), "autograd")
    facts = session.prepared.facts
    assert words in str(cover.refuses(session.recipe, facts, torch.device("cpu"), "fp32"))
    assert "CPU" in str(cover.refuses(session.recipe, facts, torch.device("cuda"), "fp32"))
    assert "bf16" in str(cover.refuses(session.recipe, facts, torch.device("cpu"), "bf16"))


def test_a_torch_without_the_private_functions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert private.missing() == []
    session = open_plain(text("MSELoss", "Adam", deep("ReLU")), "dense")
    monkeypatch.delattr(torch, "_fused_adam_")
    found = cover.refuses(session.recipe, session.prepared.facts, torch.device("cpu"), "fp32")
    assert found is not None and "_fused_adam_" in found


IMAGES = """
seed: 5
data:
  source: {type: Builtin, name: digits}
  reshape: [1, 8, 8]
  limit: 90
  batch_size: 20
  augment: [{type: RandomRotation, degrees: 20}, {type: GaussianNoise, std: 0.05}]
model: {layers: [Flatten, {type: Linear, out_features: 12}, ReLU, {type: Linear, out_features: outputs}]}
optimizer: {type: Adam, lr: 0.002}
train: {epochs: 3}
"""


@pytest.mark.parametrize("augment", [True, False])
def test_images_are_scaled_and_augmented_as_under_autograd(augment: bool) -> None:
    recipe = IMAGES if augment else "\n".join(line for line in IMAGES.splitlines() if "augment" not in line)
    dense, autograd = open_plain(recipe, "dense"), open_plain(recipe, "autograd")
    assert close(course(autograd.executor, autograd, range(30)), course(dense.executor, dense, range(30)))
    pairs = zip(dense.executor.evaluate("validation"), autograd.executor.evaluate("validation"), strict=False)
    assert all(close(a.outputs[:100], b.outputs[:100]) for a, b in pairs)


def test_every_slice_of_an_evaluation_has_outputs_of_its_own(tmp_path: Path) -> None:
    text = """
data: {source: {type: Builtin, name: breast_cancer}, split: {validation: 0.5}}
model: {layers: [{type: Linear, out_features: outputs}]}
optimizer: SGD
train: {executor: dense}
"""
    session = open_session(text, tmp_path)
    executor, data = session.executor, session.prepared.validation
    slices = list(executor.evaluate_rows(data.x, data.y, 16))
    whole = np.concatenate([piece.outputs for piece in executor.evaluate_rows(data.x, data.y, 4096)])
    assert np.concatenate([piece.outputs for piece in slices]) == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("executor", ["autograd", "dense"])
def test_a_state_that_was_taken_stays_as_it_was(executor: str, tmp_path: Path) -> None:
    text = f"""
data: {{source: {{type: Builtin, name: iris}}, batch_size: 16}}
model: {{layers: [{{type: Linear, out_features: 8}}, ReLU, {{type: Linear, out_features: outputs}}]}}
optimizer: Adam
train: {{executor: {executor}}}
"""
    running = open_session(text, tmp_path).executor
    running.run(0, 0, [Rate(0.01)] * 2)
    taken = running.state().tensors
    before = {name: value.copy() for name, value in taken.items()}
    running.run(0, 2, [Rate(0.01)] * 2)
    assert all(np.array_equal(before[name], value) for name, value in taken.items())
    now = running.state().tensors
    assert all(not np.array_equal(before[name], now[name]) for name in taken if name.startswith("model/"))
