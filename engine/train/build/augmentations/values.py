"""Augmentations that paint over values, add noise to them, or mix them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from engine.train.build.augmentations.draws import Array


def erased(x: Tensor, box: Tensor, value: float | Tensor) -> Tensor:
    """Images (B, C, H, W) with `value` in rectangles; box (B, 5): top, left, height, width, 0 for none."""
    top, left, h, w, _ = box.view(-1, 5, 1, 1, 1).unbind(1)
    row = torch.arange(x.shape[2], device=x.device).view(1, 1, -1, 1)
    column = torch.arange(x.shape[3], device=x.device).view(1, 1, 1, -1)
    inside_row, inside_column = (row >= top) & (row < top + h), (column >= left) & (column < left + w)
    if isinstance(value, float) and value == 0.0:
        return x * (inside_row.to(x.dtype) * inside_column.to(x.dtype)).neg_().add_(1.0)
    return torch.where(inside_row & inside_column, value, x)


@lru_cache(maxsize=16)
def quantiles(std: float, device: torch.device) -> Tensor:
    """float32 (65536,): numbers that lie as normal ones do, of mean 0 and this standard deviation, in order."""
    places = (torch.arange(65536, dtype=torch.float64) + 0.5) / 65536
    values: Tensor = torch.special.ndtri(places)
    return (values * (std / values.square().mean().sqrt())).float().to(device)


def normal(key: Tensor, count: int, std: float) -> Tensor:
    """float32 (B, count) normal numbers from int64 keys (B, 1): 16 bits each of splitmix64 over a counter.

    A sample's noise is the same in whatever batch it stands, and on every device.
    """
    counter = torch.arange(1, -(-count // 4) + 1, device=key.device) * -7046029254386353131
    bits = key + counter
    for by, factor in ((30, -4658895280553007687), (27, -7723592293110705685), (31, 1)):
        # >> keeps the sign, so what it fills in is cut off
        bits.bitwise_xor_((bits >> by).bitwise_and_((1 << (64 - by)) - 1))
        if factor != 1:
            bits.mul_(factor)
    place = bits.view(torch.int16).to(torch.int32).add_(32768)
    return quantiles(std, key.device).index_select(0, place.flatten()).view(len(key), -1)[:, :count]


def noisy(x: Tensor, key: Tensor, std: float, clip: bool) -> Tensor:
    """Any batch (B, ...) with normal noise added, from keys (B, 1)."""
    x = x + normal(key, x[0].numel(), std).view(x.shape)
    return x.clamp_(0.0, 1.0) if clip else x


def mixing(seed: int, epoch: int, number: int, index: int, rows: int, alpha: float) -> tuple[np.float32, Array]:
    """How batch `index` of an epoch is mixed: the share of a sample itself, and the partner (rows,) int64 of each."""
    generator = np.random.default_rng([seed, epoch, number, index, 1])
    return np.float32(generator.beta(alpha, alpha)), generator.permutation(rows)


def mixed_pairs(x: Tensor, weight: Tensor, partner: Tensor) -> Tensor:
    """Batch (B, ...): weight * x + (1 - weight) * x[partner]."""
    return torch.lerp(x.index_select(0, partner), x, weight)


def normalized_by(x: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Images (B, C, H, W): (x - mean) / std by channel."""
    return (x - column(mean, x.device)).div_(column(std, x.device))


@lru_cache(maxsize=32)
def column(values: tuple[float, ...], device: torch.device) -> Tensor:
    """float32 (1, C, 1, 1) on the device; copied there once."""
    return torch.tensor(values, dtype=torch.float32, device=device).view(1, -1, 1, 1)
