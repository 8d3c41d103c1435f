"""Initialisation schemes: how weights start. Names are those of `torch.nn.init`, without the underscore at the end."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from engine.parts.layer import Init
from engine.parts.part import part, setting

FAN_HELP = "keep the variance of what flows forward (fan_in) or of gradients (fan_out)"
KIND_HELP = "the activation that follows"
SLOPE_HELP = "slope below zero of the leaky_relu that follows"
GAIN_HELP = "factor on the spread"

Nonlinearity = Literal["relu", "leaky_relu", "tanh", "sigmoid", "linear", "selu"]


@part
class KaimingNormal(Init):
    """Normal weights with the spread that keeps a ReLU network's signal steady.

    std = gain / sqrt(fan), gain = sqrt(2 / (1 + a^2)) for relu (a = 0) and leaky_relu.

    Source: He et al., Delving deep into rectifiers, arXiv:1502.01852.
    """

    torch: ClassVar[str | None] = "torch.nn.init.kaiming_normal_"

    mode: Literal["fan_in", "fan_out"] = setting("fan_in", help=FAN_HELP)
    nonlinearity: Nonlinearity = setting("relu", help=KIND_HELP)
    a: float = setting(0.0, help=SLOPE_HELP, ge=0)


@part
class KaimingUniform(Init):
    """Uniform weights with the spread that keeps a ReLU network's signal steady.

    Between -bound and bound, bound = gain * sqrt(3 / fan), gain = sqrt(2 / (1 + a^2)) for relu and leaky_relu.

    Source: He et al., Delving deep into rectifiers, arXiv:1502.01852.
    """

    torch: ClassVar[str | None] = "torch.nn.init.kaiming_uniform_"

    mode: Literal["fan_in", "fan_out"] = setting("fan_in", help=FAN_HELP)
    nonlinearity: Nonlinearity = setting("relu", help=KIND_HELP)
    a: float = setting(0.0, help=SLOPE_HELP, ge=0)


@part
class XavierNormal(Init):
    """Normal weights with the spread that keeps a tanh network's signal and gradients steady.

    std = gain * sqrt(2 / (fan_in + fan_out)).

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward networks, AISTATS 2010.
    """

    torch: ClassVar[str | None] = "torch.nn.init.xavier_normal_"

    gain: float = setting(1.0, help=GAIN_HELP, gt=0)


@part
class XavierUniform(Init):
    """Uniform weights with the spread that keeps a tanh network's signal and gradients steady.

    Between -bound and bound, bound = gain * sqrt(6 / (fan_in + fan_out)).

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward networks, AISTATS 2010.
    """

    torch: ClassVar[str | None] = "torch.nn.init.xavier_uniform_"

    gain: float = setting(1.0, help=GAIN_HELP, gt=0)


@part
class Orthogonal(Init):
    """Weights whose rows stand at right angles, so that lengths are kept through many layers.

    Source: Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning, arXiv:1312.6120.
    """

    torch: ClassVar[str | None] = "torch.nn.init.orthogonal_"

    gain: float = setting(1.0, help=GAIN_HELP, gt=0)


@part
class Normal(Init):
    """Normal weights of a spread that you choose."""

    torch: ClassVar[str | None] = "torch.nn.init.normal_"

    mean: float = setting(0.0, help="centre")
    std: float = setting(0.02, help="standard deviation", gt=0, log=True)


@part
class Uniform(Init):
    """Weights spread evenly between two bounds."""

    torch: ClassVar[str | None] = "torch.nn.init.uniform_"

    a: float = setting(-0.1, help="lower bound")
    b: float = setting(0.1, help="upper bound")

    @model_validator(mode="after")
    def _ordered(self) -> Uniform:
        if self.a >= self.b:
            raise ValueError("a, the lower bound, must be below b")
        return self


@part
class TruncNormal(Init):
    """Normal weights, drawn again where they fall outside two bounds."""

    torch: ClassVar[str | None] = "torch.nn.init.trunc_normal_"

    mean: float = setting(0.0, help="centre")
    std: float = setting(0.02, help="standard deviation", gt=0, log=True)
    a: float = setting(-2.0, help="lower bound, as a value")
    b: float = setting(2.0, help="upper bound, as a value")

    @model_validator(mode="after")
    def _ordered(self) -> TruncNormal:
        if self.a >= self.b:
            raise ValueError("a, the lower bound, must be below b")
        return self


@part
class Zeros(Init):
    """All weights zero. For a last layer only: inside a network, units that start equal stay equal."""

    torch: ClassVar[str | None] = "torch.nn.init.zeros_"


@part
class Ones(Init):
    """All weights one. For experiments: units that start equal stay equal."""

    torch: ClassVar[str | None] = "torch.nn.init.ones_"


@part
class Constant(Init):
    """All weights the same number. For experiments: units that start equal stay equal."""

    torch: ClassVar[str | None] = "torch.nn.init.constant_"

    val: float = setting(0.0, help="the number")
