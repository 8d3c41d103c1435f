"""Which feed a run gets: workers where the recipe asks for them, else resident tensors where they fit."""

from __future__ import annotations

import torch

from engine.data.prepared import Prepared
from engine.recipe.schema import Recipe
from engine.train.feed.feed import Feed
from engine.train.feed.loader import LoaderFeed
from engine.train.feed.resident import ResidentFeed

ROOM = 0.5
"""Share of a GPU's free memory that the data may take."""


def open_feed(recipe: Recipe, prepared: Prepared, device: torch.device) -> Feed:
    """The feed that the recipe asks for."""
    data = recipe.data
    if data.num_workers:
        return LoaderFeed(
            prepared.train,
            seed=recipe.seed,
            batch_size=data.batch_size,
            shuffle=data.shuffle,
            drop_last=data.drop_last,
            device=device,
            workers=data.num_workers,
            pin_memory=data.pin_memory,
        )
    home = device
    if device.type == "cuda":
        size = prepared.train.x.nbytes + prepared.train.y.nbytes
        free, _ = torch.cuda.mem_get_info(device)
        home = device if size < ROOM * free else torch.device("cpu")
    return ResidentFeed(
        prepared.train, seed=recipe.seed, batch_size=data.batch_size, shuffle=data.shuffle, device=device, home=home
    )
