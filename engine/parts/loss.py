"""Losses: what training minimises."""

from __future__ import annotations

from typing import ClassVar

from engine.parts.part import Part


class Loss(Part):
    """A loss over a batch: outputs of the network, targets, to one number (the mean over samples)."""

    family: ClassVar[str] = "loss"
    tasks: ClassVar[tuple[str, ...]] = ()
    """Tasks that the loss fits."""
