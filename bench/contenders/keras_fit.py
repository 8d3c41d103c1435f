"""Keras on its torch backend, as it comes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import keras

from bench.data import read
from bench.works import Work

PACKAGES = ("keras",)


def network(work: Work) -> Any:
    """The work's network, channels last, as Keras has them."""
    layers = keras.layers
    image = len(work.shape) > 1
    stack: list[Any] = [keras.Input((*work.shape, 1) if image else work.shape)]
    if work.turned:
        stack += [layers.RandomRotation(15 / 360, fill_mode="constant"), layers.RandomFlip("horizontal")]
    for channels in work.channels:
        stack += [layers.Conv2D(channels, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)]
    if image:
        stack.append(layers.Flatten())
    for hidden in work.hidden:
        stack.append(layers.Dense(hidden, activation="relu"))
        if work.dropout:
            stack.append(layers.Dropout(work.dropout))
    return keras.Sequential([*stack, layers.Dense(work.classes)])


def fit(work: Work, path: Path, seed: int, how: str) -> tuple[float, float]:
    """Validation accuracy and loss of the last epoch."""
    keras.utils.set_random_seed(seed)
    arrays = read(path)
    x = {part: arrays[f"x_{part}"] for part in ("train", "val")}
    if len(work.shape) > 1:
        x = {part: (value.astype("float32") / 255)[..., None] for part, value in x.items()}
    model = network(work)
    model.compile(
        optimizer=keras.optimizers.Adam(work.lr),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(
        x["train"],
        arrays["y_train"],
        batch_size=work.batch,
        epochs=work.epochs,
        validation_data=(x["val"], arrays["y_val"]),
    )
    return float(history.history["val_accuracy"][-1]), float(history.history["val_loss"][-1])
