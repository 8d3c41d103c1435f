"""Which trial of a search is the best one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.errors import UserError
from engine.history.best import lower_is_better
from engine.runs.journal import number, read
from engine.runs.records import Json
from engine.runs.summary import launch_options


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


def stands_for(run_dir: Path) -> Path:
    """The run that a run stands for where a model is needed: for a search its best trial's run, else itself.

    Raises UserError where a search has no run to show yet.
    """
    if launch_options(run_dir).get("kind") != "search":
        return run_dir
    records = read(run_dir)
    monitor = next((r.get("monitor", "val_loss") for r in records if r["type"] == "plan"), "val_loss")
    best = best_trial((r for r in records if r["type"] == "trial" and r.get("run")), monitor)
    if best is None:
        raise UserError(f"{run_dir.name} has no completed trial yet", "let the search finish one first")
    found = run_dir.parent / str(best["run"])
    if not found.is_dir():
        raise UserError(f"the best trial of {run_dir.name} was run {found.name}, which is gone", "was it deleted?")
    return found
