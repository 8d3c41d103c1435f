"""The records of a run's journal: one dataclass a type, and nothing else that a worker may say.

Writers make records; readers get the parsed JSON objects (plain dicts), so that they still read a later version's
journal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

Json = dict[str, Any]
Reason = Literal["completed", "early_stopped", "stopped", "preempted", "non_finite", "out_of_memory", "error", "killed"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """What every record may hold; the journal adds `seq`, `time` and `life` on appending."""

    type: ClassVar[str]
    epoch: int | None = None
    """Epoch, from 1."""
    step: int | None = None
    """Updates done."""


@dataclass(frozen=True, kw_only=True)
class Started(Record):
    """First record of a run, before any loading."""

    type: ClassVar[str] = "started"
    run: str
    kind: str
    path: str
    pid: int
    host: str
    parent: Json | None
    base: str
    versions: Json
    git: Json | None
    argv: list[str]
    wall: str
    """ISO 8601, UTC."""
    schema: int = 1


@dataclass(frozen=True, kw_only=True)
class Progress(Record):
    """How far slow work before the first step has come."""

    type: ClassVar[str] = "progress"
    stage: str
    done: int
    total: int | None


@dataclass(frozen=True, kw_only=True)
class DataRecord(Record):
    """The data as it was read: the fields of `engine.data.facts.Facts`."""

    type: ClassVar[str] = "data"
    rows: dict[str, int]
    task: str
    shape: list[int]
    outputs: int
    features: list[Json]
    classes: list[str]
    class_counts: dict[str, list[int]]
    target_names: list[str]
    missing: int
    duplicates: int
    shared: dict[str, int]
    warnings: list[Json]
    data_sha256: str
    split_sha256: str


@dataclass(frozen=True, kw_only=True)
class Plan(Record):
    """How the run was resolved to run. Resume and verify use it and never calibrate again."""

    type: ClassVar[str] = "plan"
    executor: str
    reason: str
    device: str
    threads: int
    precision: str
    optimizer_kernel: str
    memory_format: str
    torch: str
    cpu: str
    gpu: str | None
    parameters: int
    steps_per_epoch: int
    epochs: int
    loss_at_init: float
    loss_baseline: float
    """Loss of always guessing the average."""
    monitor: str = "val_loss"
    """The series whose best value makes the best epoch: `early_stopping.monitor`, else val_loss."""
    trials: int | None = None
    """Of a search: how many trials it is to make."""


@dataclass(frozen=True, kw_only=True)
class Steps(Record):
    """Losses of the updates `first` .. `first + count - 1` (from 1), folded."""

    type: ClassVar[str] = "steps"
    first: int
    count: int
    loss_mean: float
    loss_min: float
    loss_max: float
    lr: float
    crc: str
    """crc32 of the losses' float32 little-endian bits, 8 lower-case hex digits."""


@dataclass(frozen=True, kw_only=True)
class Probe(Record):
    """What the rules need, measured now and then."""

    type: ClassVar[str] = "probe"
    values: Json


@dataclass(frozen=True, kw_only=True)
class Epoch(Record):
    """End of an epoch. `metrics` has series names as keys."""

    type: ClassVar[str] = "epoch"
    train_loss: float
    val_loss: float | None
    metrics: Json
    lr: float
    seconds: float
    samples_per_second: float
    digest: str


@dataclass(frozen=True, kw_only=True)
class Edited(Record):
    """Edits of the running recipe, and the step from which they hold."""

    type: ClassVar[str] = "edited"
    id: str | None
    edits: list[Json]


@dataclass(frozen=True, kw_only=True)
class Checkpoint(Record):
    """A checkpoint is committed."""

    type: ClassVar[str] = "checkpoint"
    path: str
    manifest_sha: str
    best: bool


@dataclass(frozen=True, kw_only=True)
class Finding(Record):
    """A rule has found something to say about the run."""

    type: ClassVar[str] = "finding"
    rule: str
    severity: Literal["error", "warning", "info"]
    evidence: Json
    reason: str
    fixes: list[Json] = field(default_factory=list)
    """`{label, edits}` each."""


@dataclass(frozen=True, kw_only=True)
class FindingUpdated(Finding):
    """The same finding, with newer evidence."""

    type: ClassVar[str] = "finding_updated"


