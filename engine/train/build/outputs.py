"""What a network's outputs mean, by task."""

from __future__ import annotations

import torch
from torch import Tensor


def probabilities(outputs: Tensor, task: str) -> Tensor:
    """Outputs (N, width) as probabilities of the same shape: softmax over classes; sigmoid for binary (of the second
    class) and for each label. The outputs themselves for a regression."""
    if task == "classification":
        return torch.softmax(outputs, dim=-1)
    if task in ("binary", "multilabel"):
        return torch.sigmoid(outputs)
    return outputs


def predicted(outputs: Tensor, task: str) -> Tensor:
    """The decision: int64 (N,) class indices for classification and binary (a yes above one half), int64 (N, labels)
    for multilabel, the outputs themselves for a regression."""
    if task == "classification":
        return outputs.argmax(dim=-1)
    if task == "binary":
        return (torch.sigmoid(outputs).reshape(-1) > 0.5).long()
    if task == "multilabel":
        return (torch.sigmoid(outputs) > 0.5).long()
    return outputs
