"""Augmentations: random changes of the training rows, each sample with draws of its own."""

from __future__ import annotations

from typing import ClassVar

from engine.parts.part import Part, part, setting


class Augmentation(Part):
    """A random change of a batch on its device; its draws come from (seed, epoch, part), row i for sample i.

    Images are augmented after bytes are scaled to [0, 1], and other numbers by the largest of the training images
    where that is above 1, and before mean and standard deviation are applied; rows of a table after they are scaled.
    """

    family: ClassVar[str] = "augmentation"
    images_only: ClassVar[bool] = True


@part
class RandomRotation(Augmentation):
    """Turns each image by an angle of its own, drawn evenly from -degrees to degrees; corners fill with black.

    Bilinear, about the centre. Shapes: (C, H, W), kept. Units: degrees.
    """

    degrees: float = setting(10.0, help="largest angle, either way", ge=0, le=180, smaller="tamer", larger="wilder")


@part
class RandomHorizontalFlip(Augmentation):
    """Mirrors each image left to right with probability p. Not for digits or letters.

    Shapes: (C, H, W), kept.
    """

    p: float = setting(0.5, help="share of images that are mirrored", ge=0, le=1)


@part
class GaussianNoise(Augmentation):
    """Adds normal noise to every value: x + std * e, e of mean 0 and variance 1.

    Any shape, kept. Units of std: the brightest pixel is 1 (255 of bytes, else the largest value of the training
    images, or 1 where all are smaller) for images; standard deviations for columns that are standardised.
    """

    images_only: ClassVar[bool] = False

    std: float = setting(0.1, help="standard deviation of the noise", ge=0, log=True, smaller="tamer", larger="wilder")
