"""Losses: their derivative by the outputs in one or two calls a step, and their values for many steps at once.

Outputs lie as ([models,] width, rows). A step leaves what its loss is computed from in memory of its own, so that the
losses of a whole block of steps come from a few calls. What the targets alone decide is worked out once a block.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from engine.data.facts import Facts
from engine.recipe.schema import Recipe
from engine.train.build.loss import torch_arguments
from engine.train.executors.dense import private
from engine.train.executors.dense.kernels import Call

SUM = 2
"""What torch's own functions call the reduction to a sum."""


class Criterion:
    """A loss with its settings."""

    def __init__(self, recipe: Recipe, facts: Facts) -> None:
        assert recipe.loss is not None
        self.kind = recipe.loss.type_name()
        self.settings: dict[str, Any] = torch_arguments(recipe.loss, facts)
        weight = self.settings.get("weight")
        self.weight = None if weight is None else torch.tensor(weight, dtype=torch.float32)
        self.class_weights: npt.NDArray[np.float64] | None = (
            None if self.weight is None else self.weight.numpy().astype(np.float64)
        )
        positive = self.settings.get("pos_weight")
        self.positive = None if positive is None else torch.tensor(positive, dtype=torch.float32).view(-1, 1)

    def denominator(self, y: npt.NDArray[Any]) -> float:
        """What the mean over these targets divides by: rows, or the sum of their class weights."""
        return float(len(y)) if self.class_weights is None else float(self.class_weights[y].sum())

    def slots(self, count: int, models: int, width: int, rows: int) -> LossBlock:
        """Memory for the losses of so many steps with batches of so many rows."""
        block = ClassBlock if self.kind == "CrossEntropyLoss" else BLOCKS[self.kind]
        return block(self, count, models, width, rows)

    def mean(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Mean losses (models,) of outputs (models, rows, width) against prepared targets, as torch's own functions
        give them."""
        return torch.stack([self._mean(each, y) for each in outputs])

    def _mean(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if self.kind == "CrossEntropyLoss":
            smoothing = self.settings.get("label_smoothing", 0.0)
            return functional.cross_entropy(outputs, y, weight=self.weight, label_smoothing=smoothing)
        if self.kind == "BCEWithLogitsLoss":
            positive = None if self.positive is None else self.positive.view(-1)
            return functional.binary_cross_entropy_with_logits(outputs, y, pos_weight=positive)
        mean: torch.Tensor = PLAIN[self.kind](outputs, y, reduction="mean", **self.settings)
        return mean


class LossBlock:
    """The losses of some steps in a row, all with batches of the same number of rows."""

    def __init__(self, criterion: Criterion, count: int, models: int, width: int, rows: int) -> None:
        several = (models,) if models > 1 else ()
        self._criterion, self._models, self._rows, self._width = criterion, models, rows, width
        self.outputs = torch.zeros(count, *several, width, rows)
        """(count, [models,] width, rows): the network's, step by step."""
        self.slope = torch.zeros(*several, width, rows)
        """([models,] width, rows): derivative of the mean loss by the outputs of the step at hand."""
        self.y = torch.zeros(0)
        """Targets as they come, step by step: (count, rows) classes, else (count, rows, width)."""

    def targets(self, count: int) -> None:
        """The targets of the first `count` steps of the block are there."""
        raise NotImplementedError

    def calls(self, slot: int) -> list[Call]:
        """The calls that fill `slope` from the outputs of a step."""
        raise NotImplementedError

    def values(self) -> npt.NDArray[np.float32]:
        """(count, models): mean losses of all steps that were made; what stands elsewhere means nothing."""
        raise NotImplementedError

    def _sums(self, terms: torch.Tensor) -> torch.Tensor:
        """(count, models): sums over the rows of terms (count, [models,] width, rows). Always the whole block, so that
        how a sum is taken depends on nothing else."""
        return terms.reshape(len(terms) * self._models, -1).sum(1).view(len(terms), self._models)


class ClassBlock(LossBlock):
    """CrossEntropyLoss: the derivative by the logarithms of the shares is known before the step is made."""

    def __init__(self, criterion: Criterion, count: int, models: int, width: int, rows: int) -> None:
        super().__init__(criterion, count, models, width, rows)
        self._logs = torch.zeros_like(self.outputs)
        self._by_logs = torch.zeros(count, width, rows)
        self.y = torch.zeros(count, rows, dtype=torch.int64)
        self._divisor = torch.full((count, 1, 1), float(rows))
        self._smoothing = criterion.settings.get("label_smoothing", 0.0)
        self._by_model = self._logs.view(count, models, width, rows)
        self._index = self.y.view(count, 1, 1, rows).expand(count, models, 1, rows)
        self._picked = torch.zeros(count, models, 1, rows)

    def targets(self, count: int) -> None:
        criterion, smoothing = self._criterion, self._smoothing
        y = self.y[:count].unsqueeze(1)
        if criterion.weight is None and not smoothing:
            self._by_logs[:count].zero_().scatter_(1, y, -1.0 / self._rows)
            return
        each = torch.full(y.shape, 1.0) if criterion.weight is None else criterion.weight[y]
        if criterion.weight is not None:
            self._divisor[:count] = each.sum(2, keepdim=True)
        by_logs = self._by_logs[:count]
        if smoothing:
            shared = (
                torch.full((1, self._width, 1), 1.0) if criterion.weight is None else criterion.weight.view(1, -1, 1)
            )
            by_logs.copy_(shared.expand_as(by_logs)).mul_(-smoothing / self._width)
            by_logs.scatter_add_(1, y, each * (smoothing - 1.0))
        else:
            by_logs.zero_().scatter_(1, y, -each)
        by_logs.div_(self._divisor[:count])

    def calls(self, slot: int) -> list[Call]:
        z, logs, by_logs = self.outputs[slot], self._logs[slot], self._by_logs[slot]
        by_logs = by_logs.expand_as(z)
        axis = z.ndim - 2
        return [
            partial(torch.log_softmax, z, axis, out=logs),
            partial(torch._log_softmax_backward_data, by_logs, logs, axis, torch.float32, out=self.slope),
        ]

    def values(self) -> npt.NDArray[np.float32]:
        logs, picked = self._by_model, self._picked
        weight, smoothing = self._criterion.weight, self._smoothing
        torch.gather(logs, 2, self._index, out=picked)
        if weight is None and not smoothing:
            plain: npt.NDArray[np.float32] = picked.sum((2, 3)).div_(-float(self._rows)).numpy()
            return plain
        picked.neg_()
        if weight is not None:
            picked.mul_(weight[self.y].view(-1, 1, 1, self._rows))
        divisor = self._divisor.view(-1, 1)
        losses = self._sums(picked) / divisor
        if smoothing:
            spread = logs if weight is None else logs * weight.view(1, 1, -1, 1)
            losses = (1.0 - smoothing) * losses - smoothing / self._width * (self._sums(spread) / divisor)
        found: npt.NDArray[np.float32] = losses.numpy()
        return found


class NumberBlock(LossBlock):
    """Losses against numbers of the outputs' own shape."""

    def __init__(self, criterion: Criterion, count: int, models: int, width: int, rows: int) -> None:
        super().__init__(criterion, count, models, width, rows)
        self.y = torch.zeros(count, rows, width)
        self._y = torch.zeros(count, *((1,) if models > 1 else ()), width, rows)
        self._share = 1.0 / (width * rows)
        self._one = torch.tensor(self._share)

    def targets(self, count: int) -> None:
        turned = self.y[:count].transpose(1, 2)
        self._y[:count] = turned.unsqueeze(1) if self._models > 1 else turned

    def _terms(self) -> torch.Tensor:
        y = self._y.expand_as(self.outputs)
        function, settings = PLAIN[self._criterion.kind], self._criterion.settings
        terms: torch.Tensor = function(self.outputs, y, reduction="none", **settings)
        return terms

    def values(self) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = (self._sums(self._terms()) / (self._width * self._rows)).numpy()
        return found


class SquareBlock(NumberBlock):
    """MSELoss."""

    def calls(self, slot: int) -> list[Call]:
        z, y, slope = self.outputs[slot], self._y[slot], self.slope
        return [partial(torch.sub, z, y, out=slope), partial(slope.mul_, 2.0 * self._share)]


class AbsoluteBlock(NumberBlock):
    """L1Loss."""

    def calls(self, slot: int) -> list[Call]:
        z, y, slope = self.outputs[slot], self._y[slot], self.slope
        return [partial(torch.sub, z, y, out=slope), slope.sign_, partial(slope.mul_, self._share)]


class HuberBlock(NumberBlock):
    """HuberLoss and SmoothL1Loss, by torch's own derivatives."""

    def calls(self, slot: int) -> list[Call]:
        z, y = self.outputs[slot], self._y[slot]
        kind, (size,) = self._criterion.kind, self._criterion.settings.values()
        function = private.backward("huber_loss_backward" if kind == "HuberLoss" else "smooth_l1_loss_backward")
        return [partial(function, self._one, z, y.expand_as(z), SUM, size, grad_input=self.slope)]


class YesNoBlock(NumberBlock):
    """BCEWithLogitsLoss: s(x) (p y + 1 - y) - p y, p the weight of a yes."""

    def __init__(self, criterion: Criterion, count: int, models: int, width: int, rows: int) -> None:
        super().__init__(criterion, count, models, width, rows)
        self._sigmoid = torch.zeros_like(self.slope)
        self._minus = torch.zeros_like(self._y)
        self._factor = torch.zeros_like(self._y)

    def targets(self, count: int) -> None:
        super().targets(count)
        y, positive = self._y, self._criterion.positive
        if positive is None:
            torch.mul(y, -self._share, out=self._minus)
        else:
            torch.mul(y, positive, out=self._minus)
            torch.sub(self._minus, y, out=self._factor).add_(1.0).mul_(self._share)
            self._minus.mul_(-self._share)

    def calls(self, slot: int) -> list[Call]:
        z, minus, sigmoid = self.outputs[slot], self._minus[slot], self._sigmoid
        first = partial(torch.sigmoid, z, out=sigmoid)
        if self._criterion.positive is None:
            return [first, partial(torch.add, minus, sigmoid, alpha=self._share, out=self.slope)]
        return [first, partial(torch.addcmul, minus, sigmoid, self._factor[slot], out=self.slope)]

    def _terms(self) -> torch.Tensor:
        y = self._y.expand_as(self.outputs)
        positive = self._criterion.positive
        return functional.binary_cross_entropy_with_logits(self.outputs, y, pos_weight=positive, reduction="none")


BLOCKS: dict[str, type[NumberBlock]] = {
    "BCEWithLogitsLoss": YesNoBlock,
    "MSELoss": SquareBlock,
    "L1Loss": AbsoluteBlock,
    "HuberLoss": HuberBlock,
    "SmoothL1Loss": HuberBlock,
}
PLAIN: dict[str, Any] = {
    "MSELoss": functional.mse_loss,
    "L1Loss": functional.l1_loss,
    "HuberLoss": functional.huber_loss,
    "SmoothL1Loss": functional.smooth_l1_loss,
}
