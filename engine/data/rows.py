"""Rows as a source gives them, before anything is decided: columns of a table, or one array."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt

from engine.data.column import Column
from engine.data.pixels.folder import Listed


@dataclass(frozen=True)
class Rows:
    """Rows of one file, or of one part of it."""

    label: str
    """The file's name, for messages."""
    n: int
    columns: dict[str, Column] = field(default_factory=dict)
    """A table's columns in the file's order; for an array source the target's columns alone."""
    x: npt.NDArray[Any] | None = None
    """An array source's features: (N, D) or images (N, C, H, W); None for a table."""
    names: list[str] = field(default_factory=list)
    """Names of the D columns of `x`."""
    targets: list[str] = field(default_factory=list)
    """The target columns of a source that names none itself: an array's, a folder's."""
    root: Path | None = None
    """Where a table's images are: their paths are relative to it."""
    listed: Listed | None = None
    """What else stands in a folder of images."""


@dataclass(frozen=True)
class Loaded:
    """All that a recipe's data section points to."""

    main: Rows
    parts: dict[str, Rows]
    """Validation and test rows that come from files, or arrays, of their own."""
    sha256: str
    """Of the file's bytes; of several files, of the lines `sha256  part` in the order source, validation, test."""
