"""The order in which an epoch visits its rows: a pure function of (seed, epoch), so nothing about it needs saving."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def order(seed: int, epoch: int, rows: int, shuffle: bool = True) -> npt.NDArray[np.int64]:
    """Positions in the training part in the order of the epoch, (rows,) int64; `epoch` counts whole epochs done.

    One permutation an epoch, so that any position of it can be found again without replaying what came before.
    """
    if not shuffle:
        return np.arange(rows, dtype=np.int64)
    return np.random.default_rng([seed, epoch]).permutation(rows).astype(np.int64, copy=False)


def steps_per_epoch(rows: int, batch_size: int, drop_last: bool) -> int:
    """Updates in one epoch."""
    return rows // batch_size if drop_last else -(-rows // batch_size)
