"""From images to rows."""

from __future__ import annotations

from math import prod
from typing import ClassVar

from engine.parts.layer import Layer, needs
from engine.parts.part import Shape, part, setting


@part
class Flatten(Layer):
    """Lays the axes of a sample out in one row, last axis fastest.

    Shapes: (C, H, W) to (C*H*W,). Axes count from 0, which is the batch, as in PyTorch.
    """

    torch: ClassVar[str | None] = "torch.nn.Flatten"

    start_dim: int = setting(1, help="first axis to lay out; 0 is the batch", ge=1)
    end_dim: int = setting(-1, help="last axis to lay out; -1 is the last one")

    def output(self, shape: Shape) -> Shape:
        axes = len(shape) + 1
        end = self.end_dim + axes if self.end_dim < 0 else self.end_dim
        needs(
            self.start_dim <= end < axes,
            f"Flatten from axis {self.start_dim} to {self.end_dim} does not fit a sample of {len(shape)} axes",
            "leave start_dim and end_dim out to lay out everything",
        )
        first, last = self.start_dim - 1, end - 1
        return (*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :])
