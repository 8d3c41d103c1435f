"""Augmentations that move pixels to places between pixels: means of the nearest four."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def rotated_bilinear(x: Tensor, turn: Tensor, degrees: float, turns: int, fill: float) -> Tensor:
    """Images (B, C, H, W), turned by (turn / turns - 1) * degrees, counter-clockwise; turn (B,)."""
    height, width = x.shape[-2:]
    angle = (turn.float() - turns) * (math.radians(degrees) / max(turns, 1))
    cos, sin, zero = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)
    # Coordinates run from -1 to 1 on both axes, so turning an image that is not square needs the ratio of its sides.
    rows = [[cos, -sin * height / width, zero], [sin * width / height, cos, zero]]
    maps = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
    grid = functional.affine_grid(maps, list(x.shape), align_corners=False).to(x.dtype)
    # what lies outside counts as 0
    shifted = x if fill == 0 else x - fill
    shifted = functional.grid_sample(shifted, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return shifted if fill == 0 else shifted + fill


def resized_bilinear(x: Tensor, box: Tensor) -> Tensor:
    """Images (B, C, H, W) whose pieces box (B, 4), top, left, height and width, are stretched to the whole image."""
    batch, channels, height, width = x.shape
    top, left, h, w = box.float().unsqueeze(2).unbind(1)
    rows, columns = hats(top, h, height), hats(left, w, width)
    # (B, W', W) by (B, W, C H), then (B, H', H) by (B, H, W' C): no copy between, and channels come out last
    x = torch.bmm(columns, x.reshape(batch, channels * height, width).transpose(1, 2))
    x = torch.bmm(rows, x.view(batch, width * channels, height).transpose(1, 2))
    return x.view(batch, height, width, channels).permute(0, 3, 1, 2)


def hats(start: Tensor, length: Tensor, size: int) -> Tensor:
    """(B, size, size): the share of each pixel of a line in each of the result, for the pieces from start (B, 1),
    length (B, 1) long, stretched to the whole line."""
    line = torch.arange(size, dtype=torch.float32, device=start.device)
    place = ((line + 0.5) * (length / size) - 0.5).clamp_(min=0.0)
    place = torch.minimum(place, length - 1).add_(start)
    return (place.unsqueeze(2) - line).abs_().neg_().add_(1.0).clamp_(min=0.0)
