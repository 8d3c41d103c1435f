"""Images, and rows viewed as images: kept raw, scaled by channel as they are fed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data.column import HUGE
from engine.data.errors import DataError
from engine.data.features import check_given
from engine.data.prepared import Scaling
from engine.data.samples import Mapped, Samples, steps

Array = npt.NDArray[Any]


def view(x: Array, reshape: list[int] | None) -> Array:
    """`x` with every sample in the shape that the recipe asks for. Raises DataError where the sizes differ."""
    if not reshape:
        return x
    size = math.prod(x.shape[1:])
    if any(length < 1 for length in reshape) or math.prod(reshape) != size:
        raise DataError(
            f"{size} values a row cannot be viewed as {' x '.join(map(str, reshape))} = {math.prod(reshape)}",
            "the lengths must multiply to the values of a row",
            "data.reshape",
        )
    return x.reshape(len(x), *reshape)


def raw(x: Samples) -> Samples:
    """Bytes stay bytes; other numbers become float32. Raises DataError for numbers that are too large for it."""
    if isinstance(x, Mapped):
        return x
    if x.dtype == np.uint8:
        return np.ascontiguousarray(x)
    if x.size and max(abs(float(x.max())), abs(float(x.min()))) > HUGE:
        raise DataError(f"images hold values beyond {HUGE:g}", "scale them to [0, 1]", "data.source")
    return np.ascontiguousarray(x.astype(np.float32))


def fit(x: Samples, normalize: Any, counts: Array | None) -> Scaling:
    """Scale, and mean and std by channel (axis 1) over the training images, in units after the scale.

    Bytes are counted (`counts_of`), so that their sums are exact; floats are averaged in float64. The network sees
    floats as if they had no scale: what `unit_scale` divides them by, the std holds again.
    """
    channels = x.shape[1]
    if isinstance(normalize, str) and counts is not None:
        shifts, scales = zip(*(shift_scale_of(each, normalize) for each in counts), strict=True)
    elif isinstance(normalize, str):
        x = np.asarray(x)
        shifts, scales = zip(*(_channel(x[:, channel], normalize) for channel in range(channels)), strict=True)
    else:
        check_given(normalize, channels, "channel")
        shifts, scales = normalize.mean, normalize.std
    if x.dtype == np.uint8:
        return Scaling(1 / 255, tuple(map(float, shifts)), tuple(map(float, scales)))
    scale = unit_scale(np.asarray(x))
    return Scaling(scale, tuple(scale * shift for shift in shifts), tuple(scale * each for each in scales))


def unit_scale(x: Array) -> float:
    """What brings float images to values of at most 1 for augmentation: 1 / largest size, and 1 for those that are."""
    return 1 / max(1.0, float(x.max()), -float(x.min()))


def counts_of(x: Samples) -> Array | None:
    """`byte_counts` of all samples, in one pass over them; None where they are no bytes."""
    if x.dtype != np.uint8:
        return None
    counts: Array = np.sum([byte_counts(x[step]) for step in steps(x)], axis=0)
    return counts


def byte_counts(x: Array) -> Array:
    """(channels, 256): how often each value stands in each channel."""
    planes = np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)
    return np.stack([np.bincount(plane, minlength=256) for plane in planes])


def shift_scale_of(counts: Array, normalize: str) -> tuple[float, float]:
    """What is subtracted from a channel in [0, 1] and what divides it, by how often each of the 256 values is there."""
    if normalize == "none":
        return 0.0, 1.0
    times = counts.tolist()
    there = [value for value in range(256) if times[value]]
    if normalize == "minmax":
        return there[0] / 255, ((there[-1] - there[0]) or 255) / 255
    n = sum(times)
    first = sum(value * times[value] for value in there)
    second = sum(value * value * times[value] for value in there)
    return first / n / 255, (math.sqrt(n * second - first * first) / n / 255) or 1.0


def _channel(x: Array, normalize: str) -> tuple[float, float]:
    if normalize == "none":
        return 0.0, 1.0
    low, high = float(x.min()), float(x.max())
    if normalize == "minmax" or low == high:
        return low, (high - low) or 1.0
    return float(x.mean(dtype=np.float64)), float(x.std(dtype=np.float64)) or 1.0
