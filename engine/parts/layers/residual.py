"""The residual block: layers whose result is added to what went in."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from engine.parts.layer import Layer, distinct, needs, words
from engine.parts.part import Shape, ShapeError, part, setting


@part
class Residual(Layer):
    """Adds what its layers compute to what went in, so that a block need only learn the change.

    y = F(x) + x. With `shortcut: projection`, y = F(x) + W x: W is a Linear layer for rows and a convolution of size 1
    for signals and images, without bias, with the stride that the layers' shape asks for.

    Shapes: (...) to (...); the layers' result must have the input's shape, unless the shortcut is a projection.

    Source: He et al., Deep residual learning for image recognition, arXiv:1512.03385.
    """

    layers: list[Layer] = setting(help="the layers inside the block, in order")
    shortcut: Literal["identity", "projection"] = setting(
        "identity", help="how the input reaches the sum: as it is, or through a learned projection"
    )

    @field_validator("layers")
    @classmethod
    def _distinct(cls, layers: list[Layer]) -> list[Layer]:
        return distinct(layers)

    def output(self, shape: Shape) -> Shape:
        result = self.inner(shape)
        if self.shortcut == "identity":
            needs(
                result == shape,
                f"the block's layers turn {words(shape)} into {words(result)}, so the input cannot be added",
                "make the shapes match, or set shortcut: projection",
            )
        else:
            self.stride(shape, result)
        return result

    def inner(self, shape: Shape) -> Shape:
        """Shape after the block's layers."""
        for index, layer in enumerate(self.layers):
            try:
                shape = layer.output(shape)
            except ShapeError as error:
                raise ShapeError(f"layer {index} of the block: {error.message}", error.hint) from None
        return shape

    def stride(self, shape: Shape, result: Shape) -> tuple[int, ...]:
        """Stride of the projection from `shape` to `result`, one an axis; () for rows. Raises ShapeError."""
        needs(
            len(shape) == len(result) and len(shape) <= 3,
            f"no projection leads from {words(shape)} to {words(result)}",
            "a block may change channels and sizes, not the number of axes",
        )
        return tuple(_stride(n, m) for n, m in zip(shape[1:], result[1:], strict=True))

    def parameters(self, shape: Shape) -> int:
        total = 0
        start = shape
        for layer in self.layers:
            total += layer.parameters(shape)
            shape = layer.output(shape)
        return total + (start[0] * shape[0] if self.shortcut == "projection" else 0)

    def torch_arguments(self, shape: Shape) -> dict[str, Any]:
        return {}


def _stride(size: int, wanted: int) -> int:
    """The smallest stride with which a window of 1 turns `size` values into `wanted`."""
    for stride in range(1, size + 1):
        if (size - 1) // stride + 1 == wanted:
            return stride
    raise ShapeError(f"no projection makes {wanted} out of {size}", "let the block halve its input, or keep its size")
