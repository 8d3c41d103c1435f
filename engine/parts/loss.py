"""Losses: what training minimises."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import field_validator

from engine.parts.part import Part, part, setting

USUAL_LOSS: dict[str, str] = {
    "classification": "CrossEntropyLoss",
    "binary": "BCEWithLogitsLoss",
    "multilabel": "BCEWithLogitsLoss",
    "regression": "MSELoss",
}
"""The loss of a recipe that names none, by task."""


class Loss(Part):
    """A loss over a batch: outputs of the network, targets, to one number (the mean over samples)."""

    family: ClassVar[str] = "loss"
    tasks: ClassVar[tuple[str, ...]] = ()
    """Tasks that the loss fits."""


@part
class CrossEntropyLoss(Loss):
    """How surprised the predicted class shares are by the true class.

    loss = -sum_i w[y_i] log softmax(x_i)[y_i] / sum_i w[y_i], in nats; label smoothing mixes the true class with
    all classes alike. Outputs (N, classes) are plain numbers: the loss applies Softmax itself. Guessing evenly among C
    classes scores ln C.

    Source of label smoothing: Szegedy et al., Rethinking the Inception architecture, arXiv:1512.00567.
    """

    torch: ClassVar[str | None] = "torch.nn.CrossEntropyLoss"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    label_smoothing: float = setting(
        0.0, help="share of the target spread over all classes", ge=0, lt=1, smaller="surer", larger="more doubtful"
    )
    weight: Literal["balanced"] | list[float] | None = setting(
        None, help="weight of each class; `balanced` weighs rare classes up: rows / (classes * rows of the class)"
    )

    @field_validator("weight")
    @classmethod
    def _positive(cls, weight: str | list[float] | None) -> str | list[float] | None:
        if isinstance(weight, list) and (not weight or min(weight) < 0 or max(weight) <= 0):
            raise ValueError("weights are numbers from 0, and not all of them 0")
        return weight


@part
class BCEWithLogitsLoss(Loss):
    """How surprised the predicted probability is by a yes or no.

    loss = mean of -(p y log s(x) + (1 - y) log(1 - s(x))), s the sigmoid, p the weight of a yes, in nats. Outputs
    (N, 1), or (N, labels), are plain numbers: the loss applies Sigmoid itself. Guessing one half scores ln 2.
    """

    torch: ClassVar[str | None] = "torch.nn.BCEWithLogitsLoss"
    tasks: ClassVar[tuple[str, ...]] = ("binary", "multilabel")

    pos_weight: Literal["balanced"] | float | list[float] | None = setting(
        None, help="weight of a yes; `balanced` is the number of noes for each yes in the training part"
    )

    @field_validator("pos_weight")
    @classmethod
    def _positive(cls, weight: str | float | list[float] | None) -> str | float | list[float] | None:
        numbers = weight if isinstance(weight, list) else [weight]
        if any(isinstance(value, float) and value <= 0 for value in numbers) or weight == []:
            raise ValueError("a weight must be above 0")
        return weight


@part
class MSELoss(Loss):
    """Mean squared error: large misses count most.

    loss = mean of (x - y)^2, in squared standard deviations of the target where it is standardised: always guessing
    the average then scores 1.
    """

    torch: ClassVar[str | None] = "torch.nn.MSELoss"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)


@part
class L1Loss(Loss):
    """Mean absolute error: every unit of a miss counts the same, so outliers count less than under MSELoss.

    loss = mean of |x - y|.
    """

    torch: ClassVar[str | None] = "torch.nn.L1Loss"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)


@part
class HuberLoss(Loss):
    """Squared error for small misses, absolute error for large ones.

    loss = mean of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), d = x - y.

    Source: Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics 35, 1964.
    """

    torch: ClassVar[str | None] = "torch.nn.HuberLoss"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)

    delta: float = setting(
        1.0, help="size of a miss from which it counts as large", gt=0, smaller="like L1Loss", larger="like MSELoss"
    )


@part
class SmoothL1Loss(Loss):
    """Absolute error, rounded off near zero: Huber's loss divided by beta.

    loss = mean of d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, d = x - y.

    Source: Girshick, Fast R-CNN, arXiv:1504.08083.
    """

    torch: ClassVar[str | None] = "torch.nn.SmoothL1Loss"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)

    beta: float = setting(1.0, help="size of a miss from which it counts as large", ge=0)
