"""A trained network from a checkpoint alone: no training data, no recipe file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.data import new_rows
from engine.data.facts import Facts
from engine.data.prepared import Fitted, Part, Prepared
from engine.errors import UserError
from engine.parts import catalog
from engine.recipe.resolve import resolve
from engine.recipe.schema import Recipe
from engine.runs import checkpoints
from engine.runs.journal import read
from engine.runs.records import Json
from engine.runs.summary import launch_options
from engine.train import checkpoint, plan
from engine.train.executors import choice as executors
from engine.train.executors.executor import Executor
from engine.train.feed.resident import ResidentFeed
from engine.train.session import read_recipe


def best_checkpoint(run_dir: Path) -> checkpoint.Saved:
    """The best epoch's checkpoint, else the last. Raises UserError where there is none."""
    found = checkpoints.available(run_dir, read(run_dir))
    record = checkpoints.best(found) or checkpoints.latest(found)
    if record is None:
        raise UserError(f"{run_dir.name} has no checkpoint yet", "let it finish an epoch first")
    load_parts(run_dir)
    return checkpoint.read(run_dir, record)


def load_parts(run_dir: Path) -> None:
    """Make known what the run's recipe can name, files of own parts included."""
    catalog.load()
    for path in launch_options(run_dir).get("parts") or ():
        catalog.load_file(Path(path))


def recorded_choice(run_dir: Path, recipe: Recipe, facts: Facts) -> plan.Choice:
    """The run's plan where this machine can follow it, else one for this machine."""
    records: list[Json] = [record for record in read(run_dir) if record["type"] in ("plan", "replanned")]
    if records:
        last = records[-1]
        choice = plan.recorded(last if last["type"] == "plan" else last["plan"])
        if not plan.differences(choice):
            return choice
    return plan.choose(recipe, facts, "auto")


def restore(run_dir: Path, saved: checkpoint.Saved) -> tuple[Executor, Recipe, Prepared]:
    """An executor that can evaluate any rows, with the recipe and the fitted state that belong to it."""
    facts = Facts(**{**saved.facts, "shape": tuple(saved.facts["shape"])})
    width = (0,) if facts.task == "classification" else (0, facts.outputs)
    none = Part(
        np.zeros((0, *facts.shape), np.float32),
        np.zeros(width, np.int64 if facts.task == "classification" else np.float32),
        np.zeros(0, np.int64),
    )
    prepared = Prepared(none, none, None, facts, Fitted(saved.fitted), new_rows.scaling(saved.fitted))
    recipe = resolve(read_recipe(saved.text), facts)
    choice = recorded_choice(run_dir, recipe, facts)
    device = plan.prepare_torch(choice, recipe.train.deterministic)
    feed = ResidentFeed(none, seed=0, batch_size=1, shuffle=False, device=device, home=device)
    # a run's own executor gives the same digits as the run did; captured steps evaluate as autograd does
    executor = executors.build(
        "autograd" if choice.executor == "graph" else choice.executor,
        recipe,
        prepared,
        feed,
        device=device,
        precision=choice.precision,
        kernel=choice.optimizer_kernel,
        memory_format=choice.memory_format,
    )
    executor.load(saved.state, weights_only=True)
    return executor, recipe, prepared
