"""Dropout: random zeros while training, against overfitting."""

from __future__ import annotations

from typing import ClassVar

from engine.parts.layer import Layer, needs, words
from engine.parts.part import Shape, part, setting


@part
class Dropout(Layer):
    """Sets each value to zero with probability p while training, and scales the rest up.

    y = x * m / (1 - p), m drawn anew every step: 0 with probability p, else 1. In evaluation y = x. Any shape.

    Source: Hinton et al., Improving neural networks by preventing co-adaptation, arXiv:1207.0580.
    """

    torch: ClassVar[str | None] = "torch.nn.Dropout"

    p: float = setting(
        0.5, help="share of values set to zero", ge=0, lt=1, live=True, smaller="fits more", larger="regularises more"
    )


@part
class Dropout2d(Layer):
    """Sets whole channels of an image to zero with probability p while training, and scales the rest up.

    Shapes: (C, H, W), kept. Neighbouring pixels say much the same, so single zeros would regularise little.

    Source: Tompson et al., Efficient object localization using convolutional networks, arXiv:1411.4280.
    """

    torch: ClassVar[str | None] = "torch.nn.Dropout2d"

    p: float = setting(
        0.5, help="share of channels set to zero", ge=0, lt=1, live=True, smaller="fits more", larger="regularises more"
    )

    def output(self, shape: Shape) -> Shape:
        needs(
            len(shape) == 3,
            f"Dropout2d needs images (channels, height, width), not {words(shape)}",
            "use Dropout for rows",
        )
        return shape
