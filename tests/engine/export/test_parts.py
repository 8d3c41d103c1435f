"""Every part has a way into the exported file, and what is written means the same."""

from __future__ import annotations

import inspect
import math
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
from engine.train.build.model import build_layer, call
from tests.engine.parts import drawn
from tests.engine.train.build.cases import recipe


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
        assert name in training.NAMES or cls.tasks == ("regression",)
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
