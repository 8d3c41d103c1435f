"""The calls that make a step's forward and backward pass, bound to memory that is made once.

Activations lie feature by feature, (features, rows): every element-wise call then works on one stretch of memory,
softmax runs along whole rows, and a layer's bias is a row of ones below its input. What stands in front of the first
Linear works on the rows as they come, seen as (features, rows) too. With several models everything has one axis more in
front, (models, features, rows), and products are batched; the first layer of all of them is still one plain product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from engine.train.executors.dense import private
from engine.train.executors.dense.cover import Node
from engine.train.executors.dense.layout import Layout
from engine.train.executors.dense.masks import Mask
from engine.train.executors.dense.products import product

Call = Callable[[], Any]
IN_PLACE = ("ReLU", "Tanh", "Sigmoid")
"""Activations whose derivative needs their result alone, so that it may take the place of what they are given."""


@dataclass
class Held:
    """Values between two layers."""

    values: torch.Tensor
    """([models,] features, rows)"""
    joint: torch.Tensor | None
    """(features + 1, rows): the same memory with the row of ones below; None with several models."""
    by_rows: bool = False
    """Whether the memory is laid out row by row: in front of the first Linear."""


@dataclass
class Passed:
    """One layer's calls."""

    name: str
    forward: list[Call]
    backward: list[Call]
    output: torch.Tensor
    """([models,] features, rows)"""


@dataclass
class Weights:
    """A layout's views of parameters and gradients."""

    layout: Layout
    parameters: torch.Tensor
    gradients: torch.Tensor


@dataclass
class Dropouts:
    """What dropout's draws depend on, shared by all programs; changed in place by live edits."""

    settings: dict[str, list[tuple[float, torch.Generator]]] = field(default_factory=dict)
    """By layer, a pair (p, generator) for each model."""

    def draws(self, name: str) -> bool:
        return any(p > 0 for p, _ in self.settings[name])


