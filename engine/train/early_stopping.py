"""The best epoch, and when to stop waiting for a better one."""

from __future__ import annotations

import math

from engine.parts.metric import higher_is_better
from engine.recipe.schema import EarlyStopping, Recipe
from engine.train.position import Best, Position, Row


def monitored(recipe: Recipe, validated: bool = True) -> str:
    """The series by which epochs are judged; without validation rows only the training loss is there."""
    if not validated:
        return "train_loss"
    return recipe.train.early_stopping.monitor if recipe.train.early_stopping else "val_loss"


def value_of(row: Row, series: str) -> float:
    """Value of a series in an epoch's row, nan where it has none."""
    value = row.get(series)
    return float(value) if isinstance(value, int | float) else math.nan


def judge(position: Position, row: Row, series: str) -> bool:
    """Take a finished epoch into account; True where it is the best so far (the earliest on a tie)."""
    sign = -1.0 if higher_is_better(series) else 1.0
    value = sign * value_of(row, series)
    best = math.inf if position.best is None else sign * value_of(position.best.row, series)
    improved = value < best or (position.best is None and not math.isnan(value))
    if improved:
        position.best = Best(epoch=position.epoch, step=position.step, row=dict(row))
    if position.reference is None or value < sign * position.reference - position.min_delta:
        if not math.isnan(value):
            position.reference = sign * value
        position.waited = 0 if not math.isnan(value) else position.waited + 1
    else:
        position.waited += 1
    return improved


def reason_to_stop(position: Position, series: str, stopping: EarlyStopping | None) -> str:
    """Why the run should stop now, in words, or "" where it should go on."""
    if stopping is None or position.waited < stopping.patience:
        return ""
    best = "" if position.best is None else f", the best is epoch {position.best.epoch}"
    return f"{series} has not improved for {position.waited} epochs (patience {stopping.patience}){best}"
