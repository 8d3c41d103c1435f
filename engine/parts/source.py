"""Sources: where rows come from."""

from __future__ import annotations

from typing import ClassVar

from engine.parts.part import Part


class Source(Part):
    """A place that rows are read from; `engine/data/` has one reader under the same name."""

    family: ClassVar[str] = "source"
