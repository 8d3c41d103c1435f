"""Augmentations that only move pixels: for every pixel of the result, which one of the image it is.

An index (n, H * W) int64 names the pixel by its place in the flattened image; H * W stands for a place outside it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def moved(x: Tensor, index: Tensor, fill: float | None) -> Tensor:
    """Images (B, C, H, W) with the pixels that `index` (B, H * W) names, places outside filled with `fill`; None where
    no place lies outside."""
    pixels = x.flatten(2)
    if fill is not None:
        pixels = functional.pad(pixels, (0, 1), value=fill)
    return pixels.gather(2, index.unsqueeze(1).expand(-1, x.shape[1], -1)).view(x.shape)


def rotated(turn: Tensor, degrees: float, turns: int, height: int, width: int) -> Tensor:
    """Index of the nearest pixel of images turned by (turn / turns - 1) * degrees, counter-clockwise; turn (n,).

    Reckoned in whole numbers, sine and cosine in 65,536ths, so that a tie falls the same way everywhere.
    """
    angle = (turn.float() - turns).reshape(-1, 1, 1) * (math.radians(degrees) / max(turns, 1))
    cos = torch.round(torch.cos(angle) * 65536).to(torch.int32)
    sin = torch.round(torch.sin(angle) * 65536).to(torch.int32)
    # twice the distance from the centre, which lies between two pixels where a side is even
    down = (2 * torch.arange(height, dtype=torch.int32, device=turn.device) - (height - 1)).reshape(1, -1, 1)
    right = (2 * torch.arange(width, dtype=torch.int32, device=turn.device) - (width - 1)).reshape(1, 1, -1)
    column = (cos * right - sin * down + width * 65536) >> 17
    row = (sin * right + cos * down + height * 65536) >> 17
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return torch.where(inside, row * width + column, height * width).flatten(1).to(torch.int64)


def flipped(flip: Tensor, axis: int, height: int, width: int) -> Tensor:
    """Index of images mirrored along `axis`, -1 left to right, -2 top to bottom, where flip (n,) is 1."""
    plain = torch.arange(height * width, device=flip.device).view(1, height, width)
    return torch.where(flip.view(-1, 1, 1) == 1, plain.flip(axis), plain).flatten(1)


def cropped(place: Tensor, around: tuple[int, int, int, int], mode: str, height: int, width: int) -> Tensor:
    """Index of the window number place (n,) of images that are padded by `around`: left, top, right, bottom.

    Windows are counted row by row from the top left corner.
    """
    left, top, right, _ = around
    row = torch.arange(height, device=place.device) + (place // (left + right + 1) - top).view(-1, 1)
    column = torch.arange(width, device=place.device) + (place % (left + right + 1) - left).view(-1, 1)
    if mode == "constant":
        # outside in either direction, the sum is at least the number of pixels
        outside = height * width
        row = torch.where((row >= 0) & (row < height), row * width, outside)
        column = torch.where((column >= 0) & (column < width), column, outside)
        return (row.unsqueeze(2) + column.unsqueeze(1)).clamp(max=outside).flatten(1)
    row, column = inside(row, height, mode), inside(column, width, mode)
    return (row.unsqueeze(2) * width + column.unsqueeze(1)).flatten(1)


def inside(place: Tensor, length: int, mode: str) -> Tensor:
    """Places of a line, those outside brought back into it: at its end, or mirrored, less than a length away."""
    if mode == "edge":
        return place.clamp(0, length - 1)
    if mode == "reflect":
        return (length - 1) - ((length - 1) - place.abs()).abs()
    place = torch.where(place < 0, -1 - place, place)
    return torch.where(place >= length, 2 * length - 1 - place, place)


def resized(box: Tensor, height: int, width: int) -> Tensor:
    """Index of the nearest pixel of pieces, stretched to the whole image; box (n, 4): top, left, height, width."""
    top, left, h, w = box.unsqueeze(2).unbind(1)
    row = top + torch.arange(height, device=box.device) * h // height
    column = left + torch.arange(width, device=box.device) * w // width
    return (row.unsqueeze(2) * width + column.unsqueeze(1)).flatten(1)


def composed(first: Tensor, second: Tensor, outside: int) -> Tensor:
    """Index (n, H * W) of moving pixels by `first`, then by `second`; `outside` is H * W."""
    return functional.pad(first, (0, 1), value=outside).gather(1, second)
