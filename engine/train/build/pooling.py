"""Adaptive average pooling that is deterministic on every device."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn


class SteadyAdaptiveAvgPool2d(nn.AdaptiveAvgPool2d):
    """PyTorch's layer; where it has no deterministic gradient, the same averages as two matrix products."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, height, width)."""
        size: Any = self.output_size
        height, width = (size, size) if isinstance(size, int) else size
        # PyTorch takes a plain mean where one pixel is left: that is deterministic.
        if not input.is_cuda or not torch.are_deterministic_algorithms_enabled() or height == width == 1:
            return super().forward(input)
        like = (input.dtype, input.device)
        rows, columns = averages(input.shape[-2], height, *like), averages(input.shape[-1], width, *like)
        return rows @ input @ columns.T


@cache
def averages(size: int, bins: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(bins, size): each row averages the values of one bin, floor(i size / bins) up to ceil((i + 1) size / bins).

    Made once: a step that is captured into a graph must not copy from the host.
    """
    rows = []
    for index in range(bins):
        start, end = index * size // bins, -(-(index + 1) * size // bins)
        rows.append([1 / (end - start) if start <= place < end else 0.0 for place in range(size)])
    with torch.inference_mode(False):  # autograd cannot keep what evaluation would make
        return torch.tensor(rows, dtype=dtype, device=device)
