"""fastai's Learner: as it comes, and without bar and log but with torch's own Adam."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from fastai.basics import DataLoader, DataLoaders, Learner, OptimWrapper, accuracy
from fastai.callback.progress import ProgressCallback  # noqa: F401  puts the bar on, as fastai.all does
from torch import nn

from bench.contenders.torch_side import data_sets, network
from bench.works import Work

PACKAGES = ("fastai",)


def fit(work: Work, path: Path, seed: int, how: str) -> tuple[float, float]:
    """Validation accuracy and loss of the last epoch."""
    warnings.filterwarnings("ignore")
    torch.manual_seed(seed)
    train, validation = data_sets(work, path)
    loaders = DataLoaders(
        DataLoader(train, bs=work.batch, shuffle=True, num_workers=0),
        DataLoader(validation, bs=work.batch, num_workers=0),
        device="cpu",
    )
    lean = {}
    if how == "lean":
        lean = {"opt_func": lambda params, **given: OptimWrapper(params, torch.optim.Adam, lr=given["lr"])}
    learner = Learner(loaders, network(work), loss_func=nn.CrossEntropyLoss(), metrics=accuracy, lr=work.lr, **lean)
    if how == "lean":
        with learner.no_bar(), learner.no_logging():
            learner.fit(work.epochs)
    else:
        learner.fit(work.epochs)
    _, loss, value = learner.recorder.values[-1]
    return float(value), float(loss)
