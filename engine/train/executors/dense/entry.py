"""What happens to raw rows before the first layer: scaling, augmentation, mean and standard deviation."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.data.prepared import Scaling
from engine.train.build.augmentation import Augmenter
from engine.train.feed.feed import Feed
from engine.train.feed.resident import ResidentFeed

WIDE_BYTES = 1 << 28
"""Memory that a copy of the rows may take that has the column of ones already."""


class Entry:
    """Brings raw rows (B, *shape) into float32 memory (B, features), the same numbers as the autograd executor has."""

    def __init__(self, scaling: Scaling | None, augment: Augmenter | None, shape: tuple[int, ...], feed: Feed) -> None:
        if scaling is not None and (scaling.scale, {*scaling.mean}, {*scaling.std}) == (1, {0}, {1}):
            scaling = None  # numbers as they are: bytes always have a scale
        self._scaling, self._augment, self._shape, self._feed = scaling, augment, shape, feed
        self._mean = self._std = torch.zeros(0)
        if scaling is not None:
            self._mean, self._std = (self._by_feature(values) for values in (scaling.mean, scaling.std))
        self._resident = feed if isinstance(feed, ResidentFeed) and augment is None else None
        self._wide: torch.Tensor | None = None
        """(rows, features + 1) with ones in the last column."""
        if self._resident is not None and scaling is None:
            x, _ = self._resident.tensors
            if x.dtype == torch.float32 and len(x) * (x[:1].numel() + 1) * 4 <= WIDE_BYTES:
                flat = x.flatten(1)
                self._wide = torch.cat((flat, flat.new_ones(len(flat), 1)), 1)
        self._raw: dict[int, torch.Tensor] = {}

    def _by_feature(self, values: Sequence[float]) -> torch.Tensor:
        """One value a feature, from one a channel."""
        by_channel = torch.tensor(values, dtype=torch.float32).view(-1, *[1] * (len(self._shape) - 1))
        return by_channel.expand(self._shape).reshape(-1)

    def batches(self, epoch: int, first: int, x: torch.Tensor, y: torch.Tensor) -> None:
        """Training batches from index `first` on into x (count, rows, features + 1), whose last column is left as it
        is, and their targets into y (count, rows, ...)."""
        count, rows = x.shape[:2]
        inputs = x[:, :, :-1]
        if self._resident is not None:
            chosen = self._resident.chosen(epoch, first, count)
            source, targets = self._resident.tensors
            torch.index_select(targets, 0, chosen, out=y.view(count * rows, *y.shape[2:]))
            if self._wide is not None:
                torch.index_select(self._wide, 0, chosen, out=x.view(count * rows, -1))
                return
            raw = self._raw.get(len(chosen))
            if raw is None:
                raw = self._raw[len(chosen)] = source.new_empty(len(chosen), *source.shape[1:])
            torch.index_select(source, 0, chosen, out=raw)
            inputs.copy_(raw.view(inputs.shape))
            self._scale(inputs)
        else:
            for offset, batch in enumerate(self._feed.batches(epoch, first, count)):
                y[offset].copy_(batch.y)
                if self._augment is None:
                    inputs[offset].copy_(batch.x.reshape(rows, -1))
                    self._scale(inputs[offset])
                else:
                    changed, _ = self._augment(batch.x, batch.positions, epoch, first + offset, self._to_unit)
                    inputs[offset].copy_(changed.reshape(rows, -1))
        self._normalize(inputs)

    def rows(self, x: torch.Tensor, place: torch.Tensor) -> None:
        """Rows of an evaluation into `place`, (B, features)."""
        if self._augment is None:
            place.copy_(x.view(place.shape))
            self._scale(place)
        else:
            place.copy_(self._augment.steady(self._to_unit(x)).reshape(place.shape))
        self._normalize(place)

    def _to_unit(self, x: torch.Tensor) -> torch.Tensor:
        if self._scaling is None:
            return x
        x = x.to(torch.float32)
        return x if self._scaling.scale == 1 else x * self._scaling.scale

    def _scale(self, x: torch.Tensor) -> None:
        if self._scaling is not None and self._scaling.scale != 1:
            x.mul_(self._scaling.scale)

    def _normalize(self, x: torch.Tensor) -> None:
        if self._scaling is not None:
            x.sub_(self._mean).div_(self._std)
