"""Braille by numpy: lines over dot columns become a boolean raster, and the raster becomes text.

A cell holds 2 x 4 dots, so a plot of W x H cells is a raster of shape (4 H, 2 W), row 0 at the top.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Raster = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

# The bit of each dot in the code point, by (row, column) within a cell.
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint16)


def spans(top: Floats, bottom: Floats, height: int) -> Raster:
    """Raster (height, columns) with the rows top..bottom of every column set; NaN leaves a column empty."""
    rows = np.arange(height, dtype=np.float64)[:, None]
    with np.errstate(invalid="ignore"):
        found: Raster = (rows >= np.floor(top + 0.5)) & (rows <= np.floor(bottom + 0.5))
    return found


def line(columns: npt.NDArray[np.int64], rows: Floats, width: int, height: int) -> Raster:
    """Raster (height, width) of the line through points at ascending dot columns; a NaN row breaks the line.

    Rows outside of 0..height-1 run along the edge.
    """
    top = np.full(width, np.nan)
    bottom = np.full(width, np.nan)
    breaks = np.flatnonzero(~np.isfinite(rows))
    for part in np.split(np.arange(len(rows)), breaks):
        part = part[np.isfinite(rows[part])]
        if not len(part):
            continue
        first, last = int(columns[part[0]]), int(columns[part[-1]])
        at = np.arange(first, last + 1)
        path = np.clip(np.interp(at, columns[part], rows[part]), 0, height - 1)
        # Each column also reaches half way to its neighbours, so that steep lines have no holes.
        before = np.concatenate([path[:1], (path[1:] + path[:-1]) / 2])
        after = np.concatenate([(path[1:] + path[:-1]) / 2, path[-1:]])
        top[at] = np.minimum(path, np.minimum(before, after))
        bottom[at] = np.maximum(path, np.maximum(before, after))
    return spans(top, bottom, height)


def between(columns: npt.NDArray[np.int64], top: Floats, bottom: Floats, width: int, height: int) -> Raster:
    """Raster (height, width) of the area between two lines through points at ascending dot columns."""
    finite = np.isfinite(top) & np.isfinite(bottom)
    upper, lower = np.full(width, np.nan), np.full(width, np.nan)
    if finite.any():
        columns, top, bottom = columns[finite], top[finite], bottom[finite]
        at = np.arange(int(columns[0]), int(columns[-1]) + 1)
        upper[at] = np.clip(np.interp(at, columns, top), 0, height - 1)
        lower[at] = np.clip(np.interp(at, columns, bottom), 0, height - 1)
    return spans(upper, lower, height)


def dither(raster: Raster) -> Raster:
    """One dot in four: a shade that a line stands out from."""
    height, width = raster.shape
    row, column = np.arange(height)[:, None], np.arange(width)[None, :]
    found: Raster = raster & (row % 2 == 0) & ((row // 2 + column) % 2 == 0)
    return found


def cells(raster: Raster) -> npt.NDArray[np.uint16]:
    """The bits of every cell: (4 H, 2 W) dots to (H, W) numbers below 256."""
    height, width = raster.shape
    blocks = raster.reshape(height // 4, 4, width // 2, 2).astype(np.uint16)
    found: npt.NDArray[np.uint16] = (blocks * _BITS[None, :, None, :]).sum(axis=(1, 3)).astype(np.uint16)
    return found


def text(bits: npt.NDArray[np.uint16]) -> list[str]:
    """One string a row; a cell without dots is a blank, which costs one byte where empty braille costs three."""
    codes = np.where(bits > 0, bits + 0x2800, 0x20).astype("<u2")
    return [row.tobytes().decode("utf-16-le") for row in codes]
