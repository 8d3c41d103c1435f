"""Activations: what bends the lines. They keep the shape and have no parameters."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.parts.layer import Layer, needs
from engine.parts.part import Shape, part, setting


@part
class ReLU(Layer):
    """Lets positive values through and makes the rest zero.

    y = max(0, x), element by element. Any shape.

    Source: Nair and Hinton, Rectified linear units improve restricted Boltzmann machines, ICML 2010.
    """

    torch: ClassVar[str | None] = "torch.nn.ReLU"


@part
class LeakyReLU(Layer):
    """ReLU with a small slope below zero, so that no unit dies.

    y = x for x > 0, else negative_slope * x. Any shape.

    Source: Maas et al., Rectifier nonlinearities improve neural network acoustic models, ICML 2013.
    """

    torch: ClassVar[str | None] = "torch.nn.LeakyReLU"

    negative_slope: float = setting(0.01, help="slope below zero", ge=0, smaller="closer to ReLU", larger="more linear")


@part
class GELU(Layer):
    """A smooth ReLU: the input weighted by the normal distribution at the input.

    y = x * Phi(x), Phi the cumulative normal distribution; `tanh` approximates it. Any shape.

    Source: Hendrycks and Gimpel, Gaussian Error Linear Units, arXiv:1606.08415.
    """

    torch: ClassVar[str | None] = "torch.nn.GELU"

    approximate: Literal["none", "tanh"] = setting("none", help="exact, or by tanh as GPT-2 does")


@part
class SiLU(Layer):
    """A smooth ReLU, also called Swish.

    y = x * sigmoid(x). Any shape.

    Source: Elfwing et al., Sigmoid-weighted linear units, arXiv:1702.03118.
    """

    torch: ClassVar[str | None] = "torch.nn.SiLU"


@part
class Tanh(Layer):
    """Squeezes values into -1 to 1.

    y = (e^x - e^-x) / (e^x + e^-x). Any shape. Gradients fade where |x| is above 3 or so.
    """

    torch: ClassVar[str | None] = "torch.nn.Tanh"


@part
class Sigmoid(Layer):
    """Squeezes values into 0 to 1.

    y = 1 / (1 + e^-x). Any shape. Not wanted in front of BCEWithLogitsLoss, which applies it itself.
    """

    torch: ClassVar[str | None] = "torch.nn.Sigmoid"


@part
class Softmax(Layer):
    """Turns numbers into shares that are positive and sum to one.

    y_i = e^(x_i) / sum_j e^(x_j) along one axis. Any shape. Not wanted in front of CrossEntropyLoss, which applies it
    itself.
    """

    torch: ClassVar[str | None] = "torch.nn.Softmax"

    dim: int = setting(1, help="axis that sums to one; 0 is the batch, 1 the classes or channels, -1 the last")

    def output(self, shape: Shape) -> Shape:
        axes = len(shape) + 1
        needs(
            self.dim % axes != 0 and -axes < self.dim < axes,
            f"Softmax along axis {self.dim} does not fit a sample of {len(shape)} axes",
            "dim: 1 sums over classes or channels",
        )
        return shape
