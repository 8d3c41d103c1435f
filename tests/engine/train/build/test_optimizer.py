"""Optimizers: settings reach PyTorch, and the kernels agree."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from engine.parts.part import names
from engine.train.build.optimizer import build_optimizer, kernel_for, set_momentum
from tests.engine.parts import drawn
from tests.engine.train.build.cases import part, recipe


@pytest.mark.parametrize("name", names("optimizer"))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_settings_reach_pytorch(name: str, data: st.DataObject) -> None:
    chosen = data.draw(drawn.part_of("optimizer", name))
    optimizer = build_optimizer(recipe(optimizer=chosen), nn.Linear(2, 2), "cpu")
    assert type(optimizer).__name__ == name
    for key, value in chosen.arguments().items():
        assert optimizer.param_groups[0][key] == (tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize("name", names("optimizer"))
def test_kernels_agree(name: str) -> None:
    ends = []
    for kernel in {"single", kernel_for(part("optimizer", name), "cpu")}:
        torch.manual_seed(1)
        model = nn.Linear(3, 1)
        optimizer = build_optimizer(recipe(optimizer=part("optimizer", name, lr=0.01)), model, "cpu", kernel)
        for _ in range(10):
            optimizer.zero_grad()
            model(torch.ones(2, 3)).square().mean().backward()
            optimizer.step()
        ends.append(torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()]))
    assert torch.allclose(ends[0], ends[-1], rtol=1e-5, atol=1e-7)


def test_momentum_is_moved_where_there_is_one() -> None:
    for name, key in (("SGD", "momentum"), ("RMSprop", "momentum"), ("Adam", "betas")):
        optimizer = build_optimizer(recipe(optimizer=part("optimizer", name)), nn.Linear(2, 2), "cpu")
        set_momentum(optimizer, 0.87)
        assert optimizer.param_groups[0][key] in (0.87, (0.87, 0.999))
    optimizer = build_optimizer(recipe(optimizer=part("optimizer", "Adagrad")), nn.Linear(2, 2), "cpu")
    set_momentum(optimizer, 0.87)
    assert "momentum" not in optimizer.param_groups[0]


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(ValueError, match="momentum above 0"):
        part("optimizer", "SGD", nesterov=True)
    assert part("optimizer", "SGD", nesterov=True, momentum=0.9).nesterov
