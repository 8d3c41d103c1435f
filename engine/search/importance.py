"""How much each searched setting matters to the result, from the trials alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.search.space import Dimension, Space

FEWEST = 4
"""Trials below which nothing can be said."""


def importance(space: Space, params: Sequence[Mapping[str, Any]], values: Sequence[float]) -> dict[str, float] | None:
    """Shares by edit path that add up to 1; None where the trials are too few or tell nothing.

    Of the ranks of the results, the part of the variance that each setting explains by itself: a parabola of a number
    (over its logarithm where the range is a log one), the group means of a choice. It is adjusted for how much a fit of
    so many terms explains by chance, which would dwarf everything where trials are few. Ranks, since one diverged trial
    would else be all that counts.

    Optuna's PED-ANOVA compares the best tenth with the rest: of ten trials, one. It gave two settings half each of
    which one explained nearly everything.
    """
    ranks = _ranks(np.array(values, np.float64))
    if len(ranks) < FEWEST or not ranks.std():
        return None
    shares = {
        dimension.path: _explained(dimension, [row.get(dimension.path) for row in params], ranks) for dimension in space
    }
    total = sum(shares.values())
    return {path: share / total for path, share in shares.items()} if total > 0 else None


def _explained(dimension: Dimension, found: Sequence[Any], ranks: npt.NDArray[np.float64]) -> float:
    """Adjusted R squared, at least 0."""
    if dimension.kind == "choice":
        keys = [dimension.key(value) for value in found]
        columns = [np.array([key == level for key in keys], np.float64) for level in sorted(set(keys))]
    else:
        x = np.array([math.log(value) if dimension.kind == "log_uniform" else value for value in found], np.float64)
        spread = x.std()
        x = (x - x.mean()) / spread if spread else np.zeros_like(x)
        columns = [np.ones_like(x), *([x] if spread else []), *([x * x] if len(set(found)) > 2 else [])]
    design = np.stack(columns, axis=1)
    rows, terms = design.shape
    if terms < 2 or rows <= terms:
        return 0.0
    fit = design @ np.linalg.lstsq(design, ranks, rcond=None)[0]
    unexplained = float(((ranks - fit) ** 2).sum() / ((ranks - ranks.mean()) ** 2).sum())
    return max(0.0, 1.0 - unexplained * float((rows - 1) / (rows - terms)))


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Ranks from 0, ties at their mean; nan behind all others."""
    _, inverse, counts = np.unique(
        np.nan_to_num(values, nan=np.inf, posinf=np.inf), return_inverse=True, return_counts=True
    )
    ends = np.cumsum(counts)
    means: npt.NDArray[np.float64] = ends - (counts + 1) / 2
    return means[inverse]
