"""Which epoch is the best one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

Row = dict[str, Any]


def lower_is_better(series: str) -> bool:
    """Losses and errors are better when lower, other metrics when higher."""
    return series.endswith(("_loss", "_error"))


def flat(epoch: Row) -> dict[str, Any]:
    """An `epoch` record's scores under their series names: train_loss, val_loss and the metrics."""
    scores = {name: epoch[name] for name in ("train_loss", "val_loss") if epoch.get(name) is not None}
    return {**scores, **epoch.get("metrics", {})}


def score(epoch: Row, series: str) -> float:
    """A series' value in an `epoch` record, nan where it has none."""
    value = flat(epoch).get(series)
    try:
        return math.nan if value is None else float(value)
    except (TypeError, ValueError):
        return math.nan


def best_row(rows: Sequence[Row], monitor: str) -> Row | None:
    """The `epoch` record with the best `monitor`; the earliest on a tie; nan is never best.

    Where no row has the series (no validation part), train_loss decides. None without rows that could win.
    """
    for series in (monitor, "val_loss", "train_loss"):
        sign = 1.0 if lower_is_better(series) else -1.0
        winner, least = None, math.inf
        for row in rows:
            value = sign * score(row, series)
            if value < least or (winner is None and value == math.inf):
                winner, least = row, value
        if winner is not None:
            return winner
    return None


def after_edits(monitor: str, epochs: int | None, edits: Iterable[Row]) -> tuple[str, int | None]:
    """What is monitored and how many epochs are planned once a record's `edits` have taken effect."""
    for edit in edits:
        path, value = edit.get("path"), edit.get("value")
        if path == "train.epochs" and isinstance(value, int):
            epochs = value
        elif path == "train.early_stopping.monitor":
            monitor = value if isinstance(value, str) else "val_loss"
        elif path == "train.early_stopping":
            monitor = value.get("monitor", "val_loss") if isinstance(value, dict) else "val_loss"
    return monitor, epochs
