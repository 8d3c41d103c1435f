"""Every part has a way into the exported file, and what is written means the same."""

from __future__ import annotations

import inspect
import math
import warnings
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn

from engine.export import augmentation, learning_rate, network, training
from engine.export.script import Script
from engine.parts.part import every_part, find, names
from engine.parts.scheduler import Clock, momentum_at
from engine.parts.scheduler import learning_rate as expected_rate
from engine.parts.stack import bind
from engine.recipe.schema import Recipe
from engine.train.build.augmentation import Augmenter
from engine.train.build.loss import build_loss
from engine.train.build.metric import compute
from engine.train.build.model import build_layer, call
from engine.train.build.optimizer import build_optimizer
from tests.engine.parts import drawn
from tests.engine.train.build.cases import batch, facts, part, recipe


@pytest.mark.parametrize("cls", every_part(), ids=lambda cls: f"{cls.family}-{cls.type_name()}")
def test_there_is_one_way_to_write_it(cls: Any) -> None:
    name = cls.type_name()
    if cls.family == "layer":
        assert (cls.torch is None) == (name in network.EXPORTERS)
    elif cls.family == "scheduler":
        assert name in learning_rate.EXPORTERS
    elif cls.family == "augmentation":
        assert name in augmentation.EXPORTERS
    elif cls.family == "metric":
        assert name in (*training.OF_CLASSES, *training.OF_NUMBERS)
    elif cls.family != "source":
        assert cls.torch is not None


@pytest.mark.parametrize("cls", [c for c in every_part() if c.family in ("layer", "loss", "optimizer") and c.torch])
def test_what_is_left_out_is_torchs_own_default(cls: Any) -> None:
    signature = inspect.signature(call(cls.torch))
    written = {*network.POSITIONAL.get(cls.type_name(), ()), *network.ALWAYS.get(cls.type_name(), ()), "name", "init"}
    for name, field in cls.model_fields.items():
        if name in written or field.is_required() or name == "lr":
            continue
        usual = signature.parameters[name].default
        assert list(usual) == field.default if isinstance(usual, tuple) else usual == field.default, name


@pytest.mark.parametrize("name", names("layer"))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_written_layer_is_the_built_one(name: str, data: st.DataObject) -> None:
    layer = bind(data.draw(drawn.part_of("layer", name)), 4)
    try:
        shape = drawn.fitting(layer)
    except AssertionError:
        assume(False)
    script = Script()
    script.use("import torch", "from torch import nn")
    text = network.write_layer(script, layer, shape, None, "")
    names_: dict[str, Any] = {"torch": torch, "nn": nn}
    exec(script.section(), names_)
    torch.manual_seed(5)
    written = eval(text, names_)
    torch.manual_seed(5)
    built = build_layer(layer, shape)
    assert [tuple(value.shape) for value in written.state_dict().values()] == [
        tuple(value.shape) for value in built.state_dict().values()
    ]
    x = torch.randn(3, *shape)
    torch.manual_seed(6)
    first = written(x)
    torch.manual_seed(6)
    assert torch.equal(first, built(x)) or bool(first.isnan().any())


@pytest.mark.parametrize("name", names("scheduler"))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.data(),
    steps_per_epoch=st.integers(1, 5),
    epochs=st.integers(1, 8),
    values=st.lists(st.sampled_from([0.5, 0.9, 1.0, math.nan]), min_size=8, max_size=8),
)
def test_a_written_schedule_gives_the_same_bits(
    name: str, data: st.DataObject, steps_per_epoch: int, epochs: int, values: list[float]
) -> None:
    part = data.draw(drawn.part_of("scheduler", name))
    assume(name != "OneCycleLR" or part.pct_start * epochs * steps_per_epoch > 1.01)
    script = Script()
    learning_rate.write_learning_rate(script, recipe(scheduler=part))
    names_: dict[str, Any] = {"math": math, "EPOCHS": epochs, "LEARNING_RATE": 0.05}
    exec(script.section(), names_)
    for step in range(steps_per_epoch * epochs):
        epoch = step // steps_per_epoch
        clock = Clock(step, epoch, steps_per_epoch, epochs, tuple(values[:epoch]), 0.05)
        history = [{"val_loss": value} for value in values[:epoch]]
        assert names_["learning_rate"](step, epoch, steps_per_epoch, history) == expected_rate(part, clock)
        if momentum_at(part, clock) is not None:
            assert names_["momentum_of"](step, steps_per_epoch) == momentum_at(part, clock)


def counted(task: str) -> torch.Tensor:
    """Training targets with the counts that `facts(task)` tells."""
    if task == "classification":
        return torch.tensor([0] * 20 + [1] * 10 + [2] * 5)
    if task == "binary":
        return torch.tensor([[0.0]] * 25 + [[1.0]] * 10)
    if task == "multilabel":
        return torch.stack([(torch.arange(35) < count).float() for count in (20, 10, 5)], dim=1)
    return torch.randn(35, 3)


