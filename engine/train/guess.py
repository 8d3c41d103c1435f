"""What two who know nothing score: the network before its first step, and always guessing the average."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from engine.data.prepared import Part, Prepared
from engine.train.executors.executor import Executor, Slice


def judged(prepared: Prepared) -> str:
    """The part that both are judged on: validation, or training where there is none."""
    return "validation" if len(prepared.validation.rows) else "train"


def loss_at_init(executor: Executor, part: str) -> float:
    """Loss of the untrained network."""
    return _ratio(list(executor.evaluate(part)))


def loss_of_average(executor: Executor, prepared: Prepared, part: str) -> float:
    """Loss of answering every row with the same: the training part's class shares, or its mean."""
    data = {"train": prepared.train, "validation": prepared.validation}[part]
    outputs = np.tile(average(prepared.train, prepared.facts.task, prepared.facts.outputs), (len(data.rows), 1))
    return executor.score(outputs, data.y)


def average(train: Part, task: str, outputs: int) -> npt.NDArray[np.float32]:
    """The constant output (outputs,) that stands for the average: log shares, log odds, or the mean."""
    if task == "classification":
        shares = np.bincount(train.y, minlength=outputs) / len(train.y)
        return np.asarray(np.log(np.maximum(shares, 1e-12)), np.float32)
    mean = train.y.reshape(len(train.y), -1).mean(axis=0, dtype=np.float64)
    if task == "regression":
        return np.asarray(mean, np.float32)
    mean = np.clip(mean, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(mean / (1 - mean)), np.float32)


def _ratio(slices: list[Slice]) -> float:
    denominator = sum(piece.denominator for piece in slices)
    return sum(piece.numerator for piece in slices) / denominator if denominator else math.nan
