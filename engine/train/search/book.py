"""The books of a search: what its storage knows of trials that are over, and what its journal says of them.

The storage is the truth. A trial is told to it first and journalled then, so whatever dies in between, the journal
catches up, and no trial stands in it twice.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.history.best import lower_is_better
from engine.runs.journal import number
from engine.runs.records import Importance, Json, Record, Trial
from engine.search.importance import importance
from engine.search.score import best_trial
from engine.search.study import Study

WEIGHED_EVERY = 10
"""Completed trials between two looks at what matters."""


class Book:
    """Tells trials to the storage and writes them in the journal."""

    def __init__(
        self,
        study: Study,
        records: list[Json],
        write: Callable[[Record], None],
        persist: Callable[[Callable[[], object]], None],
    ) -> None:
        """`records` are what the journal held when the life began; `persist` does what writes to the disk."""
        self.study = study
        self.rows = {int(record["number"]): record for record in records if record["type"] == "trial"}
        """`trial` rows in the journal, by number."""
        self._write, self._persist = write, persist
        self._weighed = 0

    @property
    def completed(self) -> list[Json]:
        """Rows of the trials that went to their end, by number."""
        return [row for _, row in sorted(self.rows.items()) if row["state"] == "completed"]

    def tell(self, row: Json, *, broke: bool = False) -> None:
        """What became of a trial: the fields of its `trial` record; `broke` as `Study.tell` has it."""
        self._persist(lambda: self.study.tell(row, broke=broke))
        self._journal(row)

    def catch_up(self) -> None:
        """Make the storage durable, and journal every trial that is over, by whichever process."""
        self._persist(self.study.sync)
        for row in self.study.rows():
            self._journal(row)

    def weigh(self, *, at_the_end: bool = False) -> None:
        """Journal how much each setting matters, now and then and at the end."""
        rows, settings = self.completed, self.study.settings
        if len(rows) == self._weighed or not (at_the_end or len(rows) - self._weighed >= WEIGHED_EVERY):
            return
        sign = 1.0 if lower_is_better(settings.monitor) else -1.0
        values = importance(settings.space, [r["params"] for r in rows], [sign * number(r["value"]) for r in rows])
        self._weighed = len(rows)
        if values is not None:
            self._write(Importance(values=values, trials=len(rows)))

    def best(self) -> Json | None:
        """The row of the best trial."""
        return best_trial(self.rows.values(), self.study.settings.monitor)

    def counts(self) -> Json:
        """How many trials there are, and how they ended."""
        states = [row["state"] for row in self.rows.values()]
        return {"trials": len(states), **{state: states.count(state) for state in ("completed", "pruned", "failed")}}

    def _journal(self, row: Json) -> None:
        if row["number"] not in self.rows:
            self.rows[row["number"]] = row
            self._write(Trial(**row))
            self.weigh()
