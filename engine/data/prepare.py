"""From a recipe's data section to arrays: read, choose columns, split, fit on the training part, encode, report.

The order is fixed, so that a short script can repeat it: rows with missing cells are dropped (where the recipe says
so), the rest are split, statistics are fitted on the whole training part, and `data.limit` then keeps a choice of
its rows (so that a limited run has the same inputs, widths and scales as a full one).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from engine.data import features, images, split, target
from engine.data.errors import DataError as DataError
from engine.data.gather import PARTS, Gathered, gather
from engine.data.gather import silent as silent
from engine.data.pixels.read import Progress as Progress
from engine.data.prepared import Fitted, Part, Prepared, Scaling
from engine.data.report import report
from engine.data.samples import Samples, pick
from engine.recipe.schema import Data, Recipe


def prepare(recipe: Recipe, base: Path, progress: Progress | None = None) -> Prepared:
    """Read and prepare the data of a recipe; relative paths are relative to `base`. Raises DataError."""
    tell = progress or silent
    tell("loading", 0, None)
    return finish(recipe, gather(recipe.data, recipe.task, base, tell), tell)


def finish(recipe: Recipe, gathered: Gathered, tell: Progress) -> Prepared:
    """Fit, encode and describe rows that are read and shared out. Raises DataError."""
    data = recipe.data
    tell("encoding", 0, None)
    source, train = gathered.parts["train"]
    goal = target.fit_scale(gathered.goal, source.targets, train, data.target_scale)
    fits: list[features.Fit] = []
    if source.x is None:
        # Rows that are viewed as images are scaled by channel, as they are fed.
        normalize = data.normalize if len(data.reshape or ()) < 2 else "none"
        fits = features.fit(source.columns, gathered.roles.features, train, data.missing, normalize)
    parts = _encode(gathered, data, goal, fits)
    shape = tuple(int(length) for length in parts["train"].x.shape[1:])
    counts = images.counts_of(parts["train"].x) if len(shape) > 1 else None
    scaling = images.fit(parts["train"].x, data.normalize, counts) if len(shape) > 1 else None
    if data.limit is not None:
        codes = None if gathered.codes is None else gathered.codes[train]
        kept = split.limited(codes, len(train), data.limit, data.split.seed)
        full = parts["train"]
        parts["train"] = Part(pick(full.x, kept), full.y[kept], full.rows[kept])
    state = _state(gathered, data, goal, fits, shape, scaling)
    tell("describing", 0, None)
    facts = report(recipe, gathered, goal, parts, shape, split_sha256(parts), counts)
    test = parts.get("test")
    return Prepared(
        parts["train"],
        parts["validation"],
        test if test is not None and len(test.rows) else None,
        facts,
        Fitted(state),
        scaling,
    )


def _encode(gathered: Gathered, data: Data, goal: dict[str, Any], fits: list[features.Fit]) -> dict[str, Part]:
    """Every part as arrays."""
    if len(data.reshape or ()) > 1 and any(item["type"] == "category" for item in fits):
        raise DataError("rows with categories cannot be viewed as images", "use number columns alone", "data.reshape")
    parts = {}
    for name, (source, rows) in gathered.parts.items():
        y = target.encode(goal, [column.take(rows) for column in source.targets], source.where, source.path)
        if source.x is not None:
            x: Samples = images.raw(pick(source.x, rows))
        else:
            x = features.encode([column.take(rows) for column in source.columns], fits)
            x = images.view(x, data.reshape)
        parts[name] = Part(x, y, source.rows[rows])
    return parts


def _state(
    gathered: Gathered,
    data: Data,
    goal: dict[str, Any],
    fits: list[features.Fit],
    shape: tuple[int, ...],
    scaling: Scaling | None,
) -> dict[str, Any]:
    """What new rows go through: plain JSON, floats by their shortest form, so that a round trip changes no bit."""
    return {
        "version": 1,
        "task": goal["task"],
        "shape": list(shape),
        "outputs": goal["outputs"],
        "missing": data.missing,
        "reshape": data.reshape,
        "bytes": gathered.is_bytes,
        "pictures": gathered.pictures,
        "image": _image(gathered),
        "array_names": gathered.main.names,
        "array_keys": gathered.array_keys,
        "features": fits,
        "target": goal,
        "scaling": scaling and {"scale": scaling.scale, "mean": list(scaling.mean), "std": list(scaling.std)},
    }


def _image(gathered: Gathered) -> dict[str, Any] | None:
    """How image files become samples."""
    size = gathered.size
    if size is None:
        return None
    column = None if gathered.main.listed is not None else gathered.roles.image
    return {"column": column, "height": size.height, "width": size.width, "channels": size.channels}


def split_sha256(parts: dict[str, Part]) -> str:
    """Fingerprint of the split: sha256 over each part's name and row numbers (int64, little-endian)."""
    digest = hashlib.sha256()
    for name in PARTS:
        digest.update(name.encode())
        if name in parts:
            digest.update(parts[name].rows.astype("<i8").tobytes())
    return digest.hexdigest()