@dataclass(frozen=True, kw_only=True)
class FindingCleared(Record):
    """What the rule found no longer holds."""

    type: ClassVar[str] = "finding_cleared"
    rule: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class CommandAccepted(Record):
    """A command was read and will take effect."""

    type: ClassVar[str] = "command_accepted"
    id: str
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class CommandRefused(Record):
    """A command was read and will not take effect."""

    type: ClassVar[str] = "command_refused"
    id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Paused(Record):
    """The worker holds between two steps."""

    type: ClassVar[str] = "paused"


@dataclass(frozen=True, kw_only=True)
class Resumed(Record):
    """Work goes on from `from_step`; earlier records with a larger step are superseded."""

    type: ClassVar[str] = "resumed"
    from_step: int
    pid: int | None = None
    """Set where a new life begins; a run that was merely paused goes on without it."""
    host: str | None = None
    versions: Json | None = None
    wall: str | None = None


@dataclass(frozen=True, kw_only=True)
class Replanned(Record):
    """The plan changed while running."""

    type: ClassVar[str] = "replanned"
    plan: Json
    reason: str


@dataclass(frozen=True, kw_only=True)
class TestEvaluated(Record):
    """A look at the test part."""

    type: ClassVar[str] = "test_evaluated"
    metrics: Json
    data_sha256: str
    looks: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class DeviceUse(Record):
    """How busy the device is, now and then; None where the device does not say."""

    type: ClassVar[str] = "device_use"
    device: str
    memory_own: int | None
    """Bytes that this worker holds."""
    memory_used: int | None
    """Bytes that everybody holds."""
    memory_total: int | None
    utilization: float | None
    """Per cent."""
    temperature: float | None
    """Degrees Celsius."""


@dataclass(frozen=True, kw_only=True)
class Trial(Record):
    """A trial of a search is over."""

    type: ClassVar[str] = "trial"
    number: int
    """From 0."""
    state: Literal["completed", "pruned", "failed"]
    edits: list[Json]
    """What makes the search's recipe the trial's."""
    params: Json
    """The same as {edit path: value}."""
    value: float | None
    """Best value of the monitored series; None for a trial that failed."""
    train_loss: float | None
    val_loss: float | None
    """Of the best epoch."""
    metrics: Json
    """Of the best epoch, by series name."""
    best_epoch: int | None
    epochs: int
    """Epochs done."""
    seconds: float
    run: str | None
    """Name of the child run; None where it could not be made."""
    message: str = ""
    """Why it failed or was pruned."""
    curve: Json = field(default_factory=dict)
    """{epochs, values}: the monitored series, thinned evenly where it is long, since `trial_epochs` does not tell every
    epoch; empty where no epoch was finished."""


@dataclass(frozen=True, kw_only=True)
class TrialEpochs(Record):
    """How the trials that train at present stand after an epoch."""

    type: ClassVar[str] = "trial_epochs"
    numbers: list[int]
    params: list[Json]
    """By trial, as in `trial`."""
    train_loss: list[float]
    val_loss: list[float | None]
    value: list[float | None]
    """The monitored series."""


@dataclass(frozen=True, kw_only=True)
class Importance(Record):
    """How much each searched setting matters to the result: shares that add up to 1."""

    type: ClassVar[str] = "importance"
    values: dict[str, float]
    trials: int
    """Completed trials that it was worked out from."""


@dataclass(frozen=True, kw_only=True)
class Finished(Record):
    """End of a life."""

    type: ClassVar[str] = "finished"
    reason: Reason
    best_epoch: int | None
    best: Json
    test: Json | None
    recipe: str
    message: str = ""
    """For a person: why, with the batch, layer or rows concerned, and what to do."""
    details: Json = field(default_factory=dict)


RECORDS: dict[str, type[Record]] = {
    cls.type: cls
    for cls in (
        Started,
        Progress,
        DataRecord,
        Plan,
        Steps,
        Probe,
        Epoch,
        Edited,
        Checkpoint,
        Finding,
        FindingUpdated,
        FindingCleared,
        CommandAccepted,
        CommandRefused,
        Paused,
        Resumed,
        Replanned,
        TestEvaluated,
        DeviceUse,
        Trial,
        TrialEpochs,
        Importance,
        Finished,
    )
}
