"""Which feed a run gets: workers where the recipe asks for them, else resident tensors where they fit, else rows where
they lie."""

from __future__ import annotations

import torch

from engine.data.prepared import Prepared
from engine.machine.memory import free_memory
from engine.recipe.schema import Recipe
from engine.train.feed.feed import Feed
from engine.train.feed.loader import LoaderFeed
from engine.train.feed.mapped import MappedFeed
from engine.train.feed.resident import ResidentFeed
from engine.train.loop import is_out_of_memory

ROOM = 0.5
"""Share of a device's free memory that the data may take."""


def open_feed(recipe: Recipe, prepared: Prepared, device: torch.device) -> Feed:
    """The feed that the recipe asks for and the device has room for; its `reason` says why, in words."""
    data, part = recipe.data, prepared.train
    if data.num_workers:
        return LoaderFeed(
            part,
            seed=recipe.seed,
            batch_size=data.batch_size,
            shuffle=data.shuffle,
            drop_last=data.drop_last,
            device=device,
            workers=data.num_workers,
            pin_memory=data.pin_memory,
        )
    needed, free = part.x.nbytes + part.y.nbytes, free_on(device)
    where = "memory" if device.type == "cpu" else f"memory of {device}"
    if free is not None and needed > ROOM * free:
        reason = (
            f"the training rows take {size(needed)}, more than half of the {size(free)} that are free in the {where}"
        )
    else:
        try:
            feed = ResidentFeed(
                part,
                seed=recipe.seed,
                batch_size=data.batch_size,
                shuffle=data.shuffle,
                device=device,
                home=device,
            )
            feed.batch(0, 0)
            feed.reason = f"the training rows take {size(needed)} in the {where}"
            return feed
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        # outside the handler: the exception holds the frames, and they hold the tensors
        reason = f"the {where} ran out while the training rows were loaded"
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return MappedFeed(
        part, seed=recipe.seed, batch_size=data.batch_size, shuffle=data.shuffle, device=device, reason=reason
    )


def free_on(device: torch.device) -> int | None:
    """Bytes that are free on the device; None where nothing says."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return free_memory()


def size(count: int) -> str:
    """`1.2 GB`."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count} B"
