"""A run's curves as a CSV table."""

from __future__ import annotations

import csv as writer
import io

from engine.history.best import flat
from engine.history.history import History


def csv(history: History) -> str:
    """One line an epoch: epoch, step, time, the scores under their series names, lr, seconds, samples_per_second.

    A score that an epoch lacks is empty; nan, inf and -inf stand as such.
    """
    names: dict[str, None] = {}
    for row in history.epochs:
        names.update(dict.fromkeys(name for name, value in flat(row).items() if not isinstance(value, list | dict)))
    head = ("epoch", "step", "time")
    tail = ("lr", "seconds", "samples_per_second")
    text = io.StringIO()
    table = writer.writer(text, lineterminator="\n")
    table.writerow([*head, *names, *tail])
    for row in history.epochs:
        scores = flat(row)
        table.writerow(
            [row.get(name, "") for name in head]
            + [scores.get(name, "") for name in names]
            + [row.get(name, "") for name in tail]
        )
    return text.getvalue()
