"""What is known about the data before training: the facts."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.data.choose import Roles
from engine.data.facts import Facts
from engine.data.prepared import Part
from engine.data.rows import Rows
from engine.recipe.schema import Recipe


def report(
    recipe: Recipe,
    main: Rows,
    others: dict[str, Rows],
    roles: Roles,
    goal: dict[str, Any],
    parts: dict[str, Part],
    data_sha256: str,
    split_sha256: str,
    shape: tuple[int, ...],
) -> Facts:
    """The facts of prepared data."""
    counts = {}
    if goal["classes"]:
        for name, part in parts.items():
            if goal["kind"] == "labels":
                counts[name] = [int(n) for n in part.y.sum(axis=0)]
            else:
                counts[name] = np.bincount(part.y.reshape(-1).astype(np.int64), minlength=len(goal["classes"])).tolist()
    return Facts(
        task=goal["task"],
        shape=tuple(shape),
        outputs=goal["outputs"],
        rows={name: len(part.rows) for name, part in parts.items()},
        classes=goal["classes"],
        class_counts=counts,
        target_names=goal["columns"],
        data_sha256=data_sha256,
        split_sha256=split_sha256,
    )
