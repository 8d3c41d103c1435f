"""Schedules: the factor on the learning rate, as a torch-free function of where the run is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from engine.parts.part import Part, setting


@dataclass(frozen=True)
class Clock:
    """Where a run is when the next update is about to be made."""

    step: int
    """Updates done."""
    epoch: int
    """Whole epochs done."""
    steps_per_epoch: int
    epochs: int
    """Epochs planned in all."""
    monitored: tuple[float, ...] = field(default=())
    """The validation series that a plateau schedule watches, one value a finished epoch."""


class Warmup(BaseModel):
    """A linear climb of the learning rate in front of a schedule, moving every step."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    epochs: float = setting(1.0, help="length of the climb", gt=0)
    start_factor: float = setting(0.1, help="share of the learning rate to begin with", gt=0, le=1)


class Scheduler(Part):
    """A schedule. The learning rate of an update is `optimizer.lr * factor(clock)`."""

    family: ClassVar[str] = "scheduler"

    warmup: Warmup | None = setting(None, help="a linear climb in front of the schedule")

    def factor(self, clock: Clock) -> float:
        """Factor on `optimizer.lr` for the next update; warm-up is not in it (see `lr_factor`)."""
        return 1.0
