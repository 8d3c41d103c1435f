"""What each sample draws in an epoch: a pure function of (seed, epoch, augmentation, position of the sample).

A counter-based generator (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011) needs no state and no
order: the draws of a few samples are found as those of all are, so a set of any size needs no room for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def mixed(bits: Array) -> Array:
    """uint64, well mixed: splitmix64 (Steele et al., Fast splittable pseudorandom number generators, 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: Array = bits ^ (bits >> np.uint64(31))
    return result


def keys_of(seed: int, epoch: int, number: int, rows: Array) -> Array:
    """uint64 (n,): the key that all draws of the samples `rows` (n,) in augmentation `number` come from."""
    start = np.random.SeedSequence([seed, epoch, number, 1]).generate_state(1, np.uint64)
    return mixed(start + (rows.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))


def bits_of(keys: Array, draw: int) -> Array:
    """uint64 (n,): draw number `draw` of each key."""
    return mixed(keys + np.uint64((draw + 1) * 0x9E3779B97F4A7C15 % 2**64))


def unit(keys: Array, draw: int) -> Array:
    """float64 (n,): that draw as a number in [0, 1)."""
    return (bits_of(keys, draw) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def whole(keys: Array, draw: int, count: int | Array) -> Array:
    """int64 (n,): that draw as a whole number below `count`, all alike."""
    return (unit(keys, draw) * count).astype(np.int64)


def boxes_of(
    keys: Array,
    first: int,
    height: int,
    width: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    most: tuple[int, int],
) -> Array:
    """int64 (n, 4): top, left, height and width of a random rectangle; zeros where none fitted.

    The area is drawn evenly from `scale` shares of the image, the logarithm of height / width evenly from that of
    `ratio`, ten times at most until a rectangle is at most `most` high and wide. Draws from number `first` on.
    """
    boxes = np.zeros((len(keys), 4), np.int64)
    left = np.arange(len(keys))
    for attempt in range(10):
        chosen = keys[left]
        area = height * width * (scale[0] + (scale[1] - scale[0]) * unit(chosen, first + 4 * attempt))
        low, high = np.log(ratio[0]), np.log(ratio[1])
        shape = np.exp(low + (high - low) * unit(chosen, first + 4 * attempt + 1))
        h, w = np.rint(np.sqrt(area * shape)).astype(np.int64), np.rint(np.sqrt(area / shape)).astype(np.int64)
        top = whole(chosen, first + 4 * attempt + 2, height - h + 1)
        side = whole(chosen, first + 4 * attempt + 3, width - w + 1)
        fits = (h > 0) & (w > 0) & (h <= most[0]) & (w <= most[1])
        boxes[left[fits]] = np.stack([top, side, h, w], axis=-1)[fits]
        left = left[~fits]
        if not len(left):
            break
    return boxes


def crops_of(keys: Array, height: int, width: int, scale: tuple[float, float], ratio: tuple[float, float]) -> Array:
    """int64 (n, 4): top, left, height and width of a random piece; `ratio` is of width / height. Where none fitted,
    the largest piece in the middle that keeps to `ratio`."""
    boxes = boxes_of(keys, 0, height, width, scale, (1 / ratio[1], 1 / ratio[0]), (height, width))
    h, w = height, width
    if width / height < ratio[0]:
        h = min(height, max(1, round(width / ratio[0])))
    elif width / height > ratio[1]:
        w = min(width, max(1, round(height * ratio[1])))
    middle = np.array([(height - h) // 2, (width - w) // 2, h, w])
    return np.where(boxes[:, 2:3] > 0, boxes, middle)


def erasures_of(
    keys: Array, height: int, width: int, p: float, scale: tuple[float, float], ratio: tuple[float, float]
) -> Array:
    """int64 (n, 5): top, left, height and width of what is painted over, zeros for a share 1 - p of the samples; and a
    key of random values."""
    boxes = boxes_of(keys, 2, height, width, scale, ratio, (height - 1, width - 1))
    boxes *= (unit(keys, 0) < p).reshape(-1, 1)
    return np.concatenate([boxes, bits_of(keys, 1).view(np.int64).reshape(-1, 1)], axis=1)


def factors_of(keys: Array, brightness: float, contrast: float, saturation: float, hue: float) -> Array:
    """float32 (n, 4): factors of brightness, contrast and saturation at most so far from 1, and a turn of the hue."""
    columns = []
    for draw, reach in enumerate((brightness, contrast, saturation)):
        low = max(0.0, 1.0 - reach)
        columns.append(low + (1.0 + reach - low) * unit(keys, draw))
    columns.append((2.0 * unit(keys, 3) - 1.0) * hue)
    return np.stack(columns, axis=-1).astype(np.float32)
