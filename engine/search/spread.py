"""The first trials of a search, spread evenly over its space."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial


class SpreadSampler(BaseSampler):
    """A Latin hypercube (McKay et al., 1979): of `count` trials each lies in a slice of its own along every setting.

    Few random points leave half of a range untried; these do not, however many settings there are.
    """

    def __init__(self, seed: int, number: int, count: int) -> None:
        """`number` of the trial, from 0; below `count`."""
        self._seed, self._number, self._count = seed, number, count

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Settings are drawn one by one."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A value from the trial's own slice of the setting."""
        rng = np.random.default_rng([self._seed, zlib.crc32(param_name.encode())])
        slices, within = rng.permutation(self._count), rng.random(self._count)
        share = float(slices[self._number] + within[self._number]) / self._count
        return at(param_distribution, share)


def at(distribution: BaseDistribution, share: float) -> Any:
    """The value that lies at a share, in [0, 1), of the range."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(share * len(distribution.choices))]
    if isinstance(distribution, IntDistribution):
        return distribution.low + int(share * (distribution.high - distribution.low + 1))
    assert isinstance(distribution, FloatDistribution)
    low, high = distribution.low, distribution.high
    if distribution.log:
        return min(max(math.exp(math.log(low) + share * (math.log(high) - math.log(low))), low), high)
    return min(low + share * (high - low), high)
