"""Data for the measurements, made on the spot: one NPZ file a work, read alike by every contender."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.works import Work

Array = npt.NDArray[Any]


def make(work: Work, folder: Path) -> Path:
    """The file with `x_train, y_train, x_val, y_val` of a work; made once."""
    path = folder / f"{work.data}-{work.rows}-{work.validation}.npz"
    if not path.exists():
        total = work.rows + work.validation
        x, y = {"tabular": tabular, "images": images, "breast_cancer": builtin, "digits": builtin}[work.data](
            work, total
        )
        n = work.rows
        np.savez(path, x_train=x[:n], y_train=y[:n], x_val=x[n:], y_val=y[n:])
    return path


def tabular(work: Work, rows: int) -> tuple[Array, Array]:
    """Standard normal features; the class is the sign of a random network's answer plus noise."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((rows, *work.shape)).astype(np.float32)
    first = rng.standard_normal((work.shape[0], 12)) / work.shape[0] ** 0.5
    score = np.maximum(x @ first, 0) @ rng.standard_normal(12)
    score += 0.1 * score.std() * rng.standard_normal(rows)
    return x, (score > np.median(score)).astype(np.int64)


def images(work: Work, rows: int) -> tuple[Array, Array]:
    """Grey images (N, H, W) uint8: a smooth pattern for each class, moved by up to two pixels, under strong noise."""
    rng = np.random.default_rng(2)
    height, width = work.shape
    coarse = rng.standard_normal((work.classes, 9, 9))
    across = np.linspace(0, 7.999, height + 4), np.linspace(0, 7.999, width + 4)
    patterns = _smooth(coarse, *across)
    y = rng.integers(0, work.classes, rows)
    x = np.empty((rows, height, width), np.uint8)
    for start in range(0, rows, 4096):
        here = slice(start, min(start + 4096, rows))
        top, left = rng.integers(0, 5, (2, here.stop - start))
        lines, columns = top[:, None] + np.arange(height), left[:, None] + np.arange(width)
        clean = patterns[y[here][:, None, None], lines[:, :, None], columns[:, None, :]]
        noisy = clean + 1.2 * rng.standard_normal(clean.shape)
        x[here] = np.clip(128 + 32 * noisy, 0, 255)
    return x, y.astype(np.int64)


def _smooth(coarse: Array, rows: Array, columns: Array) -> Array:
    """Bilinear interpolation of (K, h, w) at `rows` by `columns`."""
    i, j = rows.astype(int), columns.astype(int)
    u, v = (rows - i)[:, None], (columns - j)[None, :]
    a, b = coarse[:, i][:, :, j], coarse[:, i][:, :, j + 1]
    c, d = coarse[:, i + 1][:, :, j], coarse[:, i + 1][:, :, j + 1]
    smooth: Array = (1 - u) * ((1 - v) * a + v * b) + u * ((1 - v) * c + v * d)
    return smooth


def builtin(work: Work, rows: int) -> tuple[Array, Array]:
    """A bundled data set, shuffled, standardised by its training rows."""
    from engine.data.prepare import prepare
    from engine.train.session import read_recipe

    source = f"{{type: Builtin, name: {work.data}}}"
    lines = [
        "task: classification",
        f"data: {{source: {source}, split: {{validation: 0.2, test: 0}}, normalize: standard}}",
        "model: {layers: [{type: Linear, out_features: outputs}]}",
        "optimizer: Adam",
    ]
    prepared = prepare(read_recipe("\n".join(lines)), Path.cwd())
    parts = prepared.train, prepared.validation
    x = np.concatenate([part.x for part in parts]).astype(np.float32)
    y = np.concatenate([part.y for part in parts]).astype(np.int64)
    assert len(x) >= rows and prepared.facts.shape == work.shape, (len(x), prepared.facts.shape)
    return x[:rows], y[:rows]


def read(path: Path) -> dict[str, Array]:
    """The four arrays."""
    with np.load(path) as file:
        return dict(file)
