"""Schedules against PyTorch's own, step by step."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.parts import catalog
from engine.parts.part import find, names
from engine.parts.scheduler import (
    Clock,
    ReduceLROnPlateau,
    Scheduler,
    Warmup,
    learning_rate,
    lr_factor,
    momentum_at,
    monitored_series,
    steps_alike,
)
from tests.engine.parts import drawn

catalog.load()

LR = 0.05


def make(name: str, **settings: Any) -> Scheduler:
    cls = find("scheduler", name)
    assert cls is not None
    made = cls(**settings)
    assert isinstance(made, Scheduler)
    return made


def reference(part: Scheduler, steps_per_epoch: int, epochs: int, monitored: list[float]) -> list[tuple[float, float]]:
    """(learning rate, momentum) of every update under PyTorch's scheduler of the same name and settings."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR, momentum=0.9)
    arguments = {name: value for name, value in part.arguments().items() if name not in ("warmup", "monitor")}
    by_step = part.type_name() == "OneCycleLR"
    if by_step:
        arguments |= {"max_lr": LR, "total_steps": epochs * steps_per_epoch}
    if part.type_name() == "CosineAnnealingLR" and arguments["T_max"] is None:
        arguments["T_max"] = epochs
    if part.type_name() == "ReduceLROnPlateau" and arguments["mode"] is None:
        arguments["mode"] = "min"
    scheduler = getattr(torch.optim.lr_scheduler, part.type_name())(optimizer, **arguments)
    rates = []
    for epoch in range(epochs):
        for _ in range(steps_per_epoch):
            group = optimizer.param_groups[0]
            rates.append((group["lr"], group["momentum"]))
            optimizer.step()
            if by_step and len(rates) < epochs * steps_per_epoch:
                scheduler.step()
        if not by_step:
            scheduler.step(*([monitored[epoch]] if part.type_name() == "ReduceLROnPlateau" else []))
    return rates


def rates(part: Scheduler | None, steps_per_epoch: int, epochs: int, monitored: list[float]) -> list[float]:
    clocks = [
        Clock(step, step // steps_per_epoch, steps_per_epoch, epochs, tuple(monitored[: step // steps_per_epoch]), LR)
        for step in range(steps_per_epoch * epochs)
    ]
    return [learning_rate(part, clock) for clock in clocks]


@pytest.mark.parametrize("name", ["StepLR", "MultiStepLR", "ExponentialLR", "CosineAnnealingLR", "OneCycleLR"])
@settings(max_examples=40, deadline=None)
@given(data=st.data(), steps_per_epoch=st.integers(1, 5), epochs=st.integers(1, 12))
def test_equals_pytorch(name: str, data: st.DataObject, steps_per_epoch: int, epochs: int) -> None:
    part = data.draw(drawn.part_of("scheduler", name)).model_copy(update={"warmup": None})
    if name == "OneCycleLR":
        # PyTorch divides by zero where a phase has no length.
        assume(part.pct_start * epochs * steps_per_epoch > 1.01 and epochs * steps_per_epoch > 3)
        assume(not part.three_phase or part.pct_start < 0.49)
        assume(part.base_momentum < part.max_momentum)
    expected = reference(part, steps_per_epoch, epochs, [])
    # PyTorch multiplies its way from step to step and we compute each step anew: the last bits differ.
    assert rates(part, steps_per_epoch, epochs, []) == pytest.approx(
        [rate for rate, _ in expected], rel=1e-9, abs=1e-12 * LR
    )
    if name == "OneCycleLR" and part.cycle_momentum:
        clocks = [Clock(step, 0, steps_per_epoch, epochs) for step in range(steps_per_epoch * epochs)]
        assert [momentum_at(part, clock) for clock in clocks] == pytest.approx([m for _, m in expected])


@settings(max_examples=150, deadline=None)
@given(data=st.data(), values=st.lists(st.sampled_from([0.5, 0.9, 1.0, 1.5, math.nan]), min_size=1, max_size=30))
def test_plateau_equals_pytorch(data: st.DataObject, values: list[float]) -> None:
    part = data.draw(drawn.part_of("scheduler", "ReduceLROnPlateau")).model_copy(update={"warmup": None})
    expected = [rate for rate, _ in reference(part, 2, len(values), values)]
    assert rates(part, 2, len(values), values) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", [name for name in names("scheduler") if name != "OneCycleLR"])
def test_warmup_climbs_as_linear_lr_and_then_starts_the_schedule_afresh(name: str) -> None:
    settings_ = {"milestones": [1, 3]} if name == "MultiStepLR" else {}
    warm, plain = make(name, warmup=Warmup(epochs=2, start_factor=0.1), **settings_), make(name, **settings_)
    values = [1.0] * 30
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR)
    linear = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=6)
    climb = []
    for _ in range(6):
        climb.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        linear.step()
    got = rates(warm, 3, 30, values)
    assert got[:6] == pytest.approx(climb)
    assert got[6:] == pytest.approx(rates(plain, 3, 28, values[:28]))


