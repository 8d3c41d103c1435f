"""The graph executor for the registry of executors: a plan on a CPU asks it too, and loads nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.data.prepared import Prepared
from engine.recipe.schema import Recipe
from engine.train.executors.executor import Executor
from engine.train.executors.graph.cover import refuses as refuses
from engine.train.feed.feed import Feed


def build(recipe: Recipe, prepared: Prepared, feed: Feed, **choice: Any) -> Executor:
    """The executor at its initial weights."""
    from engine.train.executors.graph.executor import GraphExecutor

    return GraphExecutor(recipe, prepared, feed, **choice)


def self_check(executor: Executor, plain: Callable[[], Executor], recipe: Recipe, steps_per_epoch: int) -> str | None:
    """What is wrong with its steps on this machine, or None."""
    from engine.train.executors.graph.check import self_check
    from engine.train.executors.graph.executor import GraphExecutor

    assert isinstance(executor, GraphExecutor)
    return self_check(executor, plain, recipe, steps_per_epoch)
