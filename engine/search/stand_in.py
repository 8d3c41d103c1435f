"""The run that a search stands for where one model is wanted: that of its best trial."""

from __future__ import annotations

from pathlib import Path

from engine.errors import UserError
from engine.runs.journal import read
from engine.runs.summary import launch_options
from engine.search.score import best_trial


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
