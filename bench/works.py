"""What is measured: networks, data sizes, and the ratios that goodfit is to reach on them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

TABULAR_PEERS = ("lightning", "lightning_lean", "skorch", "fastai", "fastai_lean", "keras", "ignite", "sklearn")
IMAGE_PEERS = ("lightning_lean", "skorch", "fastai_lean", "keras", "ignite")


def work_from(values: dict[str, Any]) -> Work:
    """The inverse of `asdict`, for what has been JSON meanwhile."""
    return Work(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


@dataclass(frozen=True)
class Work:
    """One whole fit: data, network, optimizer, validation (loss and accuracy) after every epoch."""

    name: str
    title: str
    data: str
    """Name of a maker in `bench.data`."""
    rows: int
    """Training rows."""
    validation: int
    shape: tuple[int, ...]
    """Of one sample: (features,) float32, or (height, width) uint8."""
    classes: int
    hidden: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    """Of 3x3 convolutions with padding 1, each followed by ReLU and 2x2 max pooling, before the hidden layers."""
    dropout: float = 0.0
    """After every hidden layer."""
    batch: int = 32
    epochs: int = 5
    lr: float = 1e-3
    turned: bool = False
    """Rotation by up to 15 degrees and horizontal flips."""
    precision: str = "fp32"
    sgd: bool = False
    """SGD with momentum 0.9 in place of Adam."""
    trials: int = 0
    """goodfit alone does not fit once but searches: so many trials of learning rate and momentum."""
    peers: tuple[str, ...] = ()
    goals: dict[str, float] = field(default_factory=dict)
    """Ratio of CPU time that goodfit is to reach, by contender; `best` is the fastest of the peers."""

    def smaller(self, share: float, epochs: int) -> Work:
        """The same with less data, for a quick look."""
        if self.data in ("breast_cancer", "digits"):
            return replace(self, epochs=max(epochs, round(self.epochs * share * 2)))
        rows = max(4 * self.batch, round(self.rows * share))
        return replace(self, rows=rows, validation=max(self.batch, round(self.validation * share)), epochs=epochs)

    @property
    def steps(self) -> int:
        """Updates of the whole fit."""
        return -(-self.rows // self.batch) * self.epochs


SMALL = {"plain": 12.0, "lightning_lean": 20.0, "best": 6.0}
MLP = Work(
    "T1b",
    "MLP 30-64-32-2, 100,000 rows, batch 32",
    "tabular",
    rows=100_000,
    validation=10_000,
    shape=(30,),
    classes=2,
    hidden=(64, 32),
    peers=TABULAR_PEERS,
    goals=SMALL,
)
CNN = Work(
    "T3a",
    "CNN 16-32 channels, 10,000 images 28x28, batch 64",
    "images",
    rows=10_000,
    validation=2_000,
    shape=(28, 28),
    classes=10,
    channels=(16, 32),
    hidden=(64,),
    batch=64,
    epochs=3,
    peers=IMAGE_PEERS,
    goals={"plain": 1.8},
)

WORKS = (
    replace(
        MLP,
        name="T1a",
        title="MLP 30-64-32-2, breast cancer, batch 32",
        data="breast_cancer",
        rows=455,
        validation=114,
        epochs=100,
    ),
    MLP,
    replace(MLP, name="T1c", title="MLP 30-64-32-2, 100,000 rows, batch 256", batch=256, epochs=10),
    replace(
        MLP,
        name="T4",
        title="MLP 64-128-64-10, digits, batch 32",
        data="digits",
        rows=1437,
        validation=360,
        shape=(64,),
        classes=10,
        hidden=(128, 64),
        epochs=50,
    ),
    Work(
        "T2",
        "MLP 784-256-128-10 with dropout, 60,000 images, batch 64",
        "images",
        rows=60_000,
        validation=10_000,
        shape=(28, 28),
        classes=10,
        hidden=(256, 128),
        dropout=0.2,
        batch=64,
        epochs=3,
        peers=IMAGE_PEERS,
        goals={"plain": 3.0},
    ),
    CNN,
    replace(CNN, name="T3b", title=f"{CNN.title}, rotated and flipped", turned=True),
    replace(CNN, name="T3c", title=f"{CNN.title}, bf16", precision="bf16", peers=(), goals={"plain": 2.5}),
)
SEARCH = replace(MLP, sgd=True, lr=1e-2, peers=())
WORKS += tuple(
    replace(
        SEARCH,
        name=f"S{trials}",
        title=f"search of {trials} trials ({MLP.title}, SGD) against one plain run",
        trials=trials,
        goals={"plain": goal},
    )
    for trials, goal in ((10, 1 / 0.5), (50, 1 / 2))
)
BY_NAME = {work.name: work for work in WORKS}