class Chain:
    """The memory of one pass over batches of so many rows, and the calls that work on it."""

    def __init__(
        self, nodes: Sequence[Node], weights: Weights, dropouts: Dropouts, rows: int, *, training: bool
    ) -> None:
        layout = weights.layout
        self._nodes = [node for node in nodes if training or node.kind != "Dropout"]
        self._weights, self._dropouts, self._rows, self._models = weights, dropouts, rows, layout.models
        self._training = training
        self._first = next(i for i, node in enumerate(self._nodes) if node.kind == "Linear")
        self._in_place = self._plan()
        self._owner = max(i for i, here in enumerate(self._in_place) if not here)
        """The layer whose memory the outputs lie in."""
        self._memory: dict[Any, Any] = {}

    @property
    def several(self) -> tuple[int, ...]:
        """The leading axis of memory that each model has for itself."""
        return (self._models,) if self._models > 1 else ()

    def _plan(self) -> list[bool]:
        """Whether each layer overwrites what it is given: where no layer before it needs that any more."""
        plan: list[bool] = []
        free, writer = False, ""
        for index, node in enumerate(self._nodes):
            here = (node.kind in IN_PLACE and free) or (
                node.kind == "Dropout" and index > self._first and (free or writer == "ReLU")
            )
            plan.append(here)
            if node.kind in IN_PLACE and index > self._first:
                # a ReLU that is thinned out afterwards still shows where its derivative is 0: so says the mask as well
                free = False
            elif not here:
                free = node.kind in ("Linear", "Dropout") and index >= self._first
            writer = node.kind
        return plan

    def passes(self, x: torch.Tensor, outputs: torch.Tensor, slope: torch.Tensor | None = None) -> list[Passed]:
        """The calls from x (rows, features + 1), its last column ones, to outputs ([models,] width, rows); backwards
        from `slope`, the loss's derivative by the outputs, which they overwrite."""
        held = Held(x[:, :-1].t(), x.t(), by_rows=True)
        passed: list[Passed] = []
        takes: list[Held] = []
        for index, node in enumerate(self._nodes):
            takes.append(held)
            if self._in_place[index]:
                result = held
            elif index == self._owner:
                result = Held(outputs, None)
            else:
                result = self._allocate(index, node, held)
            passed.append(Passed(node.name, self._forward(index, node, held, result), [], result.values))
            held = result
        if self._training and slope is not None:
            for index in range(len(self._nodes) - 1, self._first - 1, -1):
                node = self._nodes[index]
                passed[index].backward, slope = self._backward(index, node, takes[index], passed[index].output, slope)
        return passed

    def _keep(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._memory:
            self._memory[key] = make()
        return self._memory[key]

    def _allocate(self, index: int, node: Node, given: Held) -> Held:
        if index < self._first:
            several = self.several if node.kind == "Dropout" or given.values.ndim == 3 else ()
            if several:
                memory = self._keep(index, lambda: torch.ones(*several, self._rows, node.outputs))
                return Held(memory.transpose(1, 2), None, by_rows=True)
            memory = self._keep(index, lambda: torch.ones(self._rows, node.outputs + 1))
            return Held(memory[:, :-1].t(), memory.t(), by_rows=True)
        if self.several:
            return Held(self._keep(index, lambda: torch.empty(*self.several, node.outputs, self._rows)), None)
        memory = self._keep(index, lambda: torch.ones(node.outputs + 1, self._rows))
        return Held(memory[:-1], memory)

    # Forward

    def _forward(self, index: int, node: Node, given: Held, result: Held) -> list[Call]:
        if node.kind == "Linear":
            return [self._product(node, given, result.values)]
        if node.kind == "Dropout":
            return self._thin_out(index, node, given, result)
        return [_activation(node, given.values, result.values, self._in_place[index])]

    def _product(self, node: Node, given: Held, out: torch.Tensor) -> Call:
        segment = self._weights.layout.segments[node.name]
        matrix = segment.matrix(self._weights.parameters)
        source = given.joint if segment.joint else given.values
        assert source is not None
        if self._models == 1:
            return product(matrix, source, out)
        if source.ndim == 2:
            whole = matrix.flatten(0, 1)
            if segment.bias and not segment.joint:
                column = segment.column(self._weights.parameters).flatten(0, 1)
                return partial(torch.addmm, column, whole, source, out=out.flatten(0, 1))
            return partial(torch.mm, whole, source, out=out.flatten(0, 1))
        if segment.bias:
            column = segment.column(self._weights.parameters)
            return partial(torch.baddbmm, column, matrix, source, out=out)
        return partial(torch.bmm, matrix, source, out=out)

    def _thin_out(self, index: int, node: Node, given: Held, result: Held) -> list[Call]:
        if not self._dropouts.draws(node.name):
            return [] if self._in_place[index] else [partial(result.values.copy_, given.values)]
        mask = self._mask(index, node)
        fill = partial(mask.fill, self._dropouts.settings[node.name])
        return [fill, partial(torch.mul, given.values, mask.values, out=result.values)]

    def _mask(self, index: int, node: Node) -> Mask:
        by_rows = index < self._first
        mask: Mask = self._keep(("mask", index), lambda: Mask(self._models, self._rows, node.outputs, by_rows))
        return mask

    # Backward

    def _backward(
        self, index: int, node: Node, given: Held, result: torch.Tensor, slope: torch.Tensor
    ) -> tuple[list[Call], torch.Tensor]:
        """The calls, and where they leave the derivative by what the layer was given."""
        if node.kind == "Linear":
            return self._product_back(index, node, given, slope)
        if node.kind == "Dropout":
            if not self._dropouts.draws(node.name):
                return [], slope
            return [partial(torch.mul, slope, self._mask(index, node).values, out=slope)], slope
        return [_derivative(node, given.values, result, slope)], slope

    def _product_back(
        self, index: int, node: Node, given: Held, slope: torch.Tensor
    ) -> tuple[list[Call], torch.Tensor]:
        segment = self._weights.layout.segments[node.name]
        gradient = segment.matrix(self._weights.gradients)
        source = given.joint if segment.joint else given.values
        assert source is not None
        calls: list[Call] = []
        if self._models == 1:
            calls.append(product(slope, source.t(), gradient))
        elif source.ndim == 2:
            calls.append(partial(torch.mm, slope.flatten(0, 1), source.t(), out=gradient.flatten(0, 1)))
        else:
            calls.append(partial(torch.bmm, slope, source.transpose(1, 2), out=gradient))
            if segment.bias:
                column = segment.column(self._weights.gradients)
                calls.append(partial(torch.sum, slope, 2, keepdim=True, out=column))
        if index == self._first:
            return calls, slope
        shape = (*self.several, node.inputs, self._rows)
        before: torch.Tensor = self._keep(("slope", index), lambda: torch.empty(shape))
        matrix = segment.matrix(self._weights.parameters)[..., : node.inputs].transpose(-1, -2)
        # never oneDNN's: a matrix less its column of biases is nothing that it has a kernel for
        calls.append(partial(torch.mm if self._models == 1 else torch.bmm, matrix, slope, out=before))
        return calls, before


def _activation(node: Node, x: torch.Tensor, out: torch.Tensor, in_place: bool) -> Call:
    nn: Any = torch._C._nn
    layer: Any = node.layer
    match node.kind:
        case "ReLU":
            return partial(torch.relu_, x) if in_place else partial(torch.clamp_min, x, 0.0, out=out)
        case "LeakyReLU":
            return partial(nn.leaky_relu, x, layer.negative_slope, out=out)
        case "GELU":
            return partial(nn.gelu, x, approximate=layer.approximate, out=out)
        case "SiLU":
            return partial(nn.silu, x, out=out)
        case "Tanh":
            return partial(torch.tanh, x, out=out)
        case "Sigmoid":
            return partial(torch.sigmoid, x, out=out)
    raise AssertionError(node.kind)


def _derivative(node: Node, x: torch.Tensor, y: torch.Tensor, slope: torch.Tensor) -> Call:
    """Multiplies `slope` by the activation's derivative, in place."""
    layer: Any = node.layer
    match node.kind:
        case "ReLU":
            return partial(private.backward("threshold_backward"), slope, y, 0, grad_input=slope)
        case "LeakyReLU":
            function = private.backward("leaky_relu_backward")
            return partial(function, slope, x, layer.negative_slope, False, grad_input=slope)
        case "GELU":
            function = private.backward("gelu_backward")
            return partial(function, slope, x, approximate=layer.approximate, grad_input=slope)
        case "SiLU":
            return partial(private.backward("silu_backward"), slope, x, grad_input=slope)
        case "Tanh":
            return partial(private.backward("tanh_backward"), slope, y, grad_input=slope)
        case "Sigmoid":
            return partial(private.backward("sigmoid_backward"), slope, y, grad_input=slope)
    raise AssertionError(node.kind)
