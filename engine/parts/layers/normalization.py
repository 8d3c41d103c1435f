"""Normalisation: keep the scale of what flows through a network steady."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from engine.parts.layer import Layer, needs, words
from engine.parts.part import Shape, part, setting

EPS_HELP = "added to the variance, so that nothing is divided by zero"
MOMENTUM_HELP = "weight of the newest batch in the running mean and variance that evaluation uses"
AFFINE_HELP = "learn a scale and a shift for each channel"


class BatchNorm(Layer):
    """What both batch normalisations share: statistics per channel over the batch."""

    eps: float = setting(1e-5, help=EPS_HELP, gt=0, log=True)
    momentum: float = setting(0.1, help=MOMENTUM_HELP, ge=0, le=1, smaller="steadier", larger="forgets sooner")
    affine: bool = setting(True, help=AFFINE_HELP)

    def parameters(self, shape: Shape) -> int:
        return 2 * shape[0] if self.affine else 0

    def torch_arguments(self, shape: Shape) -> dict[str, Any]:
        return {"num_features": shape[0], "eps": self.eps, "momentum": self.momentum, "affine": self.affine}


@part
class BatchNorm1d(BatchNorm):
    """Scales each feature to mean 0 and variance 1 over the batch, then by a learned scale and shift.

    y = (x - mean) / sqrt(var + eps) * gamma + beta; statistics over the batch while training, running ones in
    evaluation. Shapes: (C,) or (C, L), kept. Needs more than one value a channel in every training batch.

    Source: Ioffe and Szegedy, Batch Normalization, arXiv:1502.03167.
    """

    torch: ClassVar[str | None] = "torch.nn.BatchNorm1d"

    def output(self, shape: Shape) -> Shape:
        needs(
            len(shape) in (1, 2),
            f"BatchNorm1d needs rows (C,) or (C, L), not {words(shape)}",
            "use BatchNorm2d for images",
        )
        return shape


@part
class BatchNorm2d(BatchNorm):
    """Scales each channel of images to mean 0 and variance 1 over batch, height and width, then scale and shift.

    y = (x - mean) / sqrt(var + eps) * gamma + beta. Shapes: (C, H, W), kept.

    Source: Ioffe and Szegedy, Batch Normalization, arXiv:1502.03167.
    """

    torch: ClassVar[str | None] = "torch.nn.BatchNorm2d"

    def output(self, shape: Shape) -> Shape:
        needs(
            len(shape) == 3,
            f"BatchNorm2d needs images (channels, height, width), not {words(shape)}",
            "use BatchNorm1d for rows, or put it in front of Flatten",
        )
        return shape


@part
class LayerNorm(Layer):
    """Scales each sample to mean 0 and variance 1 over all its values, then by a learned scale and shift per value.

    y = (x - mean) / sqrt(var + eps) * gamma + beta; the same in training and evaluation. Any shape, kept; the
    normalised shape is the whole sample's.

    Source: Ba, Kiros and Hinton, Layer Normalization, arXiv:1607.06450.
    """

    torch: ClassVar[str | None] = "torch.nn.LayerNorm"

    eps: float = setting(1e-5, help=EPS_HELP, gt=0, log=True)
    elementwise_affine: bool = setting(True, help="learn a scale and a shift for each value")
    bias: bool = setting(True, help="learn the shift too")

    def parameters(self, shape: Shape) -> int:
        if not self.elementwise_affine:
            return 0
        return prod(shape) * (2 if self.bias else 1)

    def torch_arguments(self, shape: Shape) -> dict[str, Any]:
        return {
            "normalized_shape": list(shape),
            "eps": self.eps,
            "elementwise_affine": self.elementwise_affine,
            "bias": self.bias,
        }
