"""skorch, without its printer and its clock."""

from __future__ import annotations

from pathlib import Path

import torch
from skorch import NeuralNetClassifier
from skorch.helper import predefined_split
from torch import nn

from bench.contenders.torch_side import data_sets, network
from bench.works import Work

PACKAGES = ("skorch",)


def fit(work: Work, path: Path, seed: int, how: str) -> tuple[float, float]:
    """Validation accuracy and loss of the last epoch."""
    torch.manual_seed(seed)
    train, validation = data_sets(work, path)
    net = NeuralNetClassifier(
        network(work),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=work.lr,
        batch_size=work.batch,
        max_epochs=work.epochs,
        iterator_train__shuffle=True,
        train_split=predefined_split(validation),
        callbacks__print_log=None,
        callbacks__epoch_timer=None,
        classes=list(range(work.classes)),
        verbose=0,
    )
    net.fit(train, None)
    return float(net.history[-1, "valid_acc"]), float(net.history[-1, "valid_loss"])
