"""Losses put to work, with the denominators that make means over batches into the mean over a set."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from engine.data.facts import Facts
from engine.parts.loss import BCEWithLogitsLoss, CrossEntropyLoss, Loss
from engine.recipe.schema import Recipe
from engine.train.build.model import call


class Criterion(nn.Module):
    """A loss over a batch and what it divides by.

    Targets are int64 (N,) for classification, else float32 (N, outputs), as in `engine.data.prepared`. The loss of a
    set of batches is `sum(loss * denominator) / sum(denominator)`: exactly the criterion over the whole set, class
    weights included.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    @property
    def weight(self) -> Tensor | None:
        """Class weights (classes,) of CrossEntropyLoss; None where every row counts the same."""
        weight = getattr(self.module, "weight", None)
        return weight if isinstance(weight, Tensor) else None

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of the batch: what training takes the gradient of."""
        value: Tensor = self.module(outputs, targets)
        return value

    def denominator(self, targets: Tensor) -> float:
        """What the mean divides by: rows, or the sum of the rows' class weights."""
        if self.weight is None:
            return float(len(targets))
        return float(self.weight[targets].sum(dtype=torch.float64))

    def loss(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, float]:
        """Mean loss of the batch, and its denominator."""
        return self(outputs, targets), self.denominator(targets)


def build_loss(recipe: Recipe, facts: Facts) -> Criterion:
    """The recipe's loss, on the CPU; the recipe must be resolved, so that it has one."""
    part = recipe.loss
    if part is None:
        raise ValueError("resolve the recipe first: it has no loss")
    arguments = torch_arguments(part, facts)
    tensors = {name: torch.tensor(value) for name, value in arguments.items() if isinstance(value, list)}
    module = call(part.torch_path())(**(arguments | tensors))
    return Criterion(module)


def torch_arguments(part: Loss, facts: Facts) -> dict[str, Any]:
    """Keyword arguments of the torch call, weights as plain lists of numbers."""
    arguments = {name: value for name, value in part.arguments().items() if value is not None}
    if isinstance(part, CrossEntropyLoss) and part.weight == "balanced":
        arguments["weight"] = balanced_weights(facts)
    if isinstance(part, BCEWithLogitsLoss) and part.pos_weight is not None:
        weight = balanced_pos_weight(facts) if part.pos_weight == "balanced" else part.pos_weight
        arguments["pos_weight"] = weight if isinstance(weight, list) else [weight]
    return arguments


def balanced_weights(facts: Facts) -> list[float]:
    """Weight of each class: rows / (classes * rows of the class), from the training part. A class without rows there
    gets the weight of a class with one row."""
    counts = facts.class_counts["train"]
    total = sum(counts)
    return [total / (len(counts) * max(count, 1)) for count in counts]


def balanced_pos_weight(facts: Facts) -> list[float]:
    """Noes for each yes in the training part: one number, or one a label."""
    counts, rows = facts.class_counts["train"], facts.rows["train"]
    yes = counts[1:] if facts.task == "binary" else counts
    return [(rows - count) / max(count, 1) or 1.0 for count in yes]
