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


def resized_bilinear(x: Tensor, box: Tensor, row: Tensor | None = None, column: Tensor | None = None) -> Tensor:
    """Images (B, C, H, W) whose pieces box (B, 4), top, left, height and width, are stretched to the whole image.

    `row` (B, H) and `column` (B, W) int64 say which lines of it to take, and H and W to take 0; left out: all in order.
    """
    batch, channels, height, width = x.shape
    top, left, h, w = box.float().unsqueeze(2).unbind(1)
    # lines: every line of the result is a mean of two of the image, looked up
    place = places(top, h, height)
    if row is not None:
        place = functional.pad(place, (0, 1)).gather(1, row)
    upper = place.floor().clamp_(max=height - 2) if height > 1 else place
    share = place - upper
    first = (torch.arange(batch * channels, device=x.device) * height).view(batch, channels, 1, 1)
    pair = upper.long().view(batch, 1, height, 1) + (first + torch.arange(2, device=x.device).clamp_(max=height - 1))
    shares = torch.stack([1.0 - share, share], dim=2)
    if row is not None:
        shares = shares * (row < height).unsqueeze(2)
    shares = shares.unsqueeze(1).expand(pair.shape).reshape(-1, 2)
    lines = functional.embedding_bag(pair.view(-1, 2), x.reshape(-1, width), per_sample_weights=shares, mode="sum")
    # columns: by a matrix with two numbers in every column, none for a place that is far from all
    place = places(left, w, width)
    if column is not None:
        place = functional.pad(place, (0, 1), value=-2.0).gather(1, column)
    columns = place.unsqueeze(1) - torch.arange(width, dtype=torch.float32, device=x.device).view(-1, 1)
    columns = (1.0 - columns.abs_()).clamp_(min=0.0)
    return torch.bmm(lines.view(batch, channels * height, width), columns).view(x.shape)


def places(start: Tensor, length: Tensor, size: int) -> Tensor:
    """(B, size): where in a line the pixels of the result lie, for the pieces from start (B, 1), length (B, 1) long,
    stretched to the whole line."""
    line = torch.arange(size, dtype=torch.float32, device=start.device)
    place = ((line + 0.5) * (length / size) - 0.5).clamp_(min=0.0)
    return torch.minimum(place, length - 1).add_(start)
