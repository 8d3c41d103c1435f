"""Everything that training needs, put together from a recipe's text: data, plan, network, feed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.data import target
from engine.data.facts import Facts
from engine.data.prepare import prepare, silent
from engine.data.prepared import Prepared
from engine.errors import UserError
from engine.parts import catalog
from engine.recipe import reader
from engine.recipe.resolve import resolve
from engine.recipe.schema import Recipe
from engine.recipe.validate import validate
from engine.runs.records import DataRecord
from engine.train import calibration, plan
from engine.train.build.metric import compute
from engine.train.checkpoint import Saver
from engine.train.desk import Desk
from engine.train.executors import choice as executors
from engine.train.executors.executor import Executor
from engine.train.feed.feed import Feed
from engine.train.feed.opening import open_feed
from engine.train.feed.order import steps_per_epoch
from engine.train.loop import Loop
from engine.train.position import Position
from engine.train.rows import Rows


def read_recipe(text: str) -> Recipe:
    """A recipe as it is written. Raises UserError with the first of its errors."""
    catalog.load()
    recipe, problems = validate(reader.read(text))
    errors = [problem for problem in problems if problem.severity == "error"]
    if recipe is None or errors:
        first = errors[0]
        raise UserError(f"recipe, line {first.line}, column {first.column}: {first.message}", first.hint)
    return recipe


def suited(text: str, recipe: Recipe, facts: Facts) -> Recipe:
    """The recipe resolved on its data. Raises UserError with the first error that only the data reveals."""
    from engine.recipe.check import check
    from engine.recipe.document import Document

    for problem in check(Document.from_text(text), facts).errors:
        raise UserError(problem.message, problem.hint)
    return resolve(recipe, facts)


@dataclass
class Session:
    """A run ready to train."""

    text: str
    recipe: Recipe
    """Resolved."""
    prepared: Prepared
    choice: plan.Choice
    executor: Executor
    steps_per_epoch: int

    @property
    def validated(self) -> bool:
        """Whether there are validation rows."""
        return len(self.prepared.validation.rows) > 0

    def read(self, text: str) -> Recipe:
        """Another text of the recipe, checked and resolved on the same data. Raises UserError."""
        return suited(text, read_recipe(text), self.prepared.facts)

    def loop(
        self,
        *,
        position: Position,
        desk: Desk,
        rows: Rows,
        saver: Saver | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> Loop:
        """The loop that trains it from `position` on."""
        return Loop(
            self.text,
            self.recipe,
            read=self.read,
            executor=self.executor,
            steps_per_epoch=self.steps_per_epoch,
            train_rows=len(self.prepared.train.rows),
            measure=self.measure,
            validated=self.validated,
            position=position,
            desk=desk,
            rows=rows,
            saver=saver,
            say=say,
        )

    def measure(self, part: str, outputs: npt.NDArray[np.float32]) -> dict[str, Any]:
        """Metrics of a part by series name; those of a regression in the target's own units."""
        data = {"train": self.prepared.train, "validation": self.prepared.validation, "test": self.prepared.test}[part]
        assert data is not None
        return measure(self.recipe, self.prepared, outputs, data.y)


def measure(
    recipe: Recipe, prepared: Prepared, outputs: npt.NDArray[np.float32], y: npt.NDArray[Any]
) -> dict[str, Any]:
    """Metrics of outputs (N, width) against prepared targets, by series name."""
    facts = prepared.facts
    predicted, targets = torch.from_numpy(outputs), torch.tensor(y)  # a copy: prepared arrays are read-only
    if facts.task == "regression":
        scale = prepared.fitted.state["target"]
        predicted = torch.from_numpy(target.to_units(scale, outputs))
        targets = torch.from_numpy(target.to_units(scale, y))
    return {metric.series(): compute(metric, predicted, targets, facts) for metric in recipe.metrics or []}


