"""Schedules: the factor on the learning rate, as a torch-free function of where the run is."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from math import cos, floor, inf, pi
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from engine.parts.metric import higher_is_better
from engine.parts.part import Count, Part, part, setting


@dataclass(frozen=True)
class Clock:
    """Where a run is when the next update is about to be made."""

    step: int
    """Updates done."""
    epoch: int
    """Whole epochs done."""
    steps_per_epoch: int
    epochs: int
    """Epochs planned in all."""
    monitored: tuple[float, ...] = field(default=())
    """The validation series that a plateau schedule watches, one value a finished epoch."""
    lr: float = 1.0
    """`optimizer.lr`: what bounds given as learning rates (`eta_min`, `min_lr`) are measured against."""
    length: float = 0.0
    """Epochs from the schedule's start to the run's end: `epochs` less the warm-up's. Filled in by `lr_factor`."""


class Warmup(BaseModel):
    """A linear climb of the learning rate in front of a schedule, moving every step.

    factor = start_factor + (1 - start_factor) * step / steps, as LinearLR in PyTorch.

    Source: Goyal et al., Accurate, large minibatch SGD, arXiv:1706.02677.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    epochs: float = setting(1.0, help="length of the climb", gt=0)
    start_factor: float = setting(0.1, help="share of the learning rate to begin with", gt=0, le=1)

    def steps(self, steps_per_epoch: int) -> int:
        """Updates that the climb takes."""
        return round(self.epochs * steps_per_epoch)


class Scheduler(Part):
    """A schedule. The learning rate of an update is `optimizer.lr * factor`; epochs and steps count from its start."""

    family: ClassVar[str] = "scheduler"
    needs_length: ClassVar[bool] = False
    """Whether the factor depends on how long the run is to be."""
    counts_epochs: ClassVar[bool] = False
    """Whether the factor stands still within an epoch of the schedule's own clock."""

    warmup: Warmup | None = setting(None, help="a linear climb in front of the schedule")

    def at(self, clock: Clock) -> float:
        """Factor on `optimizer.lr` for the next update; warm-up is not in it (see `lr_factor`)."""
        return 1.0

    def momentum(self, clock: Clock) -> float | None:
        """Momentum (Adam: first beta) for the next update, where the schedule moves it too."""
        return None


def lr_factor(scheduler: Scheduler | None, clock: Clock) -> float:
    """Factor on `optimizer.lr` for the next update, warm-up included. 1 without a schedule."""
    if scheduler is None:
        return 1.0
    warmup = scheduler.warmup
    if warmup is not None:
        steps = warmup.steps(clock.steps_per_epoch)
        if clock.step < steps:
            return warmup.start_factor + (1.0 - warmup.start_factor) * (clock.step / steps)
    return scheduler.at(_own(scheduler, clock))


def learning_rate(scheduler: Scheduler | None, clock: Clock) -> float:
    """Learning rate of the next update: `clock.lr * lr_factor(...)`."""
    return clock.lr * lr_factor(scheduler, clock)


def momentum_at(scheduler: Scheduler | None, clock: Clock) -> float | None:
    """Momentum of the next update where the schedule moves it, else None."""
    return None if scheduler is None else scheduler.momentum(_own(scheduler, clock))


def steps_alike(scheduler: Scheduler | None, clock: Clock) -> int | None:
    """For how many updates from here on rate and momentum stay as they are, within this epoch; None: all of it."""
    if scheduler is None:
        return None
    if scheduler.warmup is None:
        return None if scheduler.counts_epochs else 1
    step = clock.step - scheduler.warmup.steps(clock.steps_per_epoch)
    if step < 0 or not scheduler.counts_epochs:
        return 1
    return clock.steps_per_epoch - step % clock.steps_per_epoch


def monitored_series(scheduler: Scheduler | None) -> str | None:
    """The series that the schedule wants in `Clock.monitored`, or None."""
    return scheduler.monitor if isinstance(scheduler, ReduceLROnPlateau) else None


