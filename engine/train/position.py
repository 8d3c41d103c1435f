"""Where a run stands between two steps: everything that the loop itself remembers, as plain JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

Row = dict[str, Any]
"""A finished epoch: series names to numbers."""


@dataclass
class Best:
    """The best epoch so far."""

    epoch: int
    """From 1."""
    step: int
    row: Row


@dataclass
class Position:
    """A run between two steps."""

    step: int = 0
    """Updates done."""
    epoch: int = 0
    """Whole epochs done, validation included."""
    index: int = 0
    """Batches done of the running epoch; all of them where only its validation is left."""
    steps_per_epoch: int = 0
    loss_sum: float = 0.0
    """Sum over the running epoch of step loss times denominator."""
    weight_sum: float = 0.0
    """Sum over the running epoch of the denominators."""
    lr: float = 0.0
    """Of the last update."""
    digest: int = 0
    """crc32 of the float32 bits of all step losses and val_losses so far, in order."""
    monitored: list[float] = field(default_factory=list)
    """The series that a plateau schedule watches, one value a finished epoch; empty for other schedules."""
    best: Best | None = None
    waited: int = 0
    """Epochs since the monitored series last improved by `min_delta`."""
    min_delta: float = 0.0
    """Early stopping's, as it was at the last step: what the running epoch will be judged by."""
    reference: float | None = None
    """The value that `waited` counts from."""

    def to_json(self) -> dict[str, Any]:
        """As plain values, copied."""
        return asdict(self)

    def fit(self, steps_per_epoch: int) -> None:
        """Go on with epochs of another length: a running epoch begins anew."""
        if self.steps_per_epoch not in (0, steps_per_epoch) and self.index:
            self.index, self.loss_sum, self.weight_sum = 0, 0.0, 0.0
        self.steps_per_epoch = steps_per_epoch

    def forked(self) -> Position:
        """The same place as the start of another run: its best epoch is this one, or yet to come."""
        if self.best is not None and (self.best.step, self.best.epoch) != (self.step, self.epoch):
            self.best, self.reference, self.waited = None, None, 0
        return self

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Position:
        """The inverse of `to_json`."""
        best = data["best"]
        return cls(**{**data, "best": None if best is None else Best(**best)})
