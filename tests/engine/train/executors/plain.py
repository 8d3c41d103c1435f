"""A plain PyTorch loop for chains of Linear, written out by hand, that executors are held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from engine.train.executors.executor import Rate, State
from engine.train.session import Session, open_session

TOLERANCE = 5e-5
"""How far two executors may be apart after some hundred steps: |a - b| <= TOLERANCE * (1 + largest size of the tensor),
for losses, outputs, weights and what the optimizer keeps. They differ by the order in which float32 sums are taken."""


def close(a: Any, b: Any) -> bool:
    """Whether two arrays are within the tolerance."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape:
        return False
    return bool(np.abs(a - b).max(initial=0.0) <= TOLERANCE * (1.0 + np.abs(a).max(initial=0.0)))


class Recorded(nn.Module):
    """Dropout by masks that somebody else has drawn."""

    def __init__(self, masks: Iterator[torch.Tensor]) -> None:
        super().__init__()
        self.masks = masks

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * next(self.masks) if self.training else x


def network(recipe: Any, features: int, outputs: int, masks: dict[str, Iterator[torch.Tensor]]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index, layer in enumerate(recipe.model.layers):
        match layer.type_name():
            case "Linear":
                width = outputs if layer.out_features == "outputs" else layer.out_features
                layers.append(nn.Linear(features, width, bias=layer.bias))
                features = width
            case "Dropout":
                name = layer.name or str(index)
                layers.append(Recorded(masks[name]) if name in masks else nn.Dropout(layer.p))
            case "LeakyReLU":
                layers.append(nn.LeakyReLU(layer.negative_slope))
            case "GELU":
                layers.append(nn.GELU(approximate=layer.approximate))
            case other:
                layers.append(getattr(nn, other)())
    return nn.Sequential(*layers)


def criterion(recipe: Any, data: Any) -> nn.Module:
    loss, y = recipe.loss, data.train.y
    match loss.type_name():
        case "CrossEntropyLoss":
            counts = np.bincount(y)
            weight = torch.tensor([len(y) / (len(counts) * c) for c in counts.tolist()]) if loss.weight else None
            return nn.CrossEntropyLoss(weight=weight, label_smoothing=loss.label_smoothing)
        case "BCEWithLogitsLoss":
            yes = float(y.sum())
            weight = torch.tensor([(len(y) - yes) / yes]) if loss.pos_weight else None
            return nn.BCEWithLogitsLoss(pos_weight=weight)
        case "HuberLoss":
            return nn.HuberLoss(delta=loss.delta)
        case "SmoothL1Loss":
            return nn.SmoothL1Loss(beta=loss.beta)
    module: nn.Module = getattr(nn, loss.type_name())()
    return module


def optimizer(recipe: Any, model: nn.Module) -> torch.optim.Optimizer:
    part = recipe.optimizer
    made: torch.optim.Optimizer = getattr(torch.optim, part.type_name())(model.parameters(), **part.arguments())
    return made


@dataclass
class Plain:
    """The loop, which can go on for as long as one likes."""

    session: Session
    recipe: Any
    masks: dict[str, Iterator[torch.Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        data = self.session.prepared
        torch.manual_seed(self.recipe.seed)
        self.model = network(self.recipe, int(np.prod(data.facts.shape)), data.facts.outputs, self.masks)
        self.criterion, self.optimizer = criterion(self.recipe, data), optimizer(self.recipe, self.model)
        self.x, self.y = torch.tensor(np.asarray(data.train.x)), torch.tensor(data.train.y)

    def run(self, epoch: int, index: int, rates: list[Rate]) -> list[float]:
        losses, size = [], self.recipe.data.batch_size
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.x))
        self.model.train()
        for number, rate in enumerate(rates, start=index):
            rows = torch.from_numpy(order[number * size : (number + 1) * size])
            for group in self.optimizer.param_groups:
                group["lr"] = rate.lr
                if rate.momentum is not None and "betas" in group:
                    group["betas"] = (rate.momentum, group["betas"][1])
                elif rate.momentum is not None:
                    group["momentum"] = rate.momentum
            loss = self.criterion(self.model(self.x[rows]), self.y[rows])
            self.optimizer.zero_grad()
            loss.backward()
            if self.recipe.train.clip_grad_norm:
                nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.train.clip_grad_norm)
            if self.recipe.train.clip_grad_value:
                nn.utils.clip_grad_value_(self.model.parameters(), self.recipe.train.clip_grad_value)
            self.optimizer.step()
            losses.append(loss.item())
        return losses

    def validation(self) -> tuple[float, Any]:
        data = self.session.prepared.validation
        self.model.eval()
        with torch.no_grad():
            outputs = self.model(torch.tensor(np.asarray(data.x)))
            return float(self.criterion(outputs, torch.tensor(data.y))), outputs.numpy()

    def tensors(self) -> dict[str, Any]:
        """Weights and what the optimizer keeps, by the names of a `State`."""
        named = dict(self.model.named_parameters())
        found = {f"model/{name}": value.detach().numpy() for name, value in named.items()}
        for name, value in named.items():
            for key, kept in self.optimizer.state[value].items():
                if torch.is_tensor(kept):
                    found[f"optimizer/{name}/{key}"] = kept.numpy()
        return found

    def change(self, recipe: Any) -> None:
        """Live edits."""
        self.recipe = recipe
        for group in self.optimizer.param_groups:
            for name, value in recipe.optimizer.arguments().items():
                group[name] = value


def unlike(state: State, tensors: dict[str, Any]) -> list[str]:
    """What of a state is not as the plain loop has it."""
    own = {name: value for name, value in state.tensors.items() if not name.startswith("generator/")}
    if own.keys() != tensors.keys():
        return sorted(own.keys() ^ tensors.keys())
    return [name for name, value in own.items() if not close(tensors[name], value)]


def open_plain(text: str, executor: str) -> Session:
    """A session on a recipe's text with that executor."""
    train = f"train: {{executor: {executor}, threads: 1, device: cpu, "
    assert "train: {" in text
    session = open_session(text.replace("train: {", train), Path())
    session.executor.set(session.recipe)
    return session
