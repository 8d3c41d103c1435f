"""Recipes and facts of small made-up tasks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from engine.data.facts import Facts
from engine.parts import catalog
from engine.parts.part import find
from engine.recipe.schema import Data, Model, Recipe

catalog.load()


def part(family: str, type_: str, /, **settings: Any) -> Any:
    """A part by name."""
    cls = find(family, type_)
    assert cls is not None, type_
    return cls(**settings)


def facts(task: str, width: int = 3, shape: tuple[int, ...] = (4,)) -> Facts:
    """Facts of a task with few rows: classes share them 20, 10, 5."""
    counts = {"classification": [20, 10, 5], "binary": [25, 10], "multilabel": [20, 10, 5]}.get(task, [])
    return Facts(
        task=task,
        shape=shape,
        outputs=1 if task == "binary" else width,
        rows={"train": 35, "validation": 0, "test": 0},
        classes=[str(index) for index in range(len(counts))],
        class_counts={"train": counts},
    )


def recipe(**sections: Any) -> Recipe:
    """A recipe with a small network."""
    whole: dict[str, Any] = {
        "data": Data(source=part("source", "Builtin", name="iris")),
        "model": Model(layers=[part("layer", "Linear", out_features="outputs")]),
        "optimizer": part("optimizer", "SGD"),
    }
    return Recipe(**(whole | sections))


def batch(task: str, rows: int = 12, width: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Outputs and targets of the task."""
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(rows, 1 if task == "binary" else width, generator=generator)
    if task == "classification":
        return outputs, torch.randint(0, width, (rows,), generator=generator)
    if task == "regression":
        return outputs, torch.randn(outputs.shape, generator=generator)
    return outputs, (torch.rand(outputs.shape, generator=generator) < 0.4).float()
