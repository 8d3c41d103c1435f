"""Augmentations put to work: on the batch, on its device, each sample with draws of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.errors import UserError
from engine.parts.augmentation import (
    Augmentation,
    ColorJitter,
    GaussianNoise,
    Mixup,
    Normalize,
    RandomCrop,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
)
from engine.recipe.schema import Recipe
from engine.train.build.augmentations import color, resample, values
from engine.train.build.augmentations.draws import (
    Array,
    bits_of,
    crops_of,
    erasures_of,
    factors_of,
    keys_of,
    unit,
    whole,
)
from engine.train.build.augmentations.gather import Gather, fill_of, index_of, moves_only
from engine.train.build.augmentations.moves import moved
from engine.train.build.augmentations.stretch import Stretch, stretches

ROWS = 1 << 15
"""Samples whose draws are made at once and kept for an epoch; those of more are made batch by batch."""


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


Change = Callable[[Tensor, Mapping[int, Tensor], Mix | None], Tensor]
"""A batch, the plans of its samples by augmentation, how it is mixed; to the batch, changed."""


class Augmenter:
    """Applies a recipe's augmentations in order.

    Draws come from (seed, epoch, index of the augmentation), row i for sample i of the training part, so neither the
    order of the batches nor their size changes what happens to a sample in an epoch. How a batch is mixed comes from
    (seed, epoch, index of the augmentation, index of the batch).
    """

    def __init__(self, augmentations: Sequence[Augmentation], seed: int, device: torch.device | str) -> None:
        for part in augmentations:
            if part.type_name() not in PLAN:
                raise UserError(
                    f"goodfit does not know how to apply {part.type_name()}", "use an augmentation of `goodfit parts`"
                )
        self.augmentations = list(augmentations)
        self.seed = seed
        self.device = torch.device(device)
        self._steady = [part for part in self.augmentations if part.steady]
        self._mixup = next(((n, part) for n, part in enumerate(self.augmentations) if isinstance(part, Mixup)), None)
        self._epoch, self._rows = -1, 0
        self._plans: dict[int, Tensor] = {}
        self._shape: torch.Size | None = None
        self._early: Gather | None = None
        self._joint: list[Gather | Stretch] = []
        """What does several augmentations at once."""
        self._changes: list[Change] = []
        self._drawing: list[int] = []
        """Other augmentations whose samples draw something."""

    @property
    def mixes(self) -> bool:
        """Whether batches come with a `Mix`, which the loss must take account of."""
        return self._mixup is not None

    def steady(self, x: Tensor) -> Tensor:
        """What every row goes through, in training or not, of x (B, *shape), scaled."""
        for part in self._steady:
            x = APPLY[part.type_name()](part, x, x)
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
        if x.shape[1:] != self._shape:
            self._lay_out(x.shape[1:])
        mix = self.mix(epoch, index, len(x))
        return self._change(x, self._chosen(positions, epoch), mix, to_unit), mix

    def change(
        self,
        x: Tensor,
        plans: Sequence[Tensor],
        mix: Mix | None = None,
        to_unit: Callable[[Tensor], Tensor] = lambda x: x,
    ) -> Tensor:
        """Batch x (B, *shape), raw, scaled and changed as `plans` say, one tensor (B, ...) an augmentation.

        All on the device: nothing is copied to it and nothing waited for, after the first call for a shape.
        """
        if x.shape[1:] != self._shape:
            self._lay_out(x.shape[1:])
        return self._change(x, self._combined(plans), mix, to_unit)

    def _change(
        self, x: Tensor, plans: Mapping[int, Tensor], mix: Mix | None, to_unit: Callable[[Tensor], Tensor]
    ) -> Tensor:
        if self._early is not None:
            x = self._early(x, plans)  # bytes are moved faster than floats, and scaling them later gives the same
        x = to_unit(x)
        for change in self._changes:
            x = change(x, plans, mix)
        return x

    def mix(self, epoch: int, index: int, rows: int) -> Mix | None:
        """How batch `index` of the epoch, of so many rows, is mixed."""
        if self._mixup is None:
            return None
        number, part = self._mixup
        weight, partner = values.mixing(self.seed, epoch, number, index, rows, part.alpha)
        return Mix(weight.to(self.device), partner.to(self.device))

    def plans(self, epoch: int, rows: int, shape: Sequence[int]) -> list[Tensor]:
        """What happens to the samples 0 to rows - 1 in an epoch: one tensor (rows, ...) an augmentation, on the
        device."""
        blocks = [self._draw(np.arange(at, min(at + ROWS, rows)), epoch, shape) for at in range(0, rows, ROWS)]
        return [torch.cat(each).to(self.device) for each in zip(*blocks, strict=True)]

    def _chosen(self, positions: Tensor, epoch: int) -> dict[int, Tensor]:
        """What the changes need of the plans of a batch."""
        assert self._shape is not None
        rows = int(positions.max()) + 1
        if rows > ROWS:
            return self._combined([plan.to(self.device) for plan in self._draw(positions.numpy(), epoch, self._shape)])
        if epoch != self._epoch or rows > self._rows:
            self._epoch, self._rows = epoch, max(self._rows, 1 << (rows - 1).bit_length())
            self._plans = self._combined(self.plans(epoch, self._rows, self._shape))
        positions = positions.to(self.device)
        return {number: plan.index_select(0, positions) for number, plan in self._plans.items()}

    def _combined(self, plans: Sequence[Tensor]) -> dict[int, Tensor]:
        """What the changes need of the plans."""
        needed = {number: plans[number] for number in self._drawing}
        for joint in self._joint:
            needed |= joint.combined(plans)
        return needed

    def _draw(self, rows: Array, epoch: int, shape: Sequence[int]) -> list[Tensor]:
        return [
            torch.from_numpy(PLAN[part.type_name()](part, keys_of(self.seed, epoch, number, rows), shape))
            for number, part in enumerate(self.augmentations)
        ]

    def _lay_out(self, shape: torch.Size) -> None:
        """Find what can be done at once. Augmentations that change nothing are left out."""
        self._shape, self._early, self._changes, self._joint, self._drawing = shape, None, [], [], []
        self._epoch, self._rows = -1, 0
        moves: list[tuple[int, Augmentation]] = []
        stretch: Stretch | None = None
        for number, part in enumerate(self.augmentations):
            if part.idle(tuple(shape)) or (stretch is not None and stretch.take(number, part)):
                continue
            stretch = None
            if moves_only(part):
                if not go_together([each for _, each in moves], part):
                    self._gather(moves)
                    moves = []
                moves.append((number, part))
                continue
            self._gather(moves)
            moves = []
            if stretches(part):
                stretch = self._stretch(number)
                continue
            self._changes.append(alone(number, part))
            if PLAN[part.type_name()] is not plan_nothing:
                self._drawing.append(number)
        self._gather(moves)

    def _gather(self, moves: list[tuple[int, Augmentation]]) -> None:
        if not moves:
            return
        assert self._shape is not None
        gather = Gather(moves, self._shape[-2], self._shape[-1], self.device)
        self._joint.append(gather)
        if not self._changes and self._early is None and not gather.fill:
            self._early = gather
        else:
            self._changes.append(lambda x, plans, mix: gather(x, plans))

    def _stretch(self, number: int) -> Stretch:
        assert self._shape is not None
        stretch = Stretch(number, self._shape[-2], self._shape[-1], self.device)
        self._joint.append(stretch)
        self._changes.append(lambda x, plans, mix: stretch(x, plans))
        return stretch


def build_augmentation(recipe: Recipe, device: torch.device | str) -> Augmenter | None:
    """What to call on every training batch; None where the recipe augments nothing."""
    augmentations = recipe.data.augment
    return Augmenter(augmentations, recipe.seed, device) if augmentations else None


def go_together(moves: Sequence[Augmentation], part: Augmentation) -> bool:
    """Whether what comes from outside has one value for all of them."""
    return len({fill for each in (*moves, part) if (fill := fill_of(each)) is not None}) <= 1


def alone(number: int, part: Augmentation) -> Change:
    """The change that one augmentation makes."""
    if isinstance(part, Mixup):
        return lambda x, plans, mix: x if mix is None else values.mixed_pairs(x, mix.weight, mix.partner)
    apply = APPLY[part.type_name()]
    if PLAN[part.type_name()] is plan_nothing:
        return lambda x, plans, mix: apply(part, x, x)
    return lambda x, plans, mix: apply(part, x, plans[number])


# What each sample draws


def plan_rotation(part: Augmentation, keys: Array, shape: Sequence[int]) -> Array:
    """int64 (n,): number of the angle."""
    assert isinstance(part, RandomRotation)
    return whole(keys, 0, 2 * part.turns + 1)


def plan_flip(part: Augmentation, keys: Array, shape: Sequence[int]) -> Array:
    """int64 (n,): 1 for who is mirrored."""
    assert isinstance(part, RandomHorizontalFlip | RandomVerticalFlip)
    return (unit(keys, 0) < part.p).astype(np.int64)


def plan_crop(part: Augmentation, keys: Array, shape: Sequence[int]) -> Array:
    """int64 (n,): number of the window."""
    assert isinstance(part, RandomCrop)
    left, top, right, bottom = part.around
    return whole(keys, 0, (left + right + 1) * (top + bottom + 1))


def plan_resized_crop(part: Augmentation, keys: Array, shape: Sequence[int]) -> Array:
    """int64 (n, 4): top, left, height, width."""
    assert isinstance(part, RandomResizedCrop)
    return crops_of(keys, shape[-2], shape[-1], (part.scale[0], part.scale[1]), (part.ratio[0], part.ratio[1]))


def plan_jitter(part: Augmentation, keys: Array, shape: Sequence[int]) -> Array:
    """float32 (n, 4): factors of brightness, contrast and saturation, turn of the hue."""
    assert isinstance(part, ColorJitter)
    return factors_of(keys, part.brightness, part.contrast, part.saturation, part.hue)


def plan_erasing(part: Augmentation, keys: Array, shape: Sequence[int]) -> Array:
    """int64 (n, 5): top, left, height, width, zeros for who loses nothing; the key of random values."""
    assert isinstance(part, RandomErasing)
    scale, ratio = (part.scale[0], part.scale[1]), (part.ratio[0], part.ratio[1])
    return erasures_of(keys, shape[-2], shape[-1], part.p, scale, ratio)


def plan_noise(part: Augmentation, keys: Array, shape: Sequence[int]) -> Array:
    """int64 (n, 1): the key that each sample's noise grows from."""
    return bits_of(keys, 0).view(np.int64).reshape(-1, 1)


