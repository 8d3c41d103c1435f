"""The loop that people write by hand: DataLoader, `.item()`, Adam as it comes, torchmetrics."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics.classification import MulticlassAccuracy

from bench.contenders.torch_side import data_sets, network
from bench.works import Work

PACKAGES = ("torch", "torchmetrics")


def fit(work: Work, path: Path, seed: int, how: str) -> tuple[float, float]:
    """Validation accuracy and loss of the last epoch."""
    torch.manual_seed(seed)
    train, validation = data_sets(work, path)
    loader = DataLoader(train, work.batch, shuffle=True)
    held_out = DataLoader(validation, work.batch)
    model, criterion = network(work), nn.CrossEntropyLoss()
    optimizer: torch.optim.Optimizer = torch.optim.Adam(model.parameters(), lr=work.lr)
    if work.sgd:
        optimizer = torch.optim.SGD(model.parameters(), lr=work.lr, momentum=0.9)
    accuracy = MulticlassAccuracy(work.classes, average="micro")
    value = loss_value = 0.0
    for _ in range(work.epochs):
        model.train()
        running = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            running += loss.item() * len(x)
        model.eval()
        accuracy.reset()
        total = count = 0.0
        with torch.no_grad():
            for x, y in held_out:
                outputs = model(x)
                total += criterion(outputs, y).item() * len(x)
                count += len(x)
                accuracy.update(outputs, y)
        value, loss_value = float(accuracy.compute()), total / count
    return value, loss_value
