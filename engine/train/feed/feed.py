"""What every feed does: hand over the batches of an epoch, one after another, on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch


class Batch(NamedTuple):
    """One batch on the device, raw: not yet scaled and not yet augmented."""

    x: torch.Tensor
    """(B, *shape), float32 or uint8."""
    y: torch.Tensor
    """int64 (B,) for classes, else float32 (B, outputs)."""
    positions: torch.Tensor
    """(B,) int64, positions in the training part; on the host."""


class Feed(Protocol):
    """A source of batches. The same epoch gives the same batches, bit for bit, from every feed."""

    kind: str
    """resident, mapped or workers."""
    reason: str
    """Why it is this one, in words."""

    def batch(self, epoch: int, index: int) -> Batch:
        """Batch `index` of the epoch that comes after `epoch` whole ones."""

    def batches(self, epoch: int, first: int, count: int) -> Sequence[Batch]:
        """So many batches of an epoch from `first` on, the very ones that `batch` gives."""

    def positions(self, epoch: int, index: int) -> npt.NDArray[np.int64]:
        """Positions in the training part of that batch's rows, on the host."""

    def close(self) -> None:
        """Let go of processes and memory."""


def one_by_one(feed: Feed, epoch: int, first: int, count: int) -> Sequence[Batch]:
    """What `batches` gives where nothing is gained by gathering several at once."""
    return [feed.batch(epoch, first + offset) for offset in range(count)]