def test_onecycle_takes_no_warmup_and_leaves_momentum_alone() -> None:
    with pytest.raises(ValueError, match="warm-up"):
        make("OneCycleLR", warmup=Warmup())
    assert momentum_at(make("OneCycleLR"), Clock(0, 0, 10, 2)) is None


def test_the_peak_of_onecycle_is_the_base_rate() -> None:
    got = rates(make("OneCycleLR"), 10, 10, [])
    assert max(got) == pytest.approx(LR)
    assert got[0] == pytest.approx(LR / 25)
    assert got[-1] == pytest.approx(LR / 25 / 1e4)


@pytest.mark.parametrize("name", ["CosineAnnealingLR", "OneCycleLR"])
def test_more_epochs_stretch_what_depends_on_the_total(name: str) -> None:
    short, long = Clock(20, 2, 10, 4, lr=LR), Clock(20, 2, 10, 8, lr=LR)
    assert lr_factor(make(name), long) != lr_factor(make(name), short)
    assert lr_factor(make(name), long) == pytest.approx(lr_factor(make(name), Clock(10, 1, 10, 4, lr=LR)), rel=0.2)
    assert lr_factor(make("StepLR"), long) == lr_factor(make("StepLR"), short)


def test_a_run_longer_than_planned_stays_at_the_end_of_onecycle() -> None:
    last = lr_factor(make("OneCycleLR"), Clock(39, 3, 10, 4))
    assert lr_factor(make("OneCycleLR"), Clock(60, 6, 10, 4)) == last


def test_plateaus_know_which_way_is_better() -> None:
    rising = [0.1 * step for step in range(12)]
    loss, accuracy = (
        make("ReduceLROnPlateau", patience=2),
        make("ReduceLROnPlateau", patience=2, monitor="val_accuracy"),
    )
    assert rates(loss, 1, 12, rising)[-1] < LR
    assert rates(accuracy, 1, 12, rising)[-1] == LR
    assert monitored_series(accuracy) == "val_accuracy"
    assert monitored_series(make("StepLR")) is None
    assert isinstance(loss, ReduceLROnPlateau)


def test_without_a_schedule_the_rate_is_constant() -> None:
    assert rates(None, 3, 3, []) == [LR] * 9


@pytest.mark.parametrize("name", names("scheduler"))
@settings(max_examples=60, deadline=None)
@given(data=st.data(), steps_per_epoch=st.integers(1, 5), epochs=st.integers(1, 8))
def test_nothing_moves_while_it_says_so(name: str, data: st.DataObject, steps_per_epoch: int, epochs: int) -> None:
    part = data.draw(drawn.part_of("scheduler", name))
    monitored = data.draw(st.lists(st.floats(0.1, 2.0), min_size=epochs, max_size=epochs))
    clocks = [
        Clock(step, step // steps_per_epoch, steps_per_epoch, epochs, tuple(monitored[: step // steps_per_epoch]), LR)
        for step in range(steps_per_epoch * epochs)
    ]
    for step, clock in enumerate(clocks):
        end = (clock.epoch + 1) * steps_per_epoch
        alike = steps_alike(part, clock)
        for later in clocks[step : end if alike is None else min(end, step + alike)]:
            assert learning_rate(part, later) == learning_rate(part, clock)
            assert momentum_at(part, later) == momentum_at(part, clock)
