"""Recipes for chains of Linear on the data that comes with goodfit, and the courses that executors take on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.train.executors.executor import Rate

SOURCES = {
    "CrossEntropyLoss": "wine",
    "BCEWithLogitsLoss": "breast_cancer",
    "MSELoss": "diabetes",
    "L1Loss": "diabetes",
    "HuberLoss": "diabetes",
    "SmoothL1Loss": "diabetes",
}
LOSSES = {
    "CrossEntropyLoss": "{type: CrossEntropyLoss, label_smoothing: 0.1, weight: balanced}",
    "BCEWithLogitsLoss": "{type: BCEWithLogitsLoss, pos_weight: balanced}",
    "MSELoss": "MSELoss",
    "L1Loss": "L1Loss",
    "HuberLoss": "{type: HuberLoss, delta: 0.7}",
    "SmoothL1Loss": "{type: SmoothL1Loss, beta: 0.6}",
}
OPTIMIZERS = {
    "SGD": "{type: SGD, lr: 0.02, momentum: 0.9, nesterov: true, weight_decay: 0.01}",
    "Adam": "{type: Adam, lr: 0.002, weight_decay: 0.01, betas: [0.8, 0.99]}",
    "AdamW": "{type: AdamW, lr: 0.002, weight_decay: 0.1, amsgrad: true}",
    "RMSprop": "{type: RMSprop, lr: 0.001, momentum: 0.5, centered: true, eps: 0.001, weight_decay: 0.01}",
    "Adagrad": "{type: Adagrad, lr: 0.02, lr_decay: 0.01, initial_accumulator_value: 0.1}",
}
ACTIVATIONS = {
    "ReLU": "ReLU",
    "LeakyReLU": "{type: LeakyReLU, negative_slope: 0.2}",
    "GELU": "GELU",
    "SiLU": "SiLU",
    "Tanh": "Tanh",
    "Sigmoid": "Sigmoid",
}


def text(loss: str, optimizer: str, layers: str, *, train: str = "", batch: int = 24, source: str = "") -> str:
    return f"""
seed: 11
data: {{source: {{type: Builtin, name: {source or SOURCES[loss]}}}, limit: 110, batch_size: {batch}}}
model: {{layers: [{layers}]}}
loss: {LOSSES[loss]}
optimizer: {optimizer}
train: {{epochs: 50{train}}}
"""


def deep(activation: str) -> str:
    first, last = "{type: Linear, out_features: 20}", "{type: Linear, out_features: outputs}"
    return f"{first}, {activation}, {{type: Linear, out_features: 7, bias: false}}, {activation}, {last}"


def course(executor: Any, session: Any, epochs: range, lr: float | None = None) -> list[float]:
    losses: list[float] = []
    for epoch in epochs:
        rates = [Rate(session.recipe.optimizer.lr if lr is None else lr)] * session.steps_per_epoch
        ran = executor.run(epoch, 0, rates)
        losses += np.asarray(getattr(ran, "losses", ran), np.float64).tolist()
    return losses


DROPPED = (
    "{type: Dropout, p: 0.1}, {type: Linear, out_features: 20}, ReLU, {type: Dropout, p: 0.4, name: drop1}, "
    "{type: Linear, out_features: 12}, Tanh, {type: Dropout, p: 0.2}, {type: Linear, out_features: outputs}"
)


def without_generators(state: Any) -> dict[str, Any]:
    return {name: value for name, value in state.tensors.items() if not name.startswith("generator/")}
