"""Metrics: what a validation or test part is judged by."""

from __future__ import annotations

import re
from functools import cache
from typing import ClassVar

from engine.parts.part import Part, find, names, part

CLASSES = ("classification", "binary", "multilabel")


class Metric(Part):
    """A figure of merit over a whole part of the data."""

    family: ClassVar[str] = "metric"
    tasks: ClassVar[tuple[str, ...]] = ()
    higher_is_better: ClassVar[bool | None] = True
    """None where the metric has no order (a confusion matrix) and so cannot be monitored."""

    @classmethod
    def series(cls) -> str:
        """Name in series: `F1Score` is `f1_score`, `AUROC` is `auroc`."""
        return _snake_case(cls.type_name())


@cache
def _snake_case(name: str) -> str:
    if name == "R2Score":
        return "r2_score"
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def higher_is_better(series: str) -> bool:
    """Whether a series such as `val_accuracy` is better when higher. Losses, errors and unknown series are not."""
    stem = re.sub(r"^(train|val|test)_", "", series)
    if stem == "loss":  # no need to ask every metric, at every epoch
        return False
    for name in names("metric"):
        cls = find("metric", name)
        if cls is not None and issubclass(cls, Metric) and cls.series() == stem:
            return bool(cls.higher_is_better)
    return False


@part
class Accuracy(Metric):
    """Share of right answers, over all samples alike (micro); for several labels, over all of their answers.

    right / all, from 0 to 1. The predicted class is the most probable one, or a yes above one half.
    """

    torch: ClassVar[str | None] = "torchmetrics.functional.accuracy"
    tasks: ClassVar[tuple[str, ...]] = CLASSES


@part
class Precision(Metric):
    """Of those predicted to be of a class, the share that is.

    tp / (tp + fp), from 0 to 1: the mean over classes or labels (macro); for two classes, of the second.
    """

    torch: ClassVar[str | None] = "torchmetrics.functional.precision"
    tasks: ClassVar[tuple[str, ...]] = CLASSES


@part
class Recall(Metric):
    """Of those that are of a class, the share predicted to be.

    tp / (tp + fn), from 0 to 1: the mean over classes or labels (macro); for two classes, of the second.
    """

    torch: ClassVar[str | None] = "torchmetrics.functional.recall"
    tasks: ClassVar[tuple[str, ...]] = CLASSES


@part
class F1Score(Metric):
    """The harmonic mean of precision and recall: high only where both are.

    2 tp / (2 tp + fp + fn), from 0 to 1: the mean over classes or labels (macro); for two classes, of the second.
    """

    torch: ClassVar[str | None] = "torchmetrics.functional.f1_score"
    tasks: ClassVar[tuple[str, ...]] = CLASSES


@part
class AUROC(Metric):
    """How well probabilities rank: the chance that a random member of a class scores above a random non-member.

    Area under the ROC curve; 0.5 is guessing, 1 is perfect: the mean over classes, one against the rest, or labels
    (macro); for two classes, of the second. Classes without members or without non-members are left out; not a number
    where that leaves none.
    """

    torch: ClassVar[str | None] = "torchmetrics.functional.auroc"
    tasks: ClassVar[tuple[str, ...]] = CLASSES


@part
class ConfusionMatrix(Metric):
    """How often each true class (row) was predicted as each class (column), in samples."""

    torch: ClassVar[str | None] = "torchmetrics.functional.confusion_matrix"
    tasks: ClassVar[tuple[str, ...]] = ("classification", "binary")
    higher_is_better: ClassVar[bool | None] = None


@part
class MeanSquaredError(Metric):
    """Mean of the squared misses, in the target's unit squared, over all targets alike."""

    torch: ClassVar[str | None] = "torchmetrics.functional.mean_squared_error"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)
    higher_is_better: ClassVar[bool | None] = False


@part
class MeanAbsoluteError(Metric):
    """Mean size of a miss, in the target's unit, over all targets alike."""

    torch: ClassVar[str | None] = "torchmetrics.functional.mean_absolute_error"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)
    higher_is_better: ClassVar[bool | None] = False


@part
class R2Score(Metric):
    """Share of the target's variance that is explained, averaged over targets.

    1 - sum (x - y)^2 / sum (y - mean y)^2: 1 is perfect, 0 is always guessing the average, below 0 is worse.
    """

    torch: ClassVar[str | None] = "torchmetrics.functional.r2_score"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)
