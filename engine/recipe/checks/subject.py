"""What a check looks at, and where it puts what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.data.facts import Facts
from engine.parts.loss import USUAL_LOSS, Loss
from engine.parts.metric import Metric
from engine.parts.stack import Row
from engine.recipe.document import Document, place
from engine.recipe.edits import MISSING, Edit
from engine.recipe.problem import Problem, Severity
from engine.recipe.resolve import usual_metrics
from engine.recipe.schema import Recipe
from engine.recipe.values import same


@dataclass
class Subject:
    """A recipe, with what is known of its data."""

    document: Document
    recipe: Recipe
    """Where it has mistakes of form, `Sound` stands for it."""
    facts: Facts | None
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def task(self) -> str | None:
        """The task, where the recipe or the data says it; else the only one that the loss fits."""
        if self.recipe.task or self.facts:
            return self.recipe.task or (self.facts.task if self.facts else None)
        tasks = self.recipe.loss.tasks if self.recipe.loss else ()
        return tasks[0] if len(tasks) == 1 else None

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of one sample as it enters the network, as far as it is known."""
        if self.facts:
            return self.facts.shape
        reshape = self.recipe.data.reshape
        return tuple(reshape) if reshape else None

    @property
    def outputs(self) -> int | None:
        """The width that the task needs, as far as it is known."""
        if self.facts:
            return self.facts.outputs
        return 1 if self.recipe.task == "binary" else None

    @property
    def train_rows(self) -> int | None:
        """Rows that training uses, as far as they are known."""
        rows = self.facts.rows.get("train") if self.facts else None
        limit = self.recipe.data.limit
        return rows if rows is None or limit is None else min(rows, limit)

    @property
    def loss_name(self) -> str | None:
        """The loss that training will use."""
        loss: Loss | None = self.recipe.loss
        return loss.type_name() if loss else USUAL_LOSS.get(self.task or "")

    @property
    def metrics(self) -> list[Metric] | None:
        """The metrics that epochs will hold; None where the task is not known."""
        if self.recipe.metrics is not None:
            return self.recipe.metrics
        return usual_metrics(self.task) if self.task else None

    def error(self, path: str, message: str, hint: str = "", *fixes: tuple[Edit, ...]) -> None:
        """Report what cannot work."""
        self._report("error", path, message, hint, fixes)

    def warn(self, path: str, message: str, hint: str = "", *fixes: tuple[Edit, ...]) -> None:
        """Report what probably is not meant."""
        self._report("warning", path, message, hint, fixes)

    def inform(self, path: str, message: str, hint: str = "", *fixes: tuple[Edit, ...]) -> None:
        """Report what is good to know."""
        self._report("info", path, message, hint, fixes)

    def _report(
        self, severity: Severity, path: str, message: str, hint: str, fixes: tuple[tuple[Edit, ...], ...]
    ) -> None:
        line, column = place(self.document.tree, path)
        telling = tuple(fix for fix in fixes if any(self._changes(edit) for edit in fix))
        self.problems.append(Problem(line, column, path, message, hint, severity, telling))

    def _changes(self, edit: Edit) -> bool:
        return edit.op != "set" or not same(self.document.get(edit.path, MISSING), edit.value)

    def set(self, path: str, value: Any) -> tuple[Edit, ...]:
        """A fix: put a value in place of what stands there now."""
        return (Edit("set", path, value),)

    def unset(self, path: str) -> tuple[Edit, ...]:
        """A fix: take a key or a list item out."""
        return (Edit("unset", path),)