def plan_nothing(part: Augmentation, keys: Array, shape: Sequence[int]) -> Array:
    """(n,) zeros: no sample draws anything."""
    return np.zeros(len(keys), np.int64)


# How a batch is changed by it


def move(part: Augmentation, x: Tensor, plan: Tensor) -> Tensor:
    """Images (B, C, H, W) by an augmentation that only moves pixels."""
    return moved(x, index_of(part, plan, x.shape[-2], x.shape[-1]), fill_of(part))


def rotate(part: Augmentation, x: Tensor, plan: Tensor) -> Tensor:
    """Images, each turned by its own angle."""
    assert isinstance(part, RandomRotation)
    if part.interpolation == "nearest":
        return move(part, x, plan)
    return resample.rotated_bilinear(x, plan, part.degrees, part.turns, part.fill)


def resize(part: Augmentation, x: Tensor, plan: Tensor) -> Tensor:
    """Images, a piece of each stretched to the whole."""
    assert isinstance(part, RandomResizedCrop)
    return move(part, x, plan) if part.interpolation == "nearest" else resample.resized_bilinear(x, plan)


def jitter(part: Augmentation, x: Tensor, plan: Tensor) -> Tensor:
    """Images in other light and colours."""
    assert isinstance(part, ColorJitter)
    return color.jittered(x, plan, part.brightness, part.contrast, part.saturation, part.hue)


