"""Which trial of a search is the best one."""

from __future__ import annotations

from collections.abc import Iterable

from engine.history.best import lower_is_better
from engine.runs.journal import number
from engine.runs.records import Json


def best_trial(trials: Iterable[Json], monitor: str) -> Json | None:
    """The completed `trial` row with the best value; the earliest number on a tie. None where no trial has one."""
    sign = 1.0 if lower_is_better(monitor) else -1.0
    winner: Json | None = None
    for trial in sorted(trials, key=lambda trial: int(trial["number"])):
        value = sign * number(trial.get("value"))
        if trial["state"] != "completed" or value != value:
            continue
        if winner is None or value < sign * number(winner["value"]):
            winner = trial
    return winner


def row_of(trial: Json) -> Json:
    """A trial as `finished.best` holds it: number, run and params, and its scores flat under their series names."""
    row: Json = {"trial": trial["number"], "run": trial.get("run")}
    for name in ("train_loss", "val_loss"):
        if trial.get(name) is not None:
            row[name] = trial[name]
    return {**row, **(trial.get("metrics") or {}), "params": trial.get("params") or {}}
