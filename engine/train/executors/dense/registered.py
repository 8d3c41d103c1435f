"""The dense executor for the registry of executors: whoever asks it alone loads nothing of it."""

from __future__ import annotations

from typing import Any

from engine.data.prepared import Prepared
from engine.recipe.schema import Recipe
from engine.train.executors.dense.cover import refuses as refuses
from engine.train.executors.executor import Executor
from engine.train.feed.feed import Feed


def build(recipe: Recipe, prepared: Prepared, feed: Feed, **choice: Any) -> Executor:
    """The executor at its initial weights."""
    from engine.train.executors.dense.executor import DenseExecutor

    return DenseExecutor(recipe, prepared, feed, **choice)
