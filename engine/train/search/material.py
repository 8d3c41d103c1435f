"""What the trials of a search are made of: the recipe that each one stands for, and data that they share."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.data.prepare import prepare
from engine.data.prepared import Prepared
from engine.errors import UserError
from engine.recipe.check import check
from engine.recipe.document import Document
from engine.recipe.edits import Edit, Transaction
from engine.recipe.paths import split
from engine.recipe.resolve import resolve, to_data
from engine.recipe.schema import Recipe
from engine.recipe.splice import apply_edits
from engine.runs.live import monitor
from engine.search.space import edits_of
from engine.search.study import Asked
from engine.train import plan
from engine.train.session import read_recipe

BATCHING = ("batch_size", "shuffle", "drop_last", "num_workers", "pin_memory", "augment")
"""Settings of `data` that change nothing about the prepared arrays."""
KEPT = 2
"""Prepared data sets that are held in memory at the same time."""


@dataclass
class Trial:
    """A trial that is ready to be trained."""

    number: int
    params: dict[str, object]
    """{edit path: value}."""
    edits: Transaction
    """What makes the search's recipe the trial's."""
    text: str
    """The trial's own recipe, without the search."""
    recipe: Recipe
    """Resolved."""
    prepared: Prepared
    choice: plan.Choice
    run: str | None = None
    """The child run that an earlier life began for it."""


class Material:
    """Makes trials of what was asked for. Data is read once for all trials that share their data settings."""

    def __init__(self, text: str, base: Path, tell: Callable[[str, int, int | None], None]) -> None:
        """`text` is the search's effective recipe; relative data paths start from `base`. Raises UserError."""
        self._base, self._tell = base, tell
        self._prepared: dict[str, Prepared] = {}
        self.text = apply_edits(text, [Edit("unset", "search")])
        """The recipe without its search."""
        self._data = Document.from_text(self.text).data
        plain = read_recipe(self.text)
        self.prepared = self._prepare(plain)
        self.recipe = resolve(plain, self.prepared.facts)
        """Resolved."""

    def trial(self, asked: Asked, choose: Callable[[Recipe, Prepared], plan.Choice]) -> Trial:
        """The trial with these values. Raises UserError where they make no sound recipe, or its data cannot be read."""
        edits = edits_of(self._data, asked.params)
        text = apply_edits(self.text, edits)
        document = Document.from_text(text)
        prepared = self.prepared if not any(map(_changes_data, asked.params)) else self._prepare(_recipe(document))
        if not _same_rows(prepared, self.prepared):
            raise UserError("the trial would be judged on other rows than the rest")
        checked = check(document, prepared.facts)
        for problem in checked.errors:
            raise UserError(problem.message, problem.hint)
        assert checked.recipe is not None
        if monitor(checked.recipe) != monitor(self.recipe):
            raise UserError(f"the trial would be judged by {monitor(checked.recipe)}, not {monitor(self.recipe)}")
        recipe = resolve(checked.recipe, prepared.facts)
        return Trial(asked.number, asked.params, edits, text, recipe, prepared, choose(recipe, prepared), run=asked.run)

    def _prepare(self, recipe: Recipe) -> Prepared:
        data = {name: value for name, value in to_data(recipe.data).items() if name not in BATCHING}
        key = json.dumps([recipe.task, recipe.loss.type_name() if recipe.loss else None, data], sort_keys=True)
        found = self._prepared.pop(key, None) or prepare(recipe, self._base, self._tell)
        self._prepared[key] = found  # last in the order of use
        for old in list(self._prepared)[:-KEPT]:
            del self._prepared[old]
        return found


def _same_rows(a: Prepared, b: Prepared) -> bool:
    """Whether the same rows are held back from training, for validation and for the test."""
    held = [(part.validation.rows, () if part.test is None else part.test.rows) for part in (a, b)]
    return all(np.array_equal(*rows) for rows in zip(*held, strict=True))


def _changes_data(path: str) -> bool:
    """Whether a setting may change the prepared arrays."""
    parts = split(path)
    return parts[0] == "loss" or (parts[0] == "data" and (len(parts) < 2 or parts[1] not in BATCHING))


def _recipe(document: Document) -> Recipe:
    """The document's recipe. Raises UserError with the first of its errors."""
    checked = check(document)
    for problem in checked.errors:
        raise UserError(problem.message, problem.hint)
    assert checked.recipe is not None
    return checked.recipe
