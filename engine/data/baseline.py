"""What always guessing the average scores: the line that a model has to beat.

The average is the training part's: class shares, shares of each label, mean of each target. Losses are in the
scale of the targets as the network sees them, metrics in the target's own units.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data.target import to_units
from engine.parts.loss import USUAL_LOSS

Array = npt.NDArray[Any]


def baseline(goal: dict[str, Any], train: Array, y: Array, loss: Any = None) -> dict[str, float]:
    """Scores on targets `y` of guessing the average of targets `train`, both as in `Part.y`.

    Keys: the task's losses by name, `val_loss` (the recipe's `loss`, else the task's usual one), and `val_<metric>`
    for every metric that is defined. `loss` is a part (`engine.parts.loss`); its weights and smoothing count.
    """
    if not len(y) or not len(train):
        return {}
    if goal["task"] == "classification":
        losses, metrics = _classes(train, y, len(goal["classes"]), loss)
    elif goal["task"] == "regression":
        losses, metrics = _numbers(goal, train, y, loss)
    else:
        losses, metrics = _labels(goal["task"], train, y, loss)
    name = USUAL_LOSS[goal["task"]] if loss is None else type(loss).type_name()
    if name in losses:
        losses["val_loss"] = losses[name]
    return {key: float(value) for key, value in (losses | metrics).items() if math.isfinite(value)}


def _classes(train: Array, y: Array, classes: int, loss: Any) -> tuple[dict[str, float], dict[str, float]]:
    counts = np.bincount(train, minlength=classes)
    weight = np.ones(classes)
    given = getattr(loss, "weight", None)
    if given == "balanced":
        weight = len(train) / (classes * np.maximum(counts, 1))
    elif given is not None and len(given) == classes:
        weight = np.array(given, dtype=np.float64)
    smoothing = float(getattr(loss, "label_smoothing", 0.0))
    surprise = -np.log(np.maximum(counts / len(train), 1e-12))
    whole = weight[y].sum()
    value = (weight[y] * surprise[y]).sum() / whole if whole else float("nan")
    smooth = len(y) * (weight * surprise).sum() / classes / whole if whole else float("nan")
    present = np.bincount(y, minlength=classes) > 0
    major = int(counts.argmax())
    hit = float((y == major).mean())
    averaged = int(present.sum()) + (0 if present[major] else 1)
    metrics = {
        "val_accuracy": hit,
        "val_precision": hit / averaged,
        "val_recall": float(present[major]) / averaged,
        "val_f1_score": 2 * hit / (1 + hit) / averaged,
        "val_auroc": 0.5,
    }
    return {"CrossEntropyLoss": (1 - smoothing) * value + smoothing * smooth}, metrics


def _labels(task: str, train: Array, y: Array, loss: Any) -> tuple[dict[str, float], dict[str, float]]:
    shares = train.mean(axis=0, dtype=np.float64)
    given = getattr(loss, "pos_weight", None)
    if given == "balanced":
        yes = train.sum(axis=0, dtype=np.float64)
        weight = np.where(len(train) > yes, (len(train) - yes) / np.maximum(yes, 1), 1.0)
    else:
        weight = np.broadcast_to(np.array(1.0 if given is None else given, dtype=np.float64), shares.shape)
    guess = np.clip(shares, 1e-12, 1 - 1e-12)
    value = -(weight * y * np.log(guess) + (1 - y) * np.log1p(-guess)).mean()
    answer = (shares > 0.5).astype(np.float64)
    hits = float((y == answer).mean())
    tp, fp, fn = (y * answer).sum(0), ((1 - y) * answer).sum(0), (y * (1 - answer)).sum(0)

    def ratio(top: Array, bottom: Array) -> float:
        return float(np.where(bottom > 0, top / np.maximum(bottom, 1), 0.0).mean())

    metrics = {
        "val_accuracy": hits,
        "val_precision": ratio(tp, tp + fp),
        "val_recall": ratio(tp, tp + fn),
        "val_f1_score": ratio(2 * tp, 2 * tp + fp + fn),
        "val_auroc": 0.5,
    }
    return {"BCEWithLogitsLoss": float(value)}, metrics


def _numbers(goal: dict[str, Any], train: Array, y: Array, loss: Any) -> tuple[dict[str, float], dict[str, float]]:
    guess = train.mean(axis=0, dtype=np.float64)
    miss = np.abs(y.astype(np.float64) - guess)
    delta = float(getattr(loss, "delta", 1.0))
    beta = float(getattr(loss, "beta", 1.0))
    losses = {
        "MSELoss": (miss**2).mean(),
        "L1Loss": miss.mean(),
        "HuberLoss": np.where(miss <= delta, miss**2 / 2, delta * (miss - delta / 2)).mean(),
        "SmoothL1Loss": (np.where(miss < beta, miss**2 / (2 * beta), miss - beta / 2) if beta else miss).mean(),
    }
    own = to_units(goal, y)
    error = own - to_units(goal, guess[None])
    spread = ((own - own.mean(axis=0)) ** 2).sum(axis=0)
    metrics = {"val_mean_squared_error": (error**2).mean(), "val_mean_absolute_error": np.abs(error).mean()}
    if len(y) > 1 and (spread > 0).all():
        metrics["val_r2_score"] = (1 - (error**2).sum(axis=0) / spread).mean()
    return losses, metrics