def _own(scheduler: Scheduler, clock: Clock) -> Clock:
    """The schedule's own clock: it starts after the warm-up."""
    if scheduler.warmup is None:
        return replace(clock, length=float(clock.epochs))
    epochs = scheduler.warmup.epochs
    step = clock.step - scheduler.warmup.steps(clock.steps_per_epoch)
    return replace(
        clock,
        step=step,
        epoch=step // clock.steps_per_epoch,
        monitored=clock.monitored[floor(epochs) :],
        length=max(clock.epochs - epochs, 0.0),
    )


@part
class StepLR(Scheduler):
    """Multiplies the learning rate by gamma every step_size epochs.

    factor = gamma ^ floor(epoch / step_size).
    """

    torch: ClassVar[str | None] = "torch.optim.lr_scheduler.StepLR"
    counts_epochs: ClassVar[bool] = True

    step_size: int = setting(10, help="epochs between two drops", ge=1)
    gamma: float = setting(0.1, help="factor of each drop", gt=0, le=1)

    def at(self, clock: Clock) -> float:
        return float(self.gamma ** (clock.epoch // self.step_size))


@part
class MultiStepLR(Scheduler):
    """Multiplies the learning rate by gamma at each of the given epochs.

    factor = gamma ^ (milestones reached).
    """

    torch: ClassVar[str | None] = "torch.optim.lr_scheduler.MultiStepLR"
    counts_epochs: ClassVar[bool] = True

    milestones: list[Count] = setting(help="epochs after which the rate drops, rising")
    gamma: float = setting(0.1, help="factor of each drop", gt=0, le=1)

    @model_validator(mode="after")
    def _rising(self) -> MultiStepLR:
        if not self.milestones or sorted(self.milestones) != self.milestones:
            raise ValueError("milestones are epochs in rising order, such as [30, 60]")
        return self

    def at(self, clock: Clock) -> float:
        return float(self.gamma ** bisect_right(self.milestones, clock.epoch))


@part
class ExponentialLR(Scheduler):
    """Multiplies the learning rate by gamma after every epoch.

    factor = gamma ^ epoch.
    """

    torch: ClassVar[str | None] = "torch.optim.lr_scheduler.ExponentialLR"
    counts_epochs: ClassVar[bool] = True

    gamma: float = setting(0.95, help="factor of each epoch", gt=0, le=1)

    def at(self, clock: Clock) -> float:
        return float(self.gamma**clock.epoch)


@part
class CosineAnnealingLR(Scheduler):
    """Lets the learning rate glide down half a cosine wave, epoch by epoch.

    lr = eta_min + (lr_0 - eta_min) (1 + cos(pi epoch / T_max)) / 2. After T_max it climbs again, as in PyTorch.

    Source: Loshchilov and Hutter, SGDR, arXiv:1608.03983.
    """

    torch: ClassVar[str | None] = "torch.optim.lr_scheduler.CosineAnnealingLR"
    counts_epochs: ClassVar[bool] = True
    needs_length: ClassVar[bool] = True

    T_max: int | None = setting(None, help="epochs down to the lowest rate; left out: to the end of the run", ge=1)
    eta_min: float = setting(0.0, help="lowest learning rate", ge=0)

    def at(self, clock: Clock) -> float:
        length = self.T_max or clock.length or 1.0
        floor_ = self.eta_min / clock.lr
        return floor_ + (1.0 - floor_) * (1.0 + cos(pi * clock.epoch / length)) / 2.0


@part
class OneCycleLR(Scheduler):
    """One climb of the learning rate to its peak, `optimizer.lr`, and one descent to next to nothing, step by step.

    From peak / div_factor up to the peak over the first pct_start of the run, then down to
    peak / div_factor / final_div_factor. Takes no warm-up: it is one.

    Source: Smith and Topin, Super-convergence, arXiv:1708.07120.
    """

    torch: ClassVar[str | None] = "torch.optim.lr_scheduler.OneCycleLR"
    needs_length: ClassVar[bool] = True

    pct_start: float = setting(0.3, help="share of the run spent climbing", gt=0, lt=1)
    anneal_strategy: Literal["cos", "linear"] = setting("cos", help="shape of climb and descent")
    div_factor: float = setting(25.0, help="peak over the first learning rate", gt=1)
    final_div_factor: float = setting(1e4, help="first over the last learning rate", ge=1, log=True)
    three_phase: bool = setting(False, help="descend in two stretches: back to the start, then to next to nothing")
    cycle_momentum: bool = setting(False, help="move momentum (Adam: the first beta) against the learning rate")
    base_momentum: float = setting(0.85, help="momentum at the peak", ge=0, lt=1)
    max_momentum: float = setting(0.95, help="momentum at the ends", ge=0, lt=1)

    @model_validator(mode="after")
    def _no_warmup(self) -> OneCycleLR:
        if self.warmup is not None:
            raise ValueError("OneCycleLR is a warm-up itself: take `warmup` out")
        return self

    def at(self, clock: Clock) -> float:
        low = 1.0 / self.div_factor
        last = low / self.final_div_factor
        heights = (low, 1.0, low, last) if self.three_phase else (low, 1.0, last)
        return self._between(clock, heights)

    def momentum(self, clock: Clock) -> float | None:
        if not self.cycle_momentum:
            return None
        base, top = self.base_momentum, self.max_momentum
        return self._between(clock, (top, base, top, top) if self.three_phase else (top, base, top))

    def _between(self, clock: Clock, heights: tuple[float, ...]) -> float:
        """The value at the clock's step: phases lead from each height to the next."""
        total = max(clock.epochs * clock.steps_per_epoch, 1)
        climb = self.pct_start * total - 1
        ends = (climb, 2 * climb, total - 1) if self.three_phase else (climb, total - 1)
        step = min(clock.step, total - 1)
        start = 0.0
        for end, here, there in zip(ends, heights, heights[1:], strict=False):
            if step <= end or end == ends[-1]:
                share = (step - start) / (end - start) if end != start else 1.0
                return self._anneal(here, there, share)
            start = end
        raise AssertionError("a schedule has a last phase")

    def _anneal(self, here: float, there: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return (there - here) * share + here
        return there + (here - there) / 2.0 * (1.0 + cos(pi * share))


@part
class ReduceLROnPlateau(Scheduler):
    """Multiplies the learning rate by factor when a validation series has not improved for `patience` epochs.

    An epoch improves when it beats the best so far by more than threshold (as a share of it, or absolute).
    """

    torch: ClassVar[str | None] = "torch.optim.lr_scheduler.ReduceLROnPlateau"
    counts_epochs: ClassVar[bool] = True

    monitor: str = setting("val_loss", help="series to watch")
    mode: Literal["min", "max"] | None = setting(None, help="which way is better; left out: known from the series")
    factor: float = setting(0.1, help="factor of each drop", gt=0, lt=1)
    patience: int = setting(10, help="epochs without improvement that are borne", ge=0)
    threshold: float = setting(1e-4, help="smallest change that counts as an improvement", ge=0, log=True)
    threshold_mode: Literal["rel", "abs"] = setting("rel", help="threshold as a share of the best, or as it is")
    cooldown: int = setting(0, help="epochs after a drop in which none is counted", ge=0)
    min_lr: float = setting(0.0, help="lowest learning rate", ge=0)
    eps: float = setting(1e-8, help="a drop smaller than this is not made", ge=0, log=True)

    def at(self, clock: Clock) -> float:
        lr, bad, cooldown = clock.lr, 0, 0
        best = -inf if self._higher() else inf
        for value in clock.monitored:
            if self._better(value, best):
                best, bad = value, 0
            else:
                bad += 1
            if cooldown > 0:
                cooldown, bad = cooldown - 1, 0
            if bad > self.patience:
                lower = max(lr * self.factor, self.min_lr)
                lr = lower if lr - lower > self.eps else lr
                cooldown, bad = self.cooldown, 0
        return lr / clock.lr

    def _higher(self) -> bool:
        return higher_is_better(self.monitor) if self.mode is None else self.mode == "max"

    def _better(self, value: float, best: float) -> bool:
        if self._higher():
            bar = best * (1.0 + self.threshold) if self.threshold_mode == "rel" else best + self.threshold
            return value > bar
        bar = best * (1.0 - self.threshold) if self.threshold_mode == "rel" else best - self.threshold
        return value < bar
