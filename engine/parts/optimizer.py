"""Optimizers: how weights move."""

from __future__ import annotations

from typing import ClassVar

from engine.parts.part import Part, setting


class Optimizer(Part):
    """An update rule. Every optimizer has a base learning rate that the schedule multiplies."""

    family: ClassVar[str] = "optimizer"

    lr: float = setting(
        1e-3,
        help="learning rate",
        gt=0,
        live=True,
        log=True,
        smaller="slower, steadier",
        larger="faster, may diverge",
    )
