"""Pooling: fewer pixels, each standing for several."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import model_validator

from engine.parts.layer import Layer, Size, Zero, needs, pair, slide, words
from engine.parts.part import Shape, part, setting


class Pooling(Layer):
    """What sliding windows share."""

    kernel_size: Size = setting(2, help="size of the window; one number, or [height, width]")
    stride: Size | None = setting(None, help="how far the window moves each time; left out: its own size")
    padding: Zero = setting(0, help="border put around the image; at most half the window")
    ceil_mode: bool = setting(False, help="keep a last window that hangs over the border")

    @model_validator(mode="after")
    def _fits(self) -> Pooling:
        for name in ("kernel_size", "stride", "padding", "dilation"):
            value = getattr(self, name, 1)
            if isinstance(value, list) and len(value) != 2:
                raise ValueError(f"{name} takes one number or [height, width], not {len(value)}")
        if any(2 * p > k for p, k in zip(pair(self.padding, 2), pair(self.kernel_size, 2), strict=True)):
            raise ValueError("padding may be at most half of kernel_size")
        return self

    def output(self, shape: Shape) -> Shape:
        name = self.type_name()
        needs(
            len(shape) == 3,
            f"{name} needs images (channels, height, width), not {words(shape)}",
            "view flat rows as images with data.reshape" if len(shape) == 1 else "",
        )
        kernel = pair(self.kernel_size, 2)
        stride = kernel if self.stride is None else pair(self.stride, 2)
        dilation = pair(getattr(self, "dilation", 1), 2)
        window = zip(kernel, stride, pair(self.padding, 2), dilation, strict=True)
        sizes = zip(shape[1:], window, strict=True)
        return (shape[0], *(slide(n, *w, name=name, ceil_mode=self.ceil_mode) for n, w in sizes))


@part
class MaxPool2d(Pooling):
    """Keeps the largest value of each window.

    y[c, i, j] = max over the window of x[c]. Shapes: (C, H, W) to (C, H', W'),
    H' = floor((H + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1, and W' likewise.
    """

    torch: ClassVar[str | None] = "torch.nn.MaxPool2d"

    dilation: Size = setting(1, help="distance between the pixels that a window sees")


@part
class AvgPool2d(Pooling):
    """Keeps the average of each window.

    y[c, i, j] = mean over the window of x[c]. Shapes: (C, H, W) to (C, H', W'),
    H' = floor((H + 2 padding - kernel_size) / stride) + 1, and W' likewise.
    """

    torch: ClassVar[str | None] = "torch.nn.AvgPool2d"

    count_include_pad: bool = setting(True, help="count the border's zeros in the average")


@part
class AdaptiveAvgPool2d(Layer):
    """Averages an image down to a given size, whatever its size was; size 1 leaves one number a channel.

    Row i of the result averages rows floor(i H / output_size) up to ceil((i + 1) H / output_size); columns likewise.
    Shapes: (C, H, W) to (C, output_size, output_size). `torch.nn.AdaptiveAvgPool2d`; on a GPU, where that has no
    deterministic gradient, the same averages as two matrix products.

    Source: Lin, Chen and Yan, Network in network (global average pooling), arXiv:1312.4400.
    """

    output_size: Size = setting(1, help="size that comes out; one number, or [height, width]")

    @model_validator(mode="after")
    def _fits(self) -> AdaptiveAvgPool2d:
        if isinstance(self.output_size, list) and len(self.output_size) != 2:
            raise ValueError("output_size takes one number or [height, width]")
        return self

    def output(self, shape: Shape) -> Shape:
        needs(
            len(shape) == 3,
            f"AdaptiveAvgPool2d needs images (channels, height, width), not {words(shape)}",
            "put it in front of Flatten",
        )
        return (shape[0], *pair(self.output_size, 2))

    def torch_arguments(self, shape: Shape) -> dict[str, Any]:
        return {"output_size": self.output_size}
