"""The part of the file that says which learning rate an update has: one plain function of step and epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.errors import UserError
from engine.export.script import Script, literal
from engine.parts.metric import higher_is_better
from engine.parts.scheduler import Scheduler
from engine.recipe.schema import Recipe


def write_learning_rate(script: Script, recipe: Recipe) -> None:
    """Define `learning_rate(step, epoch, steps_per_epoch, history)`, and `momentum_of` where the schedule moves it."""
    scheduler = recipe.scheduler
    lines = ["def learning_rate(step: int, epoch: int, steps_per_epoch: int, history: list[dict]) -> float:"]
    lines.append(
        '    """Of the update after `step` others, `epoch` whole epochs done; history: a row for each of them."""'
    )
    if scheduler is None:
        script.define("\n".join([*lines, "    return LEARNING_RATE"]))
        return
    writer = EXPORTERS.get(scheduler.type_name())
    if writer is None:
        raise UserError(
            f"{scheduler.type_name()} cannot be written as code", "choose a schedule that comes with goodfit"
        )
    if scheduler.warmup is not None:
        lines += _warmup(scheduler)
    lines += [f"    {line}" for line in writer(script, scheduler, recipe)]
    script.define("\n".join(lines))
    if getattr(scheduler, "cycle_momentum", False):
        _momentum(script, scheduler)


def _warmup(scheduler: Scheduler) -> list[str]:
    warmup = scheduler.warmup
    assert warmup is not None
    start = warmup.start_factor
    return [
        f"    climb = round({warmup.epochs!r} * steps_per_epoch)",
        "    if step < climb:",
        f"        return LEARNING_RATE * ({start!r} + (1.0 - {start!r}) * (step / climb))",
        "    step = step - climb",
        "    epoch = step // steps_per_epoch",
    ]


def _step(script: Script, part: Any, recipe: Recipe) -> list[str]:
    return [f"return LEARNING_RATE * {part.gamma!r} ** (epoch // {part.step_size})"]


def _multi_step(script: Script, part: Any, recipe: Recipe) -> list[str]:
    return [f"return LEARNING_RATE * {part.gamma!r} ** sum(epoch >= milestone for milestone in {part.milestones!r})"]


def _exponential(script: Script, part: Any, recipe: Recipe) -> list[str]:
    return [f"return LEARNING_RATE * {part.gamma!r} ** epoch"]


def _cosine(script: Script, part: Any, recipe: Recipe) -> list[str]:
    script.use("import math")
    before = part.warmup.epochs if part.warmup else 0.0
    lines = []
    if part.T_max is not None:
        lines.append(f"length = {part.T_max}")
    elif before:
        lines.append(f"length = max(EPOCHS - {before!r}, 0.0) or 1.0")
    else:
        lines.append("length = float(EPOCHS)")
    if part.eta_min == 0:
        return [*lines, "return LEARNING_RATE * ((1.0 + math.cos(math.pi * epoch / length)) / 2.0)"]
    lines.append(f"lowest = {part.eta_min!r} / LEARNING_RATE")
    lines.append("wave = (1.0 + math.cos(math.pi * epoch / length))")
    return [*lines, "return LEARNING_RATE * (lowest + (1.0 - lowest) * wave / 2.0)"]


BETWEEN = '''
def between(step: int, total: int, heights: list[float]) -> float:
    """The value at a step of a cycle that leads from each height to the next."""
    climb = {pct_start!r} * total - 1
    ends = {ends}
    step, start = min(step, total - 1), 0.0
    for end, here, there in zip(ends, heights, heights[1:]):
        if step <= end or end == ends[-1]:
            share = (step - start) / (end - start) if end != start else 1.0
            return {anneal}
        start = end
'''


def _one_cycle(script: Script, part: Any, recipe: Recipe) -> list[str]:
    if part.anneal_strategy == "cos":
        script.use("import math")
        anneal = "there + (here - there) / 2.0 * (1.0 + math.cos(math.pi * share))"
    else:
        anneal = "(there - here) * share + here"
    ends = "[climb, 2 * climb, total - 1]" if part.three_phase else "[climb, total - 1]"
    script.define(BETWEEN.format(pct_start=part.pct_start, ends=ends, anneal=anneal))
    heights = "[low, 1.0, low, low / {}]" if part.three_phase else "[low, 1.0, low / {}]"
    return [
        f"low = 1.0 / {part.div_factor!r}",
        f"heights = {heights.format(repr(part.final_div_factor))}",
        "return LEARNING_RATE * between(step, EPOCHS * steps_per_epoch, heights)",
    ]


def _momentum(script: Script, part: Any) -> None:
    base, top = part.base_momentum, part.max_momentum
    heights = [top, base, top, top] if part.three_phase else [top, base, top]
    script.define(f'''
def momentum_of(step: int, steps_per_epoch: int) -> float:
    """Momentum (Adam: the first beta) of the update after `step` others: it moves against the learning rate."""
    return between(step, EPOCHS * steps_per_epoch, {heights!r})
''')


def _plateau(script: Script, part: Any, recipe: Recipe) -> list[str]:
    higher = higher_is_better(part.monitor) if part.mode is None else part.mode == "max"
    sign, order, worst = ("+", ">", "-math.inf") if higher else ("-", "<", "math.inf")
    script.use("import math")
    bar = (
        f"best * (1.0 {sign} {part.threshold!r})" if part.threshold_mode == "rel" else f"best {sign} {part.threshold!r}"
    )
    rows = f"history[{int(part.warmup.epochs)}:]" if part.warmup else "history"
    return [
        f"rate, best, bad, cooldown = LEARNING_RATE, {worst}, 0, 0",
        f"for row in {rows}:",
        f"    value = row.get({literal(part.monitor)}, math.nan)",
        f"    if value {order} {bar}:",
        "        best, bad = value, 0",
        "    else:",
        "        bad += 1",
        "    if cooldown > 0:",
        "        cooldown, bad = cooldown - 1, 0",
        f"    if bad > {part.patience}:",
        f"        lower = max(rate * {part.factor!r}, {part.min_lr!r})",
        f"        rate = lower if rate - lower > {part.eps!r} else rate",
        f"        cooldown, bad = {part.cooldown}, 0",
        "return LEARNING_RATE * (rate / LEARNING_RATE)",
    ]


EXPORTERS: dict[str, Callable[[Script, Any, Recipe], list[str]]] = {
    "StepLR": _step,
    "MultiStepLR": _multi_step,
    "ExponentialLR": _exponential,
    "CosineAnnealingLR": _cosine,
    "OneCycleLR": _one_cycle,
    "ReduceLROnPlateau": _plateau,
}
"""Writers of the schedules: the body of `learning_rate`."""
