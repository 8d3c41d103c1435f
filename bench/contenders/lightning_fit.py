"""PyTorch Lightning: as it comes, and without logger, bar, checkpoints and summary."""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics.classification import MulticlassAccuracy

from bench.contenders.torch_side import data_sets, network
from bench.works import Work

PACKAGES = ("lightning",)


class Module(lightning.LightningModule):
    """The tutorial's module."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.lr = work.lr
        self.model = network(work)
        self.criterion = nn.CrossEntropyLoss()
        self.accuracy = MulticlassAccuracy(work.classes, average="micro")

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        x, y = batch
        loss: Tensor = self.criterion(self.model(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        x, y = batch
        outputs = self.model(x)
        self.accuracy(outputs, y)
        self.log("val_loss", self.criterion(outputs, y))
        self.log("val_accuracy", self.accuracy)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def fit(work: Work, path: Path, seed: int, how: str) -> tuple[float, float]:
    """Validation accuracy and loss of the last epoch."""
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.manual_seed(seed)
    train, validation = data_sets(work, path)
    extras = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    lean = {**extras, "enable_model_summary": False, "num_sanity_val_steps": 0}
    with tempfile.TemporaryDirectory() as folder:
        trainer = lightning.Trainer(
            max_epochs=work.epochs,
            accelerator="cpu",
            devices=1,
            default_root_dir=folder,
            **(lean if how == "lean" else {}),
        )
        trainer.fit(Module(work), DataLoader(train, work.batch, shuffle=True), DataLoader(validation, work.batch))
        return float(trainer.callback_metrics["val_accuracy"]), float(trainer.callback_metrics["val_loss"])
