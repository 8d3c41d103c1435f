"""Consecutive augmentations that only move pixels, as one gather over tables of indices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.parts.augmentation import (
    Augmentation,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
)
from engine.train.build.augmentations.moves import composed, cropped, flipped, moved, resized, rotated

LARGEST_TABLE = 1 << 22
"""Entries of a table, of 2 or 4 bytes each: 8 or 16 MiB, made in tens of milliseconds."""


def moves_only(part: Augmentation) -> bool:
    """Whether every pixel of the result is a pixel of the image or a constant."""
    if isinstance(part, RandomRotation | RandomResizedCrop):
        return part.interpolation == "nearest"
    return isinstance(part, RandomHorizontalFlip | RandomVerticalFlip | RandomCrop)


def fill_of(part: Augmentation) -> float | None:
    """What comes from outside the image; None where nothing does."""
    if isinstance(part, RandomCrop):
        return part.fill if part.padding_mode == "constant" else None
    return part.fill if isinstance(part, RandomRotation) else None


def index_of(part: Augmentation, plan: Tensor, height: int, width: int) -> Tensor:
    """Which pixels each sample is made of, (n, H * W) int64, by its plan (n, ...)."""
    match part:
        case RandomRotation():
            return rotated(plan, part.degrees, part.turns, height, width)
        case RandomHorizontalFlip():
            return flipped(plan, -1, height, width)
        case RandomVerticalFlip():
            return flipped(plan, -2, height, width)
        case RandomCrop():
            return cropped(plan, part.around, part.padding_mode, height, width)
        case RandomResizedCrop():
            return resized(plan, height, width)
    raise TypeError(f"{part.type_name()} does more than move pixels")


def variants_of(part: Augmentation) -> int:
    """How many different plans a part has; they are numbered from 0. 0: too many, or not numbered."""
    match part:
        case RandomRotation():
            return 2 * part.turns + 1
        case RandomHorizontalFlip() | RandomVerticalFlip():
            return 2
        case RandomCrop():
            left, top, right, bottom = part.around
            return (left + right + 1) * (top + bottom + 1)
    return 0


@dataclass(frozen=True)
class Piece:
    """Moves that share a table, or a single one without."""

    numbers: list[int]
    parts: list[Augmentation]
    table: Tensor | None
    """(variants, H * W), variants of all parts combined, those of the last part next to each other."""


class Gather:
    """Moves in a row, done at once."""

    def __init__(self, moves: Sequence[tuple[int, Augmentation]], height: int, width: int, device: torch.device):
        """`moves` with the places of their plans."""
        self.fill = next((fill for _, part in moves if (fill := fill_of(part)) is not None), None)
        self._height, self._width = height, width
        self._pieces = [self._piece(piece, device) for piece in tabled(moves, height * width)]

    def combined(self, plans: Sequence[Tensor]) -> dict[int, Tensor]:
        """What it needs of the plans of all augmentations: by the place of a group's first one, the plan of that one
        or, of those that share a table, the line in it (n,)."""
        result = {}
        for piece in self._pieces:
            plan = plans[piece.numbers[0]]
            for number, part in zip(piece.numbers[1:], piece.parts[1:], strict=True):
                plan = plan * variants_of(part) + plans[number]
            result[piece.numbers[0]] = plan
        return result

    def __call__(self, x: Tensor, plans: Mapping[int, Tensor]) -> Tensor:
        """Images (B, C, H, W), raw or scaled, with their pixels moved; `plans` as `combined` gives them."""
        index = self._index(self._pieces[0], plans)
        for piece in self._pieces[1:]:
            index = composed(index, self._index(piece, plans), self._height * self._width)
        return moved(x, index, self.fill)

    def _index(self, piece: Piece, plans: Mapping[int, Tensor]) -> Tensor:
        plan = plans[piece.numbers[0]]
        if piece.table is None:
            return index_of(piece.parts[0], plan, self._height, self._width)
        return piece.table.index_select(0, plan).long()

    def _piece(self, moves: Sequence[tuple[int, Augmentation]], device: torch.device) -> Piece:
        numbers, parts = [number for number, _ in moves], [part for _, part in moves]
        pixels, table = self._height * self._width, None
        if math.prod(map(variants_of, parts)) * pixels in range(1, LARGEST_TABLE + 1):
            for part in parts:
                index = index_of(part, torch.arange(variants_of(part)), self._height, self._width)
                table = index if table is None else every_pair(table, index, pixels)
        if table is not None:
            table = table.to(torch.int16 if pixels < 2**15 else torch.int32).to(device)
        return Piece(numbers, parts, table)


def every_pair(first: Tensor, second: Tensor, outside: int) -> Tensor:
    """Every index of first (m, H * W) followed by every one of second (n, H * W): (m * n, H * W)."""
    padded = functional.pad(first, (0, 1), value=outside)
    return padded.index_select(1, second.flatten()).view(-1, second.shape[1])


def tabled(moves: Sequence[tuple[int, Augmentation]], pixels: int) -> list[list[tuple[int, Augmentation]]]:
    """The moves in groups that can share a table each; what has none is a group of its own."""
    groups: list[list[tuple[int, Augmentation]]] = []
    entries = 0
    for move in moves:
        own = variants_of(move[1])
        if groups and own and 0 < entries * own <= LARGEST_TABLE:
            groups[-1].append(move)
            entries *= own
        else:
            groups.append([move])
            entries = own * pixels if own * pixels <= LARGEST_TABLE else 0
    return groups
