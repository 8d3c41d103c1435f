"""Contenders by the names that the table uses."""

from __future__ import annotations

from typing import NamedTuple


class Contender(NamedTuple):
    """A module of this folder with `fit`, and which way of it."""

    module: str
    how: str
    title: str


CONTENDERS = {
    "goodfit": Contender("goodfit_fit", "", "goodfit"),
    "autograd": Contender("goodfit_fit", "autograd", "goodfit, autograd executor"),
    "plain": Contender("plain", "", "plain loop"),
    "lightning": Contender("lightning_fit", "default", "Lightning, default"),
    "lightning_lean": Contender("lightning_fit", "lean", "Lightning, no extras"),
    "skorch": Contender("skorch_fit", "lean", "skorch, no printer"),
    "fastai": Contender("fastai_fit", "default", "fastai, default"),
    "fastai_lean": Contender("fastai_fit", "lean", "fastai, no bar or log"),
    "keras": Contender("keras_fit", "default", "Keras on torch, default"),
    "ignite": Contender("ignite_fit", "lean", "Ignite"),
    "sklearn": Contender("sklearn_fit", "", "scikit-learn MLP"),
}
