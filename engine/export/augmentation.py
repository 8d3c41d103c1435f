"""The part of the file that changes training batches at random, with the draws that goodfit makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.errors import UserError
from engine.export.script import Script, literal
from engine.export.source import copy_from
from engine.parts.augmentation import Augmentation, Mixup
from engine.parts.part import Shape

FUNCTIONS = "engine.train.build.augmentations"
"""Where the plain functions are that goodfit itself changes batches by."""


def write_augmentation(script: Script, augmentations: Sequence[Augmentation], shape: Shape) -> None:
    """Define `draw(epoch, count, shape)`, `augment(x, rows, draws)`, and as far as they are needed `steady(x)` and
    `mix(epoch, index, count)`, whose results `augment` then takes too; `shape` is that of a sample."""
    script.use("import numpy as np", "import torch")
    copy_from(script, f"{FUNCTIONS}.draws", "keys_of")
    draws, changes = [], []
    for number, part in enumerate(augmentations):
        writer = EXPORTERS.get(part.type_name())
        if writer is None:
            raise UserError(
                f"{part.type_name()} cannot be written as code", "choose an augmentation that comes with goodfit"
            )
        plan, change = writer(script, part)
        draws.append(f"    keys = keys_of(SEED, epoch, {number}, rows)")
        draws.append(f"    plans.append({plan})")
        if not part.idle(shape):
            changes.append(f"    x = {change.replace('PLAN', f'draws[{number}][rows]')}")
    script.define(
        "\n".join(
            [
                "def draw(epoch: int, count: int, shape: tuple[int, ...]) -> list[torch.Tensor]:",
                '    """What happens to every sample in an epoch, row i for sample i."""',
                "    rows, plans = np.arange(count), []",
                *draws,
                "    return [torch.from_numpy(plan).to(DEVICE) for plan in plans]",
            ]
        )
    )
    mixed = ", share: torch.Tensor, partner: torch.Tensor" if mixes(augmentations) else ""
    script.define(
        "\n".join(
            [
                f"def augment(x: torch.Tensor, rows: torch.Tensor, draws: list[torch.Tensor]{mixed}) -> torch.Tensor:",
                '    """The batch, changed; `rows` say which samples it holds."""',
                *changes,
                "    return x",
            ]
        )
    )
    if is_steady(augmentations):
        _write_steady(script, augmentations)
    if mixes(augmentations):
        _write_mix(script, augmentations)


def mixes(augmentations: Sequence[Augmentation]) -> bool:
    """Whether the loss is of samples that were mixed."""
    return any(isinstance(part, Mixup) for part in augmentations)


def is_steady(augmentations: Sequence[Augmentation]) -> bool:
    """Whether something is done to every row, in training or not."""
    return any(part.steady for part in augmentations)


def _write_steady(script: Script, augmentations: Sequence[Augmentation]) -> None:
    changes = [f"    x = {EXPORTERS[part.type_name()](script, part)[1]}" for part in augmentations if part.steady]
    head = [
        "def steady(x: torch.Tensor) -> torch.Tensor:",
        '    """What every row goes through, in training or not."""',
    ]
    script.define("\n".join([*head, *changes, "    return x"]))


def _write_mix(script: Script, augmentations: Sequence[Augmentation]) -> None:
    number, part = next((n, part) for n, part in enumerate(augmentations) if isinstance(part, Mixup))
    copy_from(script, f"{FUNCTIONS}.values", "mixing")
    script.define(f'''
def mix(epoch: int, index: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """How a batch is mixed: the share of a sample itself, and the partner of each."""
    share, partner = mixing(SEED, epoch, {number}, index, count, {part.alpha!r})
    return share.to(DEVICE), partner.to(DEVICE)
''')


Pieces = tuple[str, str]
"""What each sample draws, from `keys` and `shape`; how `x` is changed by it, which is called PLAN."""


def _functions(script: Script, module: str, *names: str) -> None:
    copy_from(script, f"{FUNCTIONS}.{module}", *names)


def _rotation(script: Script, part: Any) -> Pieces:
    _functions(script, "draws", "whole")
    plan = f"whole(keys, 0, {2 * part.turns + 1})"
    if part.interpolation == "bilinear":
        _functions(script, "resample", "rotated_bilinear")
        return plan, f"rotated_bilinear(x, PLAN, {part.degrees!r}, {part.turns}, {part.fill!r})"
    _functions(script, "moves", "rotated", "moved")
    return plan, f"moved(x, rotated(PLAN, {part.degrees!r}, {part.turns}, *x.shape[-2:]), {part.fill!r})"


def _flip(axis: int) -> Callable[[Script, Any], Pieces]:
    def write(script: Script, part: Any) -> Pieces:
        _functions(script, "draws", "unit")
        _functions(script, "moves", "flipped", "moved")
        plan = f"(unit(keys, 0) < {part.p!r}).astype(np.int64)"
        return plan, f"moved(x, flipped(PLAN, {axis}, *x.shape[-2:]), None)"

    return write


def _crop(script: Script, part: Any) -> Pieces:
    _functions(script, "draws", "whole")
    _functions(script, "moves", "cropped", "moved")
    left, top, right, bottom = part.around
    fill = part.fill if part.padding_mode == "constant" else None
    return (
        f"whole(keys, 0, {(left + right + 1) * (top + bottom + 1)})",
        f"moved(x, cropped(PLAN, {part.around}, {literal(part.padding_mode)}, *x.shape[-2:]), {fill!r})",
    )


def _resized_crop(script: Script, part: Any) -> Pieces:
    _functions(script, "draws", "crops_of")
    plan = f"crops_of(keys, *shape[-2:], {tuple(part.scale)}, {tuple(part.ratio)})"
    if part.interpolation == "bilinear":
        _functions(script, "resample", "resized_bilinear")
        return plan, "resized_bilinear(x, PLAN)"
    _functions(script, "moves", "resized", "moved")
    return plan, "moved(x, resized(PLAN, *x.shape[-2:]), None)"


def _jitter(script: Script, part: Any) -> Pieces:
    _functions(script, "draws", "factors_of")
    _functions(script, "color", "jittered")
    reaches = f"{part.brightness!r}, {part.contrast!r}, {part.saturation!r}, {part.hue!r}"
    return f"factors_of(keys, {reaches})", f"jittered(x, PLAN, {reaches})"


def _erasing(script: Script, part: Any) -> Pieces:
    _functions(script, "draws", "erasures_of")
    _functions(script, "values", "erased")
    plan = f"erasures_of(keys, *shape[-2:], {part.p!r}, {tuple(part.scale)}, {tuple(part.ratio)})"
    if part.value == "random":
        _functions(script, "values", "normal")
        return plan, "erased(x, PLAN, normal(PLAN[:, 4:], x[0].numel(), 1.0).reshape(x.shape))"
    return plan, f"erased(x, PLAN, {part.value!r})"


def _noise(script: Script, part: Any) -> Pieces:
    _functions(script, "draws", "bits_of")
    _functions(script, "values", "noisy")
    return "bits_of(keys, 0).view(np.int64).reshape(-1, 1)", f"noisy(x, PLAN, {part.std!r}, {part.clip})"


def _mixup(script: Script, part: Any) -> Pieces:
    _functions(script, "values", "mixed_pairs")
    return "np.zeros(count, np.int64)", "mixed_pairs(x, share, partner)"


def _normalize(script: Script, part: Any) -> Pieces:
    _functions(script, "values", "normalized_by")
    return "np.zeros(count, np.int64)", f"normalized_by(x, {tuple(part.mean)}, {tuple(part.std)})"


EXPORTERS: dict[str, Callable[[Script, Any], Pieces]] = {
    "RandomRotation": _rotation,
    "RandomHorizontalFlip": _flip(-1),
    "RandomVerticalFlip": _flip(-2),
    "RandomResizedCrop": _resized_crop,
    "RandomCrop": _crop,
    "ColorJitter": _jitter,
    "RandomErasing": _erasing,
    "GaussianNoise": _noise,
    "Mixup": _mixup,
    "Normalize": _normalize,
}
"""Writers of augmentations."""
