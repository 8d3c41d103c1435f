"""Convolutions: the same small set of weights, slid over a signal or an image."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import model_validator

from engine.parts.layer import Size, WeightLayer, Zero, needs, number, pair, slide, words
from engine.parts.part import Count, Shape, part, setting


class Convolution(WeightLayer):
    """What convolutions of one and two dimensions share."""

    axes: ClassVar[int]
    samples: ClassVar[str]
    """What may enter, in words."""

    out_channels: Count | Literal["outputs"] = setting(
        help="filters, and so channels, that come out; `outputs` stands for the width that the task needs",
        log=True,
        smaller="simpler, faster",
        larger="fits more, overfits sooner",
    )
    kernel_size: Size = setting(3, help="size of a filter; one number, or one an axis")
    stride: Size = setting(1, help="how far a filter moves each time")
    padding: Zero | Literal["same", "valid"] = setting(
        0, help="zeros put around the border; `same` keeps the size, `valid` puts none"
    )
    dilation: Size = setting(1, help="distance between the values that a filter sees")
    groups: int = setting(1, help="groups of channels that do not see each other", ge=1)
    bias: bool = setting(True, help="add a learned constant to every channel")

    @model_validator(mode="after")
    def _fits(self) -> Convolution:
        for name in ("kernel_size", "stride", "padding", "dilation"):
            value = getattr(self, name)
            if isinstance(value, list) and len(value) != self.axes:
                raise ValueError(f"{name} takes one number or {self.axes}, not {len(value)}")
        if self.padding == "same" and set(pair(self.stride, self.axes)) != {1}:
            raise ValueError("padding: same needs stride 1")
        if isinstance(self.out_channels, int) and self.out_channels % self.groups:
            raise ValueError(f"out_channels {self.out_channels} cannot be shared out among {self.groups} groups")
        return self

    def output(self, shape: Shape) -> Shape:
        name = self.type_name()
        needs(len(shape) == self.axes + 1, f"{name} needs {self.samples}, not {words(shape)}", self._hint(shape))
        channels = number(self.out_channels)
        needs(
            shape[0] % self.groups == 0 and channels % self.groups == 0,
            f"{shape[0]} channels in and {channels} out cannot be shared out among {self.groups} groups",
            "choose groups that divides both",
        )
        if self.padding == "same":
            return (channels, *shape[1:])
        padding = pair(0 if isinstance(self.padding, str) else self.padding, self.axes)
        window = zip(
            pair(self.kernel_size, self.axes),
            pair(self.stride, self.axes),
            padding,
            pair(self.dilation, self.axes),
            strict=True,
        )
        return (channels, *(slide(n, *w, name=name) for n, w in zip(shape[1:], window, strict=True)))

    def _hint(self, shape: Shape) -> str:
        return "view flat rows as images with data.reshape" if len(shape) == 1 else "put it in front of Flatten"

    def parameters(self, shape: Shape) -> int:
        channels = number(self.out_channels)
        weights = channels * (shape[0] // self.groups)
        for size in pair(self.kernel_size, self.axes):
            weights *= size
        return weights + (channels if self.bias else 0)

    def torch_arguments(self, shape: Shape) -> dict[str, Any]:
        return {
            "in_channels": shape[0],
            "out_channels": number(self.out_channels),
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
            "bias": self.bias,
        }


@part
class Conv1d(Convolution):
    """Slides filters along a signal; each output channel is one filter's answer everywhere.

    y[o, t] = b[o] + sum over c, k of W[o, c, k] * x[c, t * stride + k * dilation - padding].

    Shapes: (C, L) to (out_channels, L'), L' = floor((L + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1.
    """

    torch: ClassVar[str | None] = "torch.nn.Conv1d"
    axes: ClassVar[int] = 1
    samples: ClassVar[str] = "signals (channels, length)"


@part
class Conv2d(Convolution):
    """Slides filters over an image; each output channel is one filter's answer everywhere.

    y[o, i, j] = b[o] + sum over c, k, l of W[o, c, k, l] * x[c, i * stride + k - padding, j * stride + l - padding].

    Shapes: (C, H, W) to (out_channels, H', W') with
    H' = floor((H + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1, and W' likewise.

    Source: LeCun et al., Backpropagation applied to handwritten zip code recognition, Neural Computation 1, 1989.
    """

    torch: ClassVar[str | None] = "torch.nn.Conv2d"
    axes: ClassVar[int] = 2
    samples: ClassVar[str] = "images (channels, height, width)"
