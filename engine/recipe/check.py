"""All that can be said about a recipe before it runs: its form, its values, and what they mean together."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from engine.data.facts import Facts
from engine.errors import UserError
from engine.parts.stack import Row, trace
from engine.recipe.checks import augmentation, data, model, schedule, search, training
from engine.recipe.checks.subject import Subject
from engine.recipe.document import Document
from engine.recipe.problem import Problem
from engine.recipe.schema import Recipe
from engine.recipe.sound import Unsound
from engine.recipe.validate import validated


@dataclass(frozen=True)
class Checked:
    """A checked recipe: `recipe` is None where it has problems of form; `rows` are its layers with their shapes."""

    recipe: Recipe | None
    problems: list[Problem] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    to_read: Recipe | None = None
    """Enough of the recipe to read its data by: its task, data and loss, where these are sound."""

    @property
    def errors(self) -> list[Problem]:
        """The problems that keep the recipe from being trained."""
        return [problem for problem in self.problems if problem.severity == "error"]

    @property
    def warnings(self) -> list[Problem]:
        """The problems that a person should look at."""
        return [problem for problem in self.problems if problem.severity == "warning"]


def check(document: Document, facts: Facts | None = None, data_problems: Iterable[UserError] = ()) -> Checked:
    """Check a recipe. `facts` is what is known of its data; without it, what needs data is left out.

    `data_problems` are the errors that reading the data raised: a `DataError` stands at its own path.
    """
    found = validated(document.tree)
    recipe = found.recipe
    subject = Subject(document, recipe or cast(Recipe, found.sound), facts, problems=[*found.problems])
    with suppress(Unsound):
        subject.rows = trace(subject.recipe.model.layers, subject.shape, subject.outputs)
    # Values of a search are tried in the whole recipe, so it must be sound.
    for examine in (
        *data.CHECKS,
        *augmentation.CHECKS,
        *model.CHECKS,
        *training.CHECKS,
        *schedule.CHECKS,
        *(search.CHECKS if recipe else ()),
    ):
        with suppress(Unsound):
            examine(subject)
    known = {problem.path for problem in subject.problems if problem.severity == "error"}
    for problem in data_problems:
        for error in (problem, *getattr(problem, "others", ())):
            path = getattr(error, "path", "data.source")
            if path not in known:
                subject.error(path, error.message, error.hint)
    severities = ("error", "warning", "info")
    problems = sorted(subject.problems, key=lambda p: (p.line, p.column, severities.index(p.severity)))
    return Checked(recipe, problems, subject.rows if recipe else [], found.to_read())
