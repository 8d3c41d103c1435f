"""Prepared data: arrays by part, ready for the network, and the fitted statistics that any later row goes through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data.facts import Facts
from engine.data.samples import Samples


@dataclass(frozen=True)
class Part:
    """One part of the data."""

    x: Samples
    """(N, *shape): float32 rows, already scaled; or raw images, float32 or uint8, that the feed scales. Images from
    files stay on disk (`Mapped`): take some of them at a time."""
    y: npt.NDArray[Any]
    """int64 (N,) for classification; else float32 (N, outputs): 0/1 labels, or standardised numbers."""
    rows: npt.NDArray[np.int64]
    """(N,) index of each row in the source."""


@dataclass(frozen=True)
class Scaling:
    """What the feed does to raw images: `x * scale`, then augmentation, then `(x - mean) / std` by channel."""

    scale: float
    """1/255 for uint8; for floats 1, or 1 / largest size of a training value where that is above 1."""
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Fitted:
    """All that using a trained model on new rows needs: plain JSON, kept in every checkpoint."""

    state: dict[str, Any]


@dataclass(frozen=True)
class Prepared:
    """A recipe's data, split and scaled."""

    train: Part
    validation: Part
    test: Part | None
    facts: Facts
    fitted: Fitted
    scaling: Scaling | None
    """None where rows are scaled already (tables)."""
