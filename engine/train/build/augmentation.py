"""Augmentations put to work: on the batch, on its device, each sample with draws of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from engine.parts.augmentation import Augmentation, GaussianNoise, RandomHorizontalFlip, RandomRotation
from engine.recipe.schema import Recipe


@dataclass(frozen=True)
class Mix:
    """Samples that were mixed in pairs: weight * x + (1 - weight) * x[partner]."""

    weight: Tensor
    """float32, no axes: the share of the sample itself."""
    partner: Tensor
    """(B,) int64, a permutation of the batch."""

    def loss(self, criterion: Callable[[Tensor, Tensor], Tensor], outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of the batch against both targets, mixed as the samples are.

        Every sample is partner of one other, so the denominator of a weighted mean is the same for both.
        """
        own, others = criterion(outputs, targets), criterion(outputs, targets[self.partner])
        return self.weight * own + (1 - self.weight) * others


class Augmenter:
    """Applies a recipe's augmentations in order.

    Draws come from (seed, epoch, index of the augmentation), row i for sample i of the training part, so neither the
    order of the batches nor their size changes what happens to a sample in an epoch.
    """

    def __init__(self, augmentations: Sequence[Augmentation], seed: int, device: torch.device | str) -> None:
        self.augmentations = list(augmentations)
        self.seed = seed
        self.device = torch.device(device)
        self._epoch = -1
        self._plans: list[Tensor] = []
        self._rows = 0

    @property
    def mixes(self) -> bool:
        """Whether batches come with a `Mix`, which the loss must take account of."""
        return False

    def steady(self, x: Tensor) -> Tensor:
        """What every row goes through, in training or not, of x (B, *shape)."""
        return x

    def __call__(
        self,
        x: Tensor,
        positions: Tensor,
        epoch: int,
        index: int = 0,
        to_unit: Callable[[Tensor], Tensor] = lambda x: x,
    ) -> tuple[Tensor, Mix | None]:
        """Batch x (B, *shape), raw, as `to_unit` scales it and changed, and how its samples were mixed.

        `positions` (B,), on the host, say which samples of the training part it holds; it is batch `index` of the
        epoch.
        """
        x = to_unit(x)
        rows = int(positions.max()) + 1
        if epoch != self._epoch or rows > self._rows:
            self._epoch, self._rows = epoch, max(2 * rows, self._rows)
            self._plans = [self._plan(number, x.shape[1:]) for number in range(len(self.augmentations))]
        positions = positions.to(self.device)
        for part, plan in zip(self.augmentations, self._plans, strict=True):
            x = APPLY[part.type_name()](part, x, plan[positions])
        return x, None

    def _plan(self, number: int, shape: torch.Size) -> Tensor:
        """What happens to every sample in this epoch. The first rows are the same however many are drawn."""
        part = self.augmentations[number]
        raw = np.random.default_rng([self.seed, self._epoch, number]).bit_generator.random_raw(self._rows)
        return torch.from_numpy(PLAN[part.type_name()](part, raw, shape)).to(self.device)


def build_augmentation(recipe: Recipe, device: torch.device | str) -> Augmenter | None:
    """What to call on every training batch, after images are scaled to [0, 1] and before mean and standard deviation;
    None where the recipe augments nothing."""
    augmentations = recipe.data.augment
    return Augmenter(augmentations, recipe.seed, device) if augmentations else None


Raw = npt.NDArray[np.uint64]


def unit(raw: Raw) -> npt.NDArray[np.float64]:
    """64 random bits as a number in [0, 1)."""
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53


def plan_rotation(part: Augmentation, raw: Raw, shape: torch.Size) -> npt.NDArray[Any]:
    """float32 (rows, 2, 3): the affine map of each sample."""
    assert isinstance(part, RandomRotation)
    angle = (2.0 * unit(raw) - 1.0) * math.radians(part.degrees)
    height, width = shape[-2:]
    cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    # Coordinates run from -1 to 1 on both axes, so turning an image that is not square needs the ratio of its sides.
    rows = [[cos, -sin * height / width, zero], [sin * width / height, cos, zero]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2).astype(np.float32)


def rotate(part: Augmentation, x: Tensor, plan: Tensor) -> Tensor:
    """Images (B, C, H, W), each turned by its own angle, bilinear, corners filled with zeros."""
    grid = functional.affine_grid(plan, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid.to(x.dtype), mode="bilinear", padding_mode="zeros", align_corners=False)


def plan_flip(part: Augmentation, raw: Raw, shape: torch.Size) -> npt.NDArray[Any]:
    """bool (rows, 1, 1, 1): who is mirrored."""
    assert isinstance(part, RandomHorizontalFlip)
    return (unit(raw) < part.p).reshape(-1, 1, 1, 1)


def flip(part: Augmentation, x: Tensor, plan: Tensor) -> Tensor:
    """Images (B, C, H, W), some mirrored left to right."""
    return torch.where(plan, x.flip(-1), x)


def plan_noise(part: Augmentation, raw: Raw, shape: torch.Size) -> npt.NDArray[Any]:
    """int64 (rows, 1): the key that each sample's noise grows from."""
    return raw.view(np.int64).reshape(-1, 1)


def noise(part: Augmentation, x: Tensor, plan: Tensor) -> Tensor:
    """Any batch (B, ...) with normal noise added."""
    assert isinstance(part, GaussianNoise)
    return x + part.std * normal(plan, x[0].numel()).reshape(x.shape).to(x.dtype)


def normal(key: Tensor, count: int) -> Tensor:
    """float32 (B, count) normal numbers from int64 keys (B, 1): Box-Muller over hashed counters.

    A counter-based generator (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011) makes a sample's noise
    the same in whatever batch it stands.
    """
    counter = torch.arange(count, device=key.device, dtype=torch.int64).reshape(1, -1)
    first, second = _uniform(key, 2 * counter), _uniform(key, 2 * counter + 1)
    return torch.sqrt(-2.0 * torch.log(first)) * torch.cos(2.0 * math.pi * second)


def _uniform(key: Tensor, counter: Tensor) -> Tensor:
    """float32 in (0, 1): splitmix64 (Steele et al., Fast splittable pseudorandom number generators, 2014)."""
    bits = key + (counter + 1) * -7046029254386353131  # 0x9e3779b97f4a7c15, the golden ratio
    bits = (bits ^ _shift(bits, 30)) * -4658895280553007687  # 0xbf58476d1ce4e5b9
    bits = (bits ^ _shift(bits, 27)) * -7723592293110705685  # 0x94d049bb133111eb
    bits = bits ^ _shift(bits, 31)
    return (_shift(bits, 41).float() + 0.5) / float(1 << 23)


def _shift(bits: Tensor, by: int) -> Tensor:
    """Logical shift to the right of int64."""
    return (bits >> by) & ((1 << (64 - by)) - 1)


PLAN: dict[str, Callable[[Augmentation, Raw, torch.Size], npt.NDArray[Any]]] = {
    "RandomRotation": plan_rotation,
    "RandomHorizontalFlip": plan_flip,
    "GaussianNoise": plan_noise,
}
APPLY: dict[str, Callable[[Augmentation, Tensor, Tensor], Tensor]] = {
    "RandomRotation": rotate,
    "RandomHorizontalFlip": flip,
    "GaussianNoise": noise,
}
"""Builders of augmentations by name: what each sample draws in an epoch, and how a batch is changed by it."""
