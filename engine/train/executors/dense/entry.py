"""What happens to raw rows before the first layer: scaling, augmentation, mean and standard deviation."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.data.prepared import Scaling
from engine.train.build.augmentation import Augmenter
from engine.train.feed.feed import Batch


class Entry:
    """Brings raw rows (B, *shape) into float32 memory (B, features), the same numbers as the autograd executor has."""

    def __init__(self, scaling: Scaling | None, augment: Augmenter | None, shape: tuple[int, ...]) -> None:
        self._scaling, self._augment, self._shape = scaling, augment, shape
        self._mean = self._std = torch.zeros(0)
        if scaling is not None:
            self._mean, self._std = (self._by_feature(values) for values in (scaling.mean, scaling.std))

    def _by_feature(self, values: Sequence[float]) -> torch.Tensor:
        """One value a feature, from one a channel."""
        by_channel = torch.tensor(values, dtype=torch.float32).view(-1, *[1] * (len(self._shape) - 1))
        return by_channel.expand(self._shape).reshape(-1)

    def batches(
        self, batches: Sequence[Batch], epoch: int, first: int, whole: torch.Tensor, places: Sequence[torch.Tensor]
    ) -> None:
        """Training batches from index `first` on, into `places`, (B, features) each, that lie in `whole`, (count, B,
        features)."""
        if self._augment is None:
            rows = [batch.x.view(place.shape) for batch, place in zip(batches, places, strict=True)]
            torch._foreach_copy_(list(places), rows)
            self._scale(whole)
        else:
            for offset, (batch, place) in enumerate(zip(batches, places, strict=True)):
                x, _ = self._augment(batch.x, batch.positions, epoch, first + offset, self._to_unit)
                place.copy_(x.reshape(place.shape))
        self._normalize(whole)

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
