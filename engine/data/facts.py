"""What is known about a recipe's data once it has been read: JSON-able, cached, and all that the screen ever needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Facts:
    """Facts about prepared data. Every field is plain JSON."""

    task: str
    """classification, binary, multilabel or regression."""
    shape: tuple[int, ...]
    """Shape of one sample as it enters the network."""
    outputs: int
    """Width that the task needs: classes, 1 for binary, labels, target columns."""
    rows: dict[str, int]
    """Rows by part: train, validation, test."""
    classes: list[str] = field(default_factory=list)
    """Names, sorted; empty for a regression. For multilabel: the label columns."""
    class_counts: dict[str, list[int]] = field(default_factory=dict)
    """By part, in the order of `classes`."""
    target_names: list[str] = field(default_factory=list)
    features: list[dict[str, Any]] = field(default_factory=list)
    """A row a column of the source: name, type (number | category | image | ignore), role (feature | target | split |
    ignored), missing, unique, constant, mean, std, min, max, example."""
    missing: int = 0
    duplicates: int = 0
    shared: dict[str, int] = field(default_factory=dict)
    """Rows that stand in two parts: {"train/validation": n, ...}."""
    warnings: list[dict[str, Any]] = field(default_factory=list)
    """Things to look at, {kind, severity, message, path, fix, columns | rows}: id-like and constant columns, straddling
    groups, ... (`engine.data.notes`). `fix` is a list of edits {op, path, value}."""
    data_sha256: str = ""
    split_sha256: str = ""
    baseline: dict[str, float] = field(default_factory=dict)
    """What always guessing the average (class shares, mean) scores on validation, by loss name and by series name."""
