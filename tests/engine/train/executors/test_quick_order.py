"""Calling layers in another order changes no bit of outputs or gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.train.executors.quick_order import in_quick_order


@pytest.mark.parametrize("shape", [(3, 1, 8, 8), (2, 3, 9, 7), (4, 2, 5, 6)])
@pytest.mark.parametrize("pool", [{"kernel_size": 2}, {"kernel_size": 3, "stride": 1, "padding": 1}])
def test_every_bit_stays(shape: tuple[int, ...], pool: dict[str, int]) -> None:
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(shape[1], 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(**pool), nn.Conv2d(4, 5, 3, padding=1), nn.ReLU(),
        nn.Dropout(0.4), nn.Flatten(),
    ).to(memory_format=torch.channels_last)  # fmt: skip
    quick = in_quick_order(model)
    assert [type(layer) for layer in quick.children()][1:3] == [nn.MaxPool2d, nn.ReLU]
    # rounded, so that windows have ties
    x = torch.randn(shape).mul(2).round().contiguous(memory_format=torch.channels_last)
    seen = []
    for network in (model, quick):
        torch.manual_seed(5)
        given = x.clone().requires_grad_()
        model.zero_grad()
        outputs = network(given)
        (outputs * torch.arange(outputs.numel()).reshape(outputs.shape)).sum().backward()
        seen.append([outputs, given.grad, *[parameter.grad for parameter in model.parameters()]])
    assert all(torch.equal(one, other) for one, other in zip(*seen, strict=True))


def test_nothing_else_moves() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Dropout(), nn.Linear(2, 2))
    assert in_quick_order(model) is model
    leaky = nn.Sequential(nn.Conv2d(1, 1, 1), nn.LeakyReLU(-0.5), nn.MaxPool2d(2))
    assert in_quick_order(leaky) is leaky
