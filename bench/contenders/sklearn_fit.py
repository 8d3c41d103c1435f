"""scikit-learn's MLPClassifier, an epoch at a time, so that it is judged after each. It has no dropout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from bench.data import read
from bench.works import Work

PACKAGES = ("scikit-learn",)


def fit(work: Work, path: Path, seed: int, how: str) -> tuple[float, float]:
    """Validation accuracy and loss of the last epoch."""
    arrays = read(path)
    classes = np.arange(work.classes)
    model = MLPClassifier(
        work.hidden, solver="adam", alpha=0.0, batch_size=work.batch, learning_rate_init=work.lr, random_state=seed
    )
    value = loss = 0.0
    for _ in range(work.epochs):
        model.partial_fit(arrays["x_train"], arrays["y_train"], classes=classes)
        shares = model.predict_proba(arrays["x_val"])
        value = float((shares.argmax(1) == arrays["y_val"]).mean())
        loss = float(log_loss(arrays["y_val"], shares, labels=classes))
    return value, loss
