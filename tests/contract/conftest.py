from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.contract.program import Program, Record

EXAMPLE = """\
goodfit: 1                      # version of the recipe language; optional, `new` writes it
name: water
task: binary                    # classification | binary | multilabel | regression
seed: 7                         # weights, order, dropout, augmentation; the split has its own
data:
  source: {type: CSV, path: water.csv, target: Potability, features: [ph, Sulfate, Conductivity, Organic_carbon]}
  columns: {zip: category, id: ignore}
  missing: median               # error | drop | mean | median
  split: {validation: 0.15, test: 0.15, stratify: true, seed: 0}
  normalize: standard           # standard | minmax | none | {mean: [...], std: [...]}
  augment: []                   # - {type: RandomRotation, degrees: 10}
  limit: 100                    # use only so many training rows (the overfit stage)
  batch_size: 32
  shuffle: true                 # and drop_last, num_workers, pin_memory
model:
  layers:
    - {type: Linear, out_features: 64}
    - ReLU                      # short for {type: ReLU}
    - {type: Dropout, p: 0.3, name: drop1}
    - {type: Linear, out_features: outputs}   # the width that the task needs
loss: BCEWithLogitsLoss
optimizer: {type: Adam, lr: 1e-3, weight_decay: 1e-4}
scheduler: {type: CosineAnnealingLR, warmup: {epochs: 2, start_factor: 0.1}}
train:
  epochs: 40
  device: auto                  # auto | cpu | cuda | cuda:1 | mps
  precision: fp32               # fp32 | bf16 | auto
  executor: auto                # auto | autograd | dense | graph
  threads: auto
  clip_grad_norm: 1.0           # or clip_grad_value
  early_stopping: {monitor: val_loss, patience: 8}     # or null
  checkpoints: {budget: 1GB}    # best, last, and a thinning ladder between them
  deterministic: true
metrics: [Accuracy, AUROC]
find_lr: {start: 1e-7, end: 10, steps: 100}
search: {trials: 10, space: {optimizer.lr: {log_uniform: [1e-4, 1e-2]}, data.batch_size: {choice: [32, 64]}}}
findings: {ignore: []}
"""


@dataclass(frozen=True)
class Trained:
    """A finished run, to be read and not changed."""

    goodfit: Program
    printed: list[Record]

    @property
    def run(self) -> Path:
        """Its folder."""
        return Path(self.printed[0]["path"])


def write_water(folder: Path) -> None:
    """240 rows with empty cells, a category, an id, and a target that the numbers explain."""
    rng = np.random.default_rng(0)
    lines = ["id,ph,Sulfate,Conductivity,Organic_carbon,zip,Potability"]
    for row in range(240):
        ph, sulfate, conductivity, carbon, noise = rng.normal((7, 300, 400, 14, 0), (1, 40, 80, 3, 0.5))
        good = int(ph - 7 + (sulfate - 300) / 40 + noise > 0)
        cell = "" if row % 17 == 0 else f"{ph:.4f}"
        lines.append(f"{row},{cell},{sulfate:.3f},{conductivity:.3f},{carbon:.3f},{10000 + row % 5},{good}")
    (folder / "water.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def goodfit(tmp_path: Path) -> Program:
    """The program in a folder with the contract's example recipe and its data."""
    write_water(tmp_path)
    (tmp_path / "water.yaml").write_text(EXAMPLE)
    return Program(tmp_path)


@pytest.fixture(scope="session")
def water(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """The contract's example recipe, trained for six epochs, with one look at the test part."""
    folder = tmp_path_factory.mktemp("water")
    write_water(folder)
    (folder / "water.yaml").write_text(EXAMPLE)
    goodfit = Program(folder)
    yield Trained(goodfit, goodfit.json("train", "water.yaml", "--test", "--set", "train.epochs=6"))
