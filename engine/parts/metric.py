"""Metrics: what a validation or test part is judged by."""

from __future__ import annotations

import re
from typing import ClassVar

from engine.parts.part import Part


class Metric(Part):
    """A figure of merit over a whole part of the data."""

    family: ClassVar[str] = "metric"
    tasks: ClassVar[tuple[str, ...]] = ()
    higher_is_better: ClassVar[bool | None] = True
    """None where the metric has no order (a confusion matrix) and so cannot be monitored."""

    @classmethod
    def series(cls) -> str:
        """Name in series: `F1Score` is `f1_score`, `AUROC` is `auroc`."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.type_name()).lower()
