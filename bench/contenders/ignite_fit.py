"""PyTorch Ignite, with nothing attached but the validation."""

from __future__ import annotations

from pathlib import Path

import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.metrics import Accuracy, Loss
from torch import nn
from torch.utils.data import DataLoader

from bench.contenders.torch_side import data_sets, network
from bench.works import Work

PACKAGES = ("pytorch-ignite",)


def fit(work: Work, path: Path, seed: int, how: str) -> tuple[float, float]:
    """Validation accuracy and loss of the last epoch."""
    torch.manual_seed(seed)
    train, validation = data_sets(work, path)
    model, criterion = network(work), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=work.lr)
    held_out = DataLoader(validation, work.batch)
    trainer = create_supervised_trainer(model, optimizer, criterion, output_transform=lambda *given: None)
    evaluator = create_supervised_evaluator(model, metrics={"accuracy": Accuracy(), "loss": Loss(criterion)})
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda _: evaluator.run(held_out) and None)
    trainer.run(DataLoader(train, work.batch, shuffle=True), max_epochs=work.epochs)
    return float(evaluator.state.metrics["accuracy"]), float(evaluator.state.metrics["loss"])
