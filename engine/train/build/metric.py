"""Metrics put to work: torchmetrics in functional form, on the gathered predictions of a whole part.

It is imported with the first metric: it brings in scipy and matplotlib where they are installed, and then takes longer
than a small run.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.data.facts import Facts
from engine.parts.metric import Metric
from engine.train.build.outputs import predicted, probabilities

Value = float | list[list[int]]


def compute(metric: Metric, outputs: Tensor, targets: Tensor, facts: Facts) -> Value:
    """The metric over a part.

    Outputs (N, width) are the network's own, targets as in `engine.data.prepared`; for a regression both in the
    target's own units. Not a number where the metric is not defined (AUROC with one class, R2Score of one row).
    """
    outputs, targets = outputs.detach().float().cpu(), targets.detach().cpu()
    if metric.type_name() == "Accuracy" and len(targets):
        return _accuracy(outputs, targets, facts.task)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if facts.task == "regression":
            return _regression(metric.type_name(), outputs.double(), targets.double())
        if not len(targets):
            return float("nan")
        return _classes(metric.type_name(), probabilities(outputs, facts.task), targets.long(), facts)


def _plain(value: Tensor) -> float:
    """The shortest decimal number that is this float32: 0.9, not 0.8999999761581421."""
    return float(str(np.float32(value.item()))) if value.dtype == torch.float32 else float(value)


def _accuracy(outputs: Tensor, targets: Tensor, task: str) -> float:
    """Share of right answers, as torchmetrics rounds it. Counted here, since every epoch of most runs wants it, and a
    small network's whole epoch takes hardly longer than torchmetrics needs to look at its arguments."""
    right = predicted(outputs, task) == targets.reshape(len(targets), -1).squeeze(-1)
    return _plain(right.sum(dtype=torch.float32) / right.numel())


def _regression(name: str, outputs: Tensor, targets: Tensor) -> float:
    if len(targets) < (2 if name == "R2Score" else 1):
        return float("nan")
    import torchmetrics.functional.regression as regression

    outputs = outputs.reshape(targets.shape)
    if name == "R2Score":
        squeezed = targets.squeeze(-1) if targets.ndim == 2 and targets.shape[1] == 1 else targets
        return float(regression.r2_score(outputs.reshape(squeezed.shape), squeezed))
    function: Any = {
        "MeanSquaredError": regression.mean_squared_error,
        "MeanAbsoluteError": regression.mean_absolute_error,
    }[name]
    return float(function(outputs.contiguous(), targets.contiguous()))


FUNCTIONS = {
    "Precision": "precision",
    "Recall": "recall",
    "F1Score": "f1_score",
    "AUROC": "auroc",
    "ConfusionMatrix": "confusion_matrix",
}


def _classes(name: str, probability: Tensor, targets: Tensor, facts: Facts) -> Value:
    import torchmetrics.functional.classification as classification

    prefix = {"classification": "multiclass", "binary": "binary", "multilabel": "multilabel"}[facts.task]
    function = getattr(classification, f"{prefix}_{FUNCTIONS[name]}")
    # the targets were checked when the data was read, and the outputs are the network's own
    arguments: dict[str, Any] = {"validate_args": False}
    if facts.task == "binary":
        probability, targets = probability.reshape(-1), targets.reshape(-1)
    else:
        key = "num_classes" if facts.task == "classification" else "num_labels"
        arguments[key] = probability.shape[1]
    if name == "AUROC":
        return _auroc(function, probability, targets, arguments, facts.task)
    if name == "ConfusionMatrix":
        rows: list[list[int]] = function(probability, targets, **arguments).tolist()
        return rows
    if facts.task != "binary":
        arguments["average"] = "macro"
    return _plain(function(probability, targets, **arguments))


def _auroc(function: Any, probability: Tensor, targets: Tensor, arguments: dict[str, Any], task: str) -> float:
    """Mean area over the classes or labels that have members and non-members."""
    if task == "binary":
        return _plain(function(probability, targets, **arguments)) if targets.min() != targets.max() else float("nan")
    if task == "classification":
        members = torch.bincount(targets, minlength=probability.shape[1])
    else:
        members = targets.sum(dim=0)
    defined = (members > 0) & (members < len(targets))
    if not bool(defined.any()):
        return float("nan")
    areas = function(probability, targets, average="none", **arguments)
    return _plain(areas[defined].mean())
