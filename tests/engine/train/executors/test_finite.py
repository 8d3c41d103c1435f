"""Whether every number is finite, however large the numbers are."""

from __future__ import annotations

import math

import pytest
import torch

from engine.train.executors.autograd import all_finite

LARGE = torch.tensor([3e38, -3e38])
"""Finite, though their squares are not."""


@pytest.mark.parametrize("fine", [torch.zeros(3), LARGE, torch.tensor(1.0)])
def test_finite_numbers_are(fine: torch.Tensor) -> None:
    assert all_finite([torch.ones(2, 2), fine])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("beside", [torch.zeros(3), LARGE])
def test_one_that_is_not_is_found(bad: float, beside: torch.Tensor) -> None:
    assert not all_finite([beside, torch.tensor([[1.0, bad]])])
