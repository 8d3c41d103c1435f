"""A bilinear RandomResizedCrop and the flips and crops that follow it, at once.

What follows only chooses lines and columns of the result, so they are chosen before anything is worked out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from engine.parts.augmentation import (
    Augmentation,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
)
from engine.train.build.augmentations.gather import LARGEST_TABLE, every_pair, fill_of, variants_of
from engine.train.build.augmentations.moves import cropped, flipped
from engine.train.build.augmentations.resample import resized_bilinear


def stretches(part: Augmentation) -> bool:
    """Whether it is a RandomResizedCrop whose pixels are means of four."""
    return isinstance(part, RandomResizedCrop) and part.interpolation == "bilinear"


class Stretch:
    """The crop, and what it takes along."""

    def __init__(self, number: int, height: int, width: int, device: torch.device) -> None:
        """`number` is the place of its plan."""
        self._number, self._moves = number, list[tuple[int, Augmentation]]()
        self._height, self._width, self._device = height, width, device
        self._rows: Tensor | None = None
        self._columns: Tensor | None = None
        """(variants, H) and (variants, W), variants of all moves combined, those of the last one next to each other:
        which lines and columns the result is made of, H and W for those that come from outside."""

    def take(self, number: int, part: Augmentation) -> bool:
        """Whether it has taken this move over, the next one in order."""
        if not isinstance(part, RandomHorizontalFlip | RandomVerticalFlip | RandomCrop) or fill_of(part):
            return False
        held = 1 if self._rows is None else len(self._rows)
        if held * variants_of(part) * (self._height + self._width) > LARGEST_TABLE:
            return False
        rows, columns = (each.to(self._device) for each in lines_of(part, self._height, self._width))
        self._rows = rows if self._rows is None else every_pair(self._rows, rows, self._height)
        self._columns = columns if self._columns is None else every_pair(self._columns, columns, self._width)
        self._moves.append((number, part))
        return True

    def combined(self, plans: Sequence[Tensor]) -> dict[int, Tensor]:
        """What it needs of the plans of all augmentations: its own, and by the place of the first move the line in the
        tables (n,)."""
        result = {self._number: plans[self._number]}
        if self._moves:
            first = self._moves[0][0]
            result[first] = plans[first]
            for number, part in self._moves[1:]:
                result[first] = result[first] * variants_of(part) + plans[number]
        return result

    def __call__(self, x: Tensor, plans: Mapping[int, Tensor]) -> Tensor:
        """Images (B, C, H, W), changed; `plans` as `combined` gives them."""
        box = plans[self._number]
        if self._rows is None or self._columns is None:
            return resized_bilinear(x, box)
        line = plans[self._moves[0][0]]
        return resized_bilinear(x, box, self._rows.index_select(0, line), self._columns.index_select(0, line))


def lines_of(part: Augmentation, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The lines (variants, H) and columns (variants, W) that each variant of a flip or crop is made of."""
    plan = torch.arange(variants_of(part))
    if isinstance(part, RandomCrop):
        left, top, right, bottom = part.around
        down, along = plan // (left + right + 1), plan % (left + right + 1)
        rows = cropped(down, (0, top, 0, bottom), part.padding_mode, height, 1)
        return rows, cropped(along, (left, 0, right, 0), part.padding_mode, 1, width)
    axis = -1 if isinstance(part, RandomHorizontalFlip) else -2
    return flipped(plan, axis, height, 1), flipped(plan, axis, 1, width)