def open_session(
    text: str,
    base: Path,
    *,
    choice: plan.Choice | None = None,
    device: str | None = None,
    timed: bool = False,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> Session:
    """Read the data, decide the plan (or follow the one given), build the network at its initial weights.

    `timed` lets a new plan settle by timing what is worth it. Raises UserError.
    """
    plain = read_recipe(text)
    prepared = prepare(plain, base, progress)
    recipe = suited(text, plain, prepared.facts)
    settled = choice is not None
    if choice is None:
        choice = plan.choose(recipe, prepared.facts, device)
        if timed:
            plan.prepare_torch(choice, recipe.train.deterministic)
            choice = calibration.calibrate(recipe, prepared, choice, progress or silent)
    return build_session(text, recipe, prepared, choice, settled=settled)


def build_session(
    text: str, recipe: Recipe, prepared: Prepared, choice: plan.Choice, *, settled: bool = False
) -> Session:
    """A resolved recipe on data that is read already, by a plan, at its initial weights. Raises UserError.

    A plan that is not `settled`, by a life before, may still change where its executor does not work here.
    """
    torch_device = plan.prepare_torch(choice, recipe.train.deterministic)
    rows = len(prepared.train.rows)
    steps = steps_per_epoch(rows, recipe.data.batch_size, recipe.data.drop_last)
    if steps == 0:
        raise UserError(
            f"drop_last leaves no batch: {rows} training rows do not fill one of {recipe.data.batch_size}",
            "lower data.batch_size, or set data.drop_last: false",
        )
    feed = open_feed(recipe, prepared, torch_device)
    if not settled and feed.kind == "mapped":
        choice = replace(choice, reason=f"{choice.reason}; rows are read from where they lie, since {feed.reason}")
    choice, executor = _sound(recipe, prepared, feed, choice, steps, settled)
    return Session(text, recipe, prepared, choice, executor, steps)


def _build(recipe: Recipe, prepared: Prepared, feed: Feed, choice: plan.Choice) -> Executor:
    return executors.build(
        choice.executor,
        recipe,
        prepared,
        feed,
        device=torch.device(choice.device),
        precision=choice.precision,
        kernel=choice.optimizer_kernel,
        memory_format=choice.memory_format,
    )


def _sound(
    recipe: Recipe, prepared: Prepared, feed: Feed, choice: plan.Choice, steps: int, settled: bool
) -> tuple[plan.Choice, Executor]:
    """The executor of the plan if it does here what it should, else autograd's with the reason in the plan. Raises
    UserError where the plan or the recipe insists on the one that fails."""
    plain = replace(choice, executor="autograd")
    try:
        executor = _build(recipe, prepared, feed, choice)
        why = None
        if not settled:
            build_plain = partial(_build, recipe, prepared, feed, plain)
            why = executors.self_check(choice.executor, executor, build_plain, recipe, steps)
    except executors.Uncovered as error:
        why = str(error)
    if why is None:
        return choice, executor
    if settled or recipe.train.executor != "auto":
        said = "the plan's executor is" if settled else "train.executor is"
        raise UserError(
            f"{said} {choice.executor}, which does not work here, since {why}",
            "use train.executor: auto, which picks one that does",
        )
    reason = f"{choice.reason}; but {choice.executor} was tried and does not work here ({why}), so autograd"
    return replace(plain, reason=reason), _build(recipe, prepared, feed, plain)


def data_record(prepared: Prepared) -> DataRecord:
    """The facts about the data, for the journal."""
    facts = prepared.facts
    return DataRecord(
        rows=facts.rows,
        task=facts.task,
        shape=list(facts.shape),
        outputs=facts.outputs,
        features=facts.features,
        classes=facts.classes,
        class_counts=facts.class_counts,
        target_names=facts.target_names,
        missing=facts.missing,
        duplicates=facts.duplicates,
        shared=facts.shared,
        warnings=facts.warnings,
        data_sha256=facts.data_sha256,
        split_sha256=facts.split_sha256,
    )
