"""The recipe's sections: what each key is, its default and its bounds.

Fields that hold parts are annotated with the part's base class; the reader builds the part first and hands the
instance over, so that a mistake inside one part never hides a mistake elsewhere.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

from engine.parts.augmentation import Augmentation
from engine.parts.layer import Init, Layer, distinct
from engine.parts.loss import Loss
from engine.parts.metric import Metric
from engine.parts.optimizer import Optimizer
from engine.parts.part import Count, Share, setting
from engine.parts.scheduler import Scheduler
from engine.parts.source import Source

Task = Literal["classification", "binary", "multilabel", "regression"]
MAX_SEED = 2**63 - 1
"""What the random generators take."""
ColumnType = Literal["number", "category", "image", "ignore"]


class Section(BaseModel):
    """One mapping of the recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class PartFile(Section):
    """A part of the data that comes from a file of its own."""

    path: str = setting(help="file of the same kind and columns as the source")


class Split(Section):
    """How rows are shared out between training, validation and test."""

    validation: Share | PartFile = setting(0.15, help="share of the rows, or a file")
    test: Share | PartFile = setting(0.15, help="share of the rows, or a file")
    stratify: bool | None = setting(None, help="keep the class shares equal in every part; left out: on for classes")
    group: str | None = setting(None, help="column whose equal values stay together in one part")
    time: str | None = setting(None, help="column to order by: the latest rows become the test part")
    column: str | None = setting(None, help="column that holds train, validation or test")
    seed: int = setting(0, help="seed of the split alone", ge=0, le=MAX_SEED)


class Normalize(Section):
    """Statistics given by hand, one value a feature or channel."""

    mean: list[float] = setting(help="subtracted")
    std: list[float] = setting(help="divided by")


class Data(Section):
    """Where the rows come from and what happens to them before the network."""

    source: Source = setting(help="where the data is read from")
    columns: dict[str, ColumnType] = setting({}, help="types that you set yourself, by column")
    missing: Literal["error", "drop", "mean", "median"] = setting("error", help="what to do with empty cells")
    split: Split = setting(Split(), help="how rows are shared out between training, validation and test")
    normalize: Literal["standard", "minmax", "none"] | Normalize = setting(
        "standard", help="scaling of number columns and images, from the training part's statistics"
    )
    target_scale: Literal["standard", "none"] = setting("standard", help="scaling of a regression target for training")
    reshape: list[int] | None = setting(None, help="view flat rows as images: [channels, height, width]")
    augment: list[Augmentation] = setting([], help="random changes of the training rows, drawn anew every epoch")
    limit: int | None = setting(None, help="use only so many training rows (to overfit a small subset)", ge=1)
    batch_size: int = setting(
        32, help="rows in one update", ge=1, log=True, smaller="noisier, slower", larger="smoother, faster"
    )
    shuffle: bool = setting(True, help="a new order every epoch")
    drop_last: bool = setting(False, help="leave out the last, shorter batch of an epoch")
    num_workers: int = setting(0, help="processes that load data beside the training process", ge=0, le=256)
    pin_memory: bool = setting(False, help="page-locked memory for faster copies to a GPU")


class Model(Section):
    """The layers, in order."""

    layers: list[Layer] = setting(help="the layers, in order")
    init: Init | None = setting(None, help="initialisation of every layer that has none of its own; left out: torch's")

    @field_validator("layers")
    @classmethod
    def _distinct(cls, layers: list[Layer]) -> list[Layer]:
        return distinct(layers)


class EarlyStopping(Section):
    """Stop when validation has not improved for a while."""

    monitor: str = setting("val_loss", help="series to watch")
    patience: int = setting(8, help="epochs without improvement before the run stops", ge=1, live=True)
    min_delta: float = setting(0.0, help="smallest change that counts as an improvement", ge=0, live=True)


class Checkpoints(Section):
    """What of the run's states is kept on disk."""

    budget: str = setting("1GB", help="most disk that the run's checkpoints may take, such as 500MB")


class Train(Section):
    """The training loop."""

    epochs: int = setting(20, help="passes over the training part", ge=1, le=1_000_000, live=True)
    device: str = setting("auto", help="auto, cpu, cuda, cuda:1 or mps")
    precision: Literal["fp32", "bf16", "auto"] = setting("fp32", help="number format of the arithmetic")
    executor: Literal["auto", "autograd", "dense", "graph"] = setting("auto", help="how steps are run")
    threads: Count | Literal["auto"] = setting("auto", help="threads of the arithmetic on a CPU")
    clip_grad_norm: float | None = setting(None, help="scale gradients down to this norm", gt=0, live=True)
    clip_grad_value: float | None = setting(None, help="cut each gradient value to this size", gt=0, live=True)
    early_stopping: EarlyStopping | None = setting(None, help="stop when validation no longer improves")
    checkpoints: Checkpoints = setting(Checkpoints(), help="what is kept on disk")
    deterministic: bool = setting(True, help="the same bits every time, on the same machine")


class FindLR(Section):
    """The range of a learning-rate test."""

    start: float = setting(1e-7, help="lowest rate", gt=0, log=True)
    end: float = setting(10.0, help="highest rate", gt=0, log=True)
    steps: int = setting(100, help="rates tried", ge=10, le=100_000)


class Search(Section):
    """What a hyperparameter search tries."""

    trials: int = setting(10, help="runs in all", ge=1, le=100_000)
    space: dict[str, Any] = setting({}, help="edit path: {uniform | log_uniform | int: [low, high]} or {choice: [...]}")
    minutes: float | None = setting(None, help="begin no trial after so many minutes, and end the last ones", gt=0)
    sampler: Literal["tpe", "random", "grid"] = setting("tpe", help="how the next values are picked")
    pruner: Literal["none", "median", "hyperband"] = setting("none", help="which trials are given up early")
    seed: int | None = setting(None, help="seed of the sampler; left out: the recipe's", ge=0, le=MAX_SEED)
    together: Count | Literal["auto"] = setting("auto", help="trials that are picked, and trained, at a time")


class Findings(Section):
    """Which findings are shown."""

    ignore: list[str] = setting([], help="rules that stay silent")


class Recipe(Section):
    """One run, completely described."""

    goodfit: Literal[1] = setting(1, help="version of the recipe language")
    name: str | None = setting(None, help="name of the run; left out: the file's")
    task: Task | None = setting(None, help="what is predicted; left out: inferred from the target")
    seed: int = setting(0, help="weights, order, dropout and augmentation; the split has its own", ge=0, le=MAX_SEED)
    data: Data = setting(help="where the rows come from")
    model: Model = setting(help="the network")
    loss: Loss | None = setting(None, help="what training minimises; left out: the task's usual loss")
    optimizer: Optimizer = setting(help="how weights move")
    scheduler: Scheduler | None = setting(None, help="how the learning rate changes over the run")
    train: Train = setting(Train(), help="the training loop")
    metrics: list[Metric] | None = setting(None, help="left out: Accuracy, for regression R2Score")
    find_lr: FindLR = setting(FindLR(), help="the range of a learning-rate test")
    search: Search | None = setting(None, help="what a hyperparameter search tries")
    findings: Findings = setting(Findings(), help="which findings are shown")
