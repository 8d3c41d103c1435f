"""Whether augmentations fit the samples, and do something."""

from __future__ import annotations

from collections.abc import Callable

from engine.parts.augmentation import Augmentation, ColorJitter, GaussianNoise, Mixup, Normalize
from engine.parts.part import ShapeError
from engine.parts.source import Builtin
from engine.recipe.checks.subject import Subject


def fitting(subject: Subject) -> None:
    """Augmentations of images need images, some of a certain size; some settings change nothing."""
    shape = subject.shape
    if shape is None:
        return
    for index, augmentation in enumerate(subject.recipe.data.augment):
        path, name = f"data.augment.{index}", augmentation.type_name()
        remove = subject.unset(path)
        if augmentation.images_only and len(shape) != 3:
            message = f"{name} works on images, but a sample is {' x '.join(map(str, shape))} numbers"
            subject.error(path, message, "remove it, or view rows as images with data.reshape", remove)
            continue
        try:
            augmentation.fits(shape)
        except ShapeError as error:
            subject.error(path, error.message, error.hint, remove)
            continue
        if augmentation.idle(shape):
            subject.warn(path, f"{name} changes nothing here", augmentation.useful, remove)
        else:
            _part_of_it_idle(subject, path, augmentation, shape)


def _part_of_it_idle(subject: Subject, path: str, augmentation: Augmentation, shape: tuple[int, ...]) -> None:
    """Settings of a useful augmentation that do nothing, or harm."""
    if isinstance(augmentation, ColorJitter) and shape[0] != 3:
        for name in ("saturation", "hue"):
            if getattr(augmentation, name):
                message = f"{name} needs images of three channels, and these have {shape[0]}: it changes nothing"
                subject.warn(f"{path}.{name}", message, "remove it", subject.unset(f"{path}.{name}"))
    if isinstance(augmentation, GaussianNoise) and augmentation.clip and len(shape) != 3:
        message = "clip cuts columns to [0, 1], and about half of the numbers of a standardised one are below 0"
        subject.warn(f"{path}.clip", message, "remove it", subject.unset(f"{path}.clip"))


def meaning(subject: Subject) -> None:
    """Mirrored digits are other digits."""
    source, shape = subject.recipe.data.source, subject.shape
    if shape is not None and len(shape) != 3:
        return
    for index, augmentation in enumerate(subject.recipe.data.augment):
        flips = augmentation.type_name() in ("RandomHorizontalFlip", "RandomVerticalFlip")
        if flips and isinstance(source, Builtin) and source.name == "digits":
            path = f"data.augment.{index}"
            subject.warn(path, "a mirrored digit is no digit, or another one", "remove it", subject.unset(path))


def together(subject: Subject) -> None:
    """What does not go with something else in the recipe."""
    data = subject.recipe.data
    mixing = [index for index, part in enumerate(data.augment) if isinstance(part, Mixup)]
    for index in mixing[1:]:
        path = f"data.augment.{index}"
        subject.error(path, "a batch is mixed only once", "keep one Mixup", subject.unset(path))
    if mixing and data.batch_size == 1:
        path = f"data.augment.{mixing[0]}"
        message = "Mixup mixes the samples of a batch, and a batch is one sample"
        subject.warn(path, message, "use a larger data.batch_size", subject.set("data.batch_size", 32))
    normalizing = [index for index, part in enumerate(data.augment) if isinstance(part, Normalize)]
    if normalizing and data.normalize != "none":
        path = f"data.augment.{normalizing[0]}"
        message = "data.normalize scales images as well, after Normalize: they are scaled twice"
        subject.warn(path, message, "set data.normalize: none", subject.set("data.normalize", "none"))


CHECKS: tuple[Callable[[Subject], None], ...] = (fitting, meaning, together)
