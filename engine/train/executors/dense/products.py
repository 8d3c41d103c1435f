"""Matrix products into memory that is there.

Torch takes fp32 products from MKL, which leaves half of the vector width idle on processors of another maker. Where
that is so, large products are oneDNN's, which knows all of them: about twice as quick, although the result has to be
copied into its place. Which of the two makes a product depends on its size and on the machine, never on a measurement.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

LARGE = 2_000_000
"""Multiply-adds from which it pays."""


def product(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> Callable[[], Any]:
    """A call that puts a (m, k) times b (k, n) into out (m, n)."""
    large = a.shape[0] * a.shape[1] * b.shape[1] >= LARGE
    # on memory with gaps, oneDNN would be slow beyond measure
    if not large or not a.is_contiguous() or not (b.is_contiguous() or b.t().is_contiguous()) or not by_onednn():
        return partial(torch.mm, a, b, out=out)
    w, linear = b.t(), _linear()

    def call() -> None:
        out.copy_(linear(a, w, None, "none", [], ""))

    return call


@cache
def by_onednn() -> bool:
    """Whether large products are oneDNN's on this machine."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not _foreign():
        return False
    try:
        a, b = torch.arange(1.0, 13.0).view(3, 4), torch.arange(1.0, 9.0).view(2, 4)
        return torch.allclose(_linear()(a, b, None, "none", [], ""), a @ b.t())
    except (AttributeError, RuntimeError, TypeError):
        return False


def _foreign() -> bool:
    """Whether the processor is AMD's."""
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def _linear() -> Any:
    function = torch.ops.mkldnn._linear_pointwise.default
    return getattr(function, "_op", function)