def erase(part: Augmentation, x: Tensor, plan: Tensor) -> Tensor:
    """Images with a piece painted over."""
    assert isinstance(part, RandomErasing)
    value = part.value
    if value == "random":
        return values.erased(x, plan, values.normal(plan[:, 4:], x[0].numel(), 1.0).reshape(x.shape))
    return values.erased(x, plan, value)


def noise(part: Augmentation, x: Tensor, plan: Tensor) -> Tensor:
    """Any batch (B, ...) with normal noise added."""
    assert isinstance(part, GaussianNoise)
    return values.noisy(x, plan, part.std, part.clip)


def normalize(part: Augmentation, x: Tensor, plan: Tensor) -> Tensor:
    """Images with mean and deviation taken out."""
    assert isinstance(part, Normalize)
    return values.normalized_by(x, tuple(part.mean), tuple(part.std))


PLAN: dict[str, Callable[[Augmentation, Array, Sequence[int]], Array]] = {
    "RandomRotation": plan_rotation,
    "RandomHorizontalFlip": plan_flip,
    "RandomVerticalFlip": plan_flip,
    "RandomResizedCrop": plan_resized_crop,
    "RandomCrop": plan_crop,
    "ColorJitter": plan_jitter,
    "RandomErasing": plan_erasing,
    "GaussianNoise": plan_noise,
    "Mixup": plan_nothing,
    "Normalize": plan_nothing,
}
APPLY: dict[str, Callable[[Augmentation, Tensor, Tensor], Tensor]] = {
    "RandomRotation": rotate,
    "RandomHorizontalFlip": move,
    "RandomVerticalFlip": move,
    "RandomResizedCrop": resize,
    "RandomCrop": move,
    "ColorJitter": jitter,
    "RandomErasing": erase,
    "GaussianNoise": noise,
    "Normalize": normalize,
}
"""Builders of augmentations by name: what each sample draws in an epoch, and how a batch is changed by it. How Mixup
changes one is no matter of its samples: `Augmenter.mix`."""
