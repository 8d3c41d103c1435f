"""All weights of all models in one flat tensor, so that an update is one call; and where each weight lies in it.

A bias is the last column of its layer's matrix wherever the input can have a row of ones below it: one product then
makes layer and bias, and another one both gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from engine.train.executors.dense.cover import Node

NARROW = 128
"""Inputs up to which a layer's matrix is stored input by input where it has many outputs: its gradient, the product of
two tall matrices, is then quicker to write. Wider matrices are quicker to read the other way."""
MANY = 16


@dataclass(frozen=True)
class Segment:
    """A layer's weights within the flat tensor."""

    name: str
    inputs: int
    outputs: int
    bias: bool
    joint: bool
    """Whether the bias is a column of the matrix."""
    turned: bool
    """Whether the matrix is stored input by input."""
    start: int
    models: int

    @property
    def columns(self) -> int:
        return self.inputs + self.joint

    @property
    def split(self) -> int:
        """Where a bias of its own begins."""
        return self.start + self.models * self.outputs * self.columns

    @property
    def end(self) -> int:
        return self.split + (self.models * self.outputs if self.bias and not self.joint else 0)

    def matrix(self, flat: torch.Tensor) -> torch.Tensor:
        """(outputs, columns); for several models (models, outputs, columns)."""
        part = flat[self.start : self.split]
        if self.turned:
            return part.view(self.columns, self.outputs).t()
        if self.models == 1:
            return part.view(self.outputs, self.columns)
        return part.view(self.models, self.outputs, self.columns)

    def column(self, flat: torch.Tensor) -> torch.Tensor:
        """A bias of its own: (models, outputs, 1)."""
        return flat[self.split : self.end].view(self.models, self.outputs, 1)

    def named(self, flat: torch.Tensor, model: int) -> dict[str, torch.Tensor]:
        """Views of one model's weights as torch's own layer has them: weight (outputs, inputs), bias (outputs,)."""
        matrix = self.matrix(flat)
        matrix = matrix if matrix.ndim == 2 else matrix[model]
        views = {f"{self.name}.weight": matrix[:, : self.inputs]}
        if self.bias:
            own = matrix[:, self.inputs] if self.joint else self.column(flat)[model, :, 0]
            views[f"{self.name}.bias"] = own
        return views


class Layout:
    """The segments of a chain, for so many models."""

    def __init__(self, nodes: Sequence[Node], models: int) -> None:
        self.models = models
        self.segments: dict[str, Segment] = {}
        shared = True  # whether every model sees the same numbers
        start = 0
        for node in nodes:
            if node.kind == "Dropout":
                shared = False
            if node.kind != "Linear":
                continue
            bias = bool(getattr(node.layer, "bias", True))
            joint = bias and (models == 1 or shared)
            turned = models == 1 and node.outputs >= MANY and node.inputs <= NARROW
            segment = Segment(node.name, node.inputs, node.outputs, bias, joint, turned, start, models)
            self.segments[node.name] = segment
            start, shared = segment.end, False
        self.size = start

    def named(self, flat: torch.Tensor, model: int) -> dict[str, torch.Tensor]:
        """Views of one model's numbers by the name of its weight, in the order of the layers."""
        views: dict[str, torch.Tensor] = {}
        for segment in self.segments.values():
            views |= segment.named(flat, model)
        return views

    def owners(self) -> torch.Tensor:
        """int64 (size,): the model that each number belongs to."""
        owners = torch.empty(self.size, dtype=torch.int64)
        for model in range(self.models):
            for view in self.named(owners, model).values():
                view.fill_(model)
        return owners