def with_tasks(family: str) -> list[tuple[str, str]]:
    """Every loss or metric, with each task that it is for."""
    return [(cls.type_name(), task) for cls in every_part() if cls.family == family for task in cls.tasks]  # type: ignore[attr-defined]


def written(whole: Recipe, task: str) -> dict[str, Any]:
    """What the exported file defines for training."""
    script = Script()
    script.constant("CLASSES", facts(task).classes)
    training.write_training(script, whole, facts(task), image=False)
    section = script.section()
    names_: dict[str, Any] = {"DEVICE": torch.device("cpu"), "LEARNING_RATE": whole.optimizer.lr}
    exec("\n".join(["from __future__ import annotations", script.imports(), *script.constants, section]), names_)
    return names_


@pytest.mark.parametrize(("name", "task"), with_tasks("loss"))
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_written_loss_is_the_built_one(name: str, task: str, data: st.DataObject) -> None:
    loss = data.draw(drawn.part_of("loss", name))
    if isinstance(getattr(loss, "pos_weight", None), list):
        loss = part("loss", name, pos_weight=[2.0] if task == "binary" else [2.0, 0.5, 1.0])
    whole = recipe(loss=loss)
    outputs, targets = batch(task)
    criterion = written(whole, task)["build_loss"](counted(task))
    assert torch.equal(criterion(outputs, targets), build_loss(whole, facts(task))(outputs, targets))


@pytest.mark.parametrize("name", names("optimizer"))
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_written_optimizer_makes_the_same_updates(name: str, data: st.DataObject) -> None:
    whole = recipe(optimizer=data.draw(drawn.part_of("optimizer", name)), loss=part("loss", "MSELoss"))
    outcomes = []
    for build in (written(whole, "regression")["build_optimizer"], lambda model: build_optimizer(whole, model, "cpu")):
        torch.manual_seed(3)
        model, x = nn.Linear(4, 3), torch.randn(6, 4)
        optimizer = build(model)
        for _ in range(3):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
        outcomes.append(model.weight.detach())
    assert torch.equal(*outcomes) or bool(outcomes[0].isnan().any())


@pytest.mark.parametrize(("name", "task"), with_tasks("metric"))
@settings(max_examples=10, deadline=None)
@given(rows=st.sampled_from([1, 2, 5, 40]), seed=st.integers(0, 99))
def test_a_written_metric_gives_the_same_score(name: str, task: str, rows: int, seed: int) -> None:
    loss = {"classification": "CrossEntropyLoss", "regression": "MSELoss"}.get(task, "BCEWithLogitsLoss")
    metric = part("metric", name)
    code = written(recipe(loss=part("loss", loss), metrics=[metric]), task)
    outputs, targets = batch(task, rows, seed=seed)
    scale = [([(0.0, 1.0)] * 3)] if task == "regression" else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        row = code["evaluate"](nn.Identity(), code["build_loss"](targets), (outputs.numpy(), targets.numpy()), *scale)
    found, expected = row[metric.series()], compute(metric, outputs, targets, facts(task))
    assert found == (expected if isinstance(expected, list) else pytest.approx(expected, nan_ok=True, rel=1e-5))


@pytest.mark.parametrize("name", names("augmentation"))
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), seed=st.integers(0, 9), epoch=st.integers(0, 3))
def test_a_written_augmentation_is_the_built_one(name: str, data: st.DataObject, seed: int, epoch: int) -> None:
    parts = [part("augmentation", "GaussianNoise"), data.draw(drawn.part_of("augmentation", name))]
    parts = data.draw(st.permutations(parts))
    script = Script()
    x, rows = torch.rand(5, 3 if name == "ColorJitter" else 2, 4, 6), torch.tensor([3, 1, 8, 0, 2])
    augmentation.write_augmentation(script, parts, tuple(x.shape[1:]))
    section = script.section()
    code: dict[str, Any] = {"SEED": seed, "DEVICE": torch.device("cpu")}
    exec("\n".join(["from __future__ import annotations", script.imports(), section]), code)
    mix = code["mix"](epoch, 7, 5) if name == "Mixup" else ()
    changed = code["augment"](x, rows, code["draw"](epoch, 9, tuple(x.shape[1:])), *mix)
    built = Augmenter(parts, seed, "cpu")
    expected, mixed = built(x, rows, epoch, 7)
    assert torch.equal(changed, expected)
    assert built.mixes == (mixed is not None) == (name == "Mixup") == ("mix" in code)
    assert mixed is None or all(map(torch.equal, mix, (mixed.weight, mixed.partner)))
    if name == "Normalize":
        assert torch.equal(code["steady"](x), built.steady(x))


def test_literals_read_back() -> None:
    from engine.export.script import folded, literal

    for value in (
        ["a'b", 'c"d', "ü\n"],
        {"k": [1.5, None, True]},
        (1,),
        (),
        [0.1] * 60,
        {str(i): i for i in range(60)},
    ):
        assert eval(literal(value)) == value
        if value:
            assert eval(folded(value)) == value  # type: ignore[arg-type]
    assert math.isinf(eval(literal(math.inf)))
    assert find("layer", "Linear") is not None
