"""Augmentations: random changes of the training rows, each sample with draws of its own."""

from __future__ import annotations

from typing import ClassVar

from engine.parts.part import Part


class Augmentation(Part):
    """A random change of a batch on its device; its draws come from (seed, epoch, part), row i for sample i."""

    family: ClassVar[str] = "augmentation"
    images_only: ClassVar[bool] = True
