"""Augmentations that paint over values, add noise to them, or mix them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor


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
def stock(std: float, device: torch.device) -> Tensor:
    """float32 (262144 + 63,): numbers that lie as normal ones do, of mean 0 and this standard deviation, in a random
    order that is always the same; the first ones stand at the end again."""
    places = (torch.arange(2**18, dtype=torch.float64) + 0.5) / 2**18
    values: Tensor = torch.special.ndtri(places)
    values = values * (std / values.square().mean().sqrt())
    values = values[torch.from_numpy(np.random.default_rng(0).permutation(2**18))]
    return torch.cat([values, values[:63]]).float().to(device)


def normal(key: Tensor, count: int, std: float) -> Tensor:
    """float32 (B, count) normal numbers from int64 keys (B, 1): pieces of the stock, from places that splitmix64 over a
    counter gives.

    A sample's noise is the same in whatever batch it stands, and on every device. Drawing every number by itself would
    take many times as long.
    """
    piece = 8 if count <= 256 else 64
    place = torch.arange(1, -(-count // piece) + 1, device=key.device) * -7046029254386353131 + key
    for by, factor in ((30, -4658895280553007687), (27, -7723592293110705685)):
        # >> keeps the sign, so what it fills in is cut off
        place.bitwise_xor_((place >> by).bitwise_and_((1 << (64 - by)) - 1)).mul_(factor)
    place = (place >> 46).bitwise_and_(2**18 - 1)
    pieces = stock(std, key.device).unfold(0, piece, 1)[: 2**18]
    return pieces.index_select(0, place.flatten()).view(len(key), -1)[:, :count]


def noisy(x: Tensor, key: Tensor, std: float, clip: bool) -> Tensor:
    """Any batch (B, ...) with normal noise added, from keys (B, 1)."""
    x = normal(key, x[0].numel(), std).reshape(x.shape).add_(x)
    return x.clamp_(0.0, 1.0) if clip else x


@lru_cache(maxsize=4)
def mixings(
    seed: int, epoch: int, number: int, block: int, size: int, rows: int, alpha: float
) -> tuple[Tensor, Tensor]:
    """How the batches of a block are mixed, `size` of them: the shares of the samples themselves, (size,) float32, and
    their partners, (size, rows) int64. On the host."""
    generator = np.random.default_rng([seed, epoch, number, block, 1])
    shares = generator.beta(alpha, alpha, size).astype(np.float32)
    partners = generator.permuted(np.tile(np.arange(rows), (size, 1)), axis=1)
    return torch.from_numpy(shares), torch.from_numpy(partners)


def mixing(seed: int, epoch: int, number: int, index: int, rows: int, alpha: float) -> tuple[Tensor, Tensor]:
    """How batch `index` of an epoch is mixed: the share of a sample itself, and the partner (rows,) int64 of each."""
    size = max(1, min(64, 2**18 // rows))
    shares, partners = mixings(seed, epoch, number, index // size, size, rows, alpha)
    return shares[index % size], partners[index % size]


def mixed_pairs(x: Tensor, weight: Tensor, partner: Tensor) -> Tensor:
    """Batch (B, ...): weight * x + (1 - weight) * x[partner]."""
    return x.index_select(0, partner).lerp_(x, weight)


def normalized_by(x: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Images (B, C, H, W): (x - mean) / std by channel."""
    return (x - column(mean, x.device)).div_(column(std, x.device))


@lru_cache(maxsize=32)
def column(values: tuple[float, ...], device: torch.device) -> Tensor:
    """float32 (1, C, 1, 1) on the device; copied there once."""
    return torch.tensor(values, dtype=torch.float32, device=device).view(1, -1, 1, 1)
