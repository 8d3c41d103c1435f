"""Dropout's masks: the same draws as torch's own layer makes, from the same generator, in the same order."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

BITS = 53
"""Random bits that torch's Bernoulli draws compare with the probability."""


def draw(mask: torch.Tensor, keep: float, generator: torch.Generator, integers: torch.Tensor | None) -> None:
    """Fill a contiguous mask with 1 / keep where a value stays, which it does with probability `keep`, else with 0.

    `integers` is int64 memory of the mask's shape where `quick()` says that it helps.
    """
    if integers is None:
        mask.bernoulli_(keep, generator=generator)
    else:
        integers.random_(-(2**63), None, generator=generator)
        integers.bitwise_and_((1 << BITS) - 1)
        torch.lt(integers, _bound(keep), out=mask)
    mask.div_(keep)


def _bound(keep: float) -> int:
    """The integers below it are those whose fraction of 2^53 is below `keep`."""
    exact = keep * (1 << BITS)
    return int(exact) + (exact != int(exact))


@cache
def quick() -> bool:
    """Whether torch's Bernoulli draws here are a plain comparison of 53 random bits, which is twice as quick to do for
    many at once. (Where torch uses a library of the processor's maker for them, they are others, and quick already.)"""
    for keep in (0.5, 0.7, 0.123456789):
        one, other = torch.Generator(), torch.Generator()
        one.manual_seed(5)
        other.manual_seed(5)
        a, b = torch.empty(999), torch.empty(999)
        a.bernoulli_(keep, generator=one)
        try:
            draw(b, keep, other, torch.empty(999, dtype=torch.int64))
        except RuntimeError:
            return False
        if not torch.equal(a.ne(0), b.ne(0)) or not torch.equal(one.get_state(), other.get_state()):
            return False
    return True


class Mask:
    """The mask of one Dropout layer in batches of some size, as the layer's calls read it."""

    def __init__(self, models: int, rows: int, width: int, by_rows: bool) -> None:
        """`by_rows`: the layer works on (rows, width); else on (width, rows)."""
        several = (models,) if models > 1 else ()
        self._drawn = torch.ones(*several, rows, width)
        """As torch draws it."""
        self._integers = torch.empty(rows, width, dtype=torch.int64) if quick() else None
        turned = self._drawn.transpose(-1, -2)
        self.values = turned if by_rows else torch.ones(*several, width, rows)
        """([models,] width, rows)"""
        self._turned = None if by_rows else turned

    def fill(self, settings: Any) -> None:
        """Draw anew. `settings` holds a pair (p, generator) for each model."""
        drawn = self._drawn if self._drawn.ndim == 3 else self._drawn.unsqueeze(0)
        for place, (p, generator) in zip(drawn, settings, strict=True):
            if p > 0:
                draw(place, 1.0 - p, generator, self._integers)
            else:
                place.fill_(1.0)
        if self._turned is not None:
            self.values.copy_(self._turned)
