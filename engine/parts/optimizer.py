"""Optimizers: how weights move."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, field_validator, model_validator

from engine.parts.part import Part, part, setting

DECAY_HELP = "pulls weights towards zero, against overfitting"
EPS_HELP = "added to the denominator, so that nothing is divided by zero"


class Optimizer(Part):
    """An update rule. Every optimizer has a base learning rate that the schedule multiplies."""

    family: ClassVar[str] = "optimizer"

    lr: float = setting(
        1e-3,
        help="learning rate",
        gt=0,
        live=True,
        log=True,
        smaller="slower, steadier",
        larger="faster, may diverge",
    )


def _decay(default: float = 0.0) -> float:
    value: float = setting(
        default, help=DECAY_HELP, ge=0, live=True, log=True, smaller="fits more", larger="regularises more"
    )
    return value


@part
class SGD(Optimizer):
    """Stochastic gradient descent: a step down the gradient of each batch, with momentum if you like.

    g = gradient + weight_decay * w;  v = momentum * v + (1 - dampening) * g;  w = w - lr * v, with Nesterov
    w = w - lr * (g + momentum * v).

    Source: Sutskever et al., On the importance of initialization and momentum in deep learning, ICML 2013.
    """

    torch: ClassVar[str | None] = "torch.optim.SGD"

    momentum: float = setting(
        0.0, help="share of the last step that goes on", ge=0, lt=1, live=True, smaller="steadier", larger="faster"
    )
    dampening: float = setting(0.0, help="share of the gradient that momentum leaves out", ge=0, le=1)
    weight_decay: float = _decay()
    nesterov: bool = setting(False, help="look ahead along the momentum; needs momentum above 0 and dampening 0")

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> SGD:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError("nesterov needs momentum above 0 and dampening 0: try momentum: 0.9")
        return self


class _Moments(Optimizer):
    """What Adam and AdamW share."""

    betas: list[Annotated[float, Field(ge=0, lt=1)]] = setting(
        [0.9, 0.999], help="memory of the mean gradient and of its square; the first acts as momentum"
    )
    eps: float = setting(1e-8, help=EPS_HELP, ge=0, log=True)

    @field_validator("betas")
    @classmethod
    def _two(cls, betas: list[float]) -> list[float]:
        if len(betas) != 2:
            raise ValueError("betas are two numbers, such as [0.9, 0.999]")
        return betas


@part
class Adam(_Moments):
    """Steps of about the same size for every weight, whatever the size of its gradients.

    m, v: running means of g and g^2, corrected for their start at zero;  w = w - lr * m / (sqrt(v) + eps).
    weight_decay is added to the gradient, so large gradients weaken it; AdamW does without that.

    Source: Kingma and Ba, Adam, arXiv:1412.6980.
    """

    torch: ClassVar[str | None] = "torch.optim.Adam"

    weight_decay: float = _decay()
    amsgrad: bool = setting(False, help="divide by the largest v so far (arXiv:1904.09237)")


@part
class AdamW(_Moments):
    """Adam with weight decay of its own: every step shrinks weights by lr * weight_decay.

    w = w - lr * weight_decay * w - lr * m / (sqrt(v) + eps).

    Source: Loshchilov and Hutter, Decoupled weight decay regularization, arXiv:1711.05101.
    """

    torch: ClassVar[str | None] = "torch.optim.AdamW"

    weight_decay: float = _decay(1e-2)
    amsgrad: bool = setting(False, help="divide by the largest v so far (arXiv:1904.09237)")


@part
class RMSprop(Optimizer):
    """Divides each step by the recent size of the weight's gradients.

    v = alpha * v + (1 - alpha) * g^2;  w = w - lr * g / (sqrt(v) + eps).

    Source: Hinton, Neural networks for machine learning, lecture 6, 2012; centred: Graves, arXiv:1308.0850.
    """

    torch: ClassVar[str | None] = "torch.optim.RMSprop"

    alpha: float = setting(0.99, help="memory of the squared gradient", ge=0, lt=1)
    eps: float = setting(1e-8, help=EPS_HELP, ge=0, log=True)
    momentum: float = setting(0.0, help="share of the last step that goes on", ge=0, lt=1, live=True)
    centered: bool = setting(False, help="divide by the gradient's spread in place of its size")
    weight_decay: float = _decay()


@part
class Adagrad(Optimizer):
    """Steps that shrink for weights that have moved much: good for features that are rarely set.

    s = s + g^2;  w = w - lr / (1 + steps * lr_decay) * g / (sqrt(s) + eps).

    Source: Duchi, Hazan and Singer, Adaptive subgradient methods, JMLR 12, 2011.
    """

    torch: ClassVar[str | None] = "torch.optim.Adagrad"

    lr_decay: float = setting(0.0, help="fade of the learning rate with every step", ge=0)
    initial_accumulator_value: float = setting(0.0, help="start of s", ge=0)
    eps: float = setting(1e-10, help=EPS_HELP, ge=0, log=True)
    weight_decay: float = _decay()
