"""The fully connected layer."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from engine.parts.layer import WeightLayer, needs, number
from engine.parts.part import Count, Shape, part, setting


@part
class Linear(WeightLayer):
    """Every output is a weighted sum of all inputs, plus a bias.

    y = x W^T + b, with W of (out_features, in_features).

    Shapes: (..., in_features) to (..., out_features); `in_features` is read off what reaches the layer.
    """

    torch: ClassVar[str | None] = "torch.nn.Linear"

    out_features: Count | Literal["outputs"] = setting(
        help="width of the layer; `outputs` stands for the width that the task needs",
        log=True,
        smaller="simpler, faster",
        larger="fits more, overfits sooner",
    )
    bias: bool = setting(True, help="add a learned constant to every output")

    def output(self, shape: Shape) -> Shape:
        needs(len(shape) >= 1, "Linear needs rows of numbers", "put Flatten in front")
        return (*shape[:-1], number(self.out_features))

    def parameters(self, shape: Shape) -> int:
        width = number(self.out_features)
        return shape[-1] * width + (width if self.bias else 0)

    def torch_arguments(self, shape: Shape) -> dict[str, Any]:
        return {"in_features": shape[-1], "out_features": number(self.out_features), "bias": self.bias}
