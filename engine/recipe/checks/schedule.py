"""The learning-rate schedule against the length of the run."""

from __future__ import annotations

from collections.abc import Callable

from engine.parts.scheduler import (
    Clock,
    CosineAnnealingLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Scheduler,
    StepLR,
    lr_factor,
)
from engine.recipe.checks.subject import Subject

NEXT_TO_NOTHING = 1e-4
"""Share of the learning rate below which weights hardly move."""
SAMPLES = 200
"""Epochs looked at, at most."""


def warmup_leaves_time(subject: Subject) -> None:
    """A warm-up that is shorter than the run."""
    scheduler, epochs = subject.recipe.scheduler, subject.recipe.train.epochs
    if scheduler and scheduler.warmup and scheduler.warmup.epochs >= epochs:
        message = f"a warm-up of {scheduler.warmup.epochs:g} epochs takes up the whole run of {epochs}"
        path = "scheduler.warmup.epochs"
        hint = "shorten it, or train longer: the learning rate only climbs"
        subject.warn(path, message, hint, subject.set(path, max(1, epochs // 10)))


def rates_are_ordered(subject: Subject) -> None:
    """A lowest rate that lies below the rate to begin with."""
    scheduler, lr = subject.recipe.scheduler, subject.recipe.optimizer.lr
    for name in ("eta_min", "min_lr"):
        lowest = getattr(scheduler, name, 0.0)
        if lowest >= lr:
            path = f"scheduler.{name}"
            message = f"the lowest rate, {lowest:g}, is not below optimizer.lr, {lr:g}"
            subject.error(path, message, "0 is usual", subject.unset(path))


def length_fits(subject: Subject) -> None:
    """Schedules that end long before the run, climb again, or never act."""
    scheduler, epochs = subject.recipe.scheduler, subject.recipe.train.epochs
    if scheduler is None or (scheduler.warmup and scheduler.warmup.epochs >= epochs):
        return
    left = epochs - (scheduler.warmup.epochs if scheduler.warmup else 0)
    if isinstance(scheduler, CosineAnnealingLR) and scheduler.T_max is not None and scheduler.T_max != left:
        _cosine(subject, scheduler.T_max, left)
    elif isinstance(scheduler, StepLR) and scheduler.step_size >= left:
        path = "scheduler.step_size"
        message = f"the rate drops every {scheduler.step_size} epochs, and the run ends before the first drop"
        subject.warn(path, message, "drop sooner, or train longer", subject.set(path, max(1, epochs // 3)))
    elif isinstance(scheduler, MultiStepLR) and scheduler.milestones[-1] >= left:
        path = "scheduler.milestones"
        late = [milestone for milestone in scheduler.milestones if milestone >= left]
        message = f"the run of {epochs} epochs ends before the milestone {late[0]}"
        kept = [milestone for milestone in scheduler.milestones if milestone < left]
        fixes = [subject.set(path, kept or [max(1, epochs // 2)])]
        subject.warn(path, message, "name earlier epochs, or train longer", *fixes)
    elif isinstance(scheduler, ReduceLROnPlateau) and scheduler.patience >= left:
        path = "scheduler.patience"
        message = f"the schedule waits {scheduler.patience} epochs, and the run has {epochs}: the rate never drops"
        subject.warn(path, message, "be less patient", subject.set(path, max(1, epochs // 10)))
    elif not isinstance(scheduler, OneCycleLR | ReduceLROnPlateau):
        _ends_early(subject, scheduler, epochs)


def _cosine(subject: Subject, t_max: int, left: float) -> None:
    path = "scheduler.T_max"
    fix = subject.unset(path)
    if t_max < left:
        message = f"the schedule ends after {t_max} of {left:g} epochs, then the rate climbs again"
    else:
        message = f"the run ends after {left:g} of the schedule's {t_max} epochs: the rate never gets low"
    subject.warn(path, message, "leave T_max out: it is the run's length then", fix)


def _ends_early(subject: Subject, scheduler: Scheduler, epochs: int) -> None:
    """Rates that are next to nothing for much of the run."""
    lr = subject.recipe.optimizer.lr
    for sample in range(SAMPLES):
        epoch = epochs * sample // SAMPLES
        clock = Clock(step=epoch, epoch=epoch, steps_per_epoch=1, epochs=epochs, lr=lr)
        warm = scheduler.warmup is not None and epoch < scheduler.warmup.epochs
        if not warm and lr_factor(scheduler, clock) < NEXT_TO_NOTHING and epoch < 0.7 * epochs:
            message = (
                f"the learning rate is next to nothing from epoch {epoch + 1} of {epochs}: "
                "the schedule ends long before the run"
            )
            fixes = []
            if isinstance(scheduler, StepLR):
                fixes = [subject.set("scheduler.step_size", max(1, epochs // 3))]
            elif hasattr(scheduler, "gamma"):
                fixes = [subject.set("scheduler.gamma", round(0.01 ** (1 / epochs), 4))]
            subject.warn("scheduler", message, "stretch the schedule, or train for fewer epochs", *fixes)
            return


CHECKS: tuple[Callable[[Subject], None], ...] = (warmup_leaves_time, rates_are_ordered, length_fits)
