"""Scales: limits that stay put, ticks that are round numbers, and values that fit in five cells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_STEPS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_TICKS = (1.0, 2.0, 5.0, 10.0)
_FEW = 12
"""With fewer values than this none is called an outlier."""


@dataclass(frozen=True)
class Scale:
    """A range of values on an axis."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value stands: 0 at `low`, 1 at `high`; outside of that beyond the ends; NaN for NaN."""
        if self.log:
            if not value > 0:
                return math.nan if math.isnan(value) else -1.0
            low, high = math.log10(self.low), math.log10(self.high)
            return (math.log10(value) - low) / (high - low) if math.isfinite(value) else math.inf
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int) -> list[float]:
        """At most `most` round values within the range, ascending."""
        return _log_ticks(self, most) if self.log else _even_ticks(self.low, self.high, most)


def fit(
    values: Iterable[float],
    *,
    log: bool = False,
    keep: Sequence[float] = (),
    first: Sequence[float] = (),
    now: Scale | None = None,
) -> Scale:
    """A scale for values. `keep` are values that must be on it; `now` is the present scale.

    The present scale is kept until something leaves it, then it only grows. Single values farther from the middle
    nine tenths of all than those are wide do not count: they would flatten the rest. The `first` value of a line
    may be ten times as far: a curve that falls steeply at its start is no outlier.
    """
    found = sorted(v for v in values if _drawable(v, log))
    low, high = _fences(found, log, 1.0)
    inner = [v for v in found if low <= v <= high] + [v for v in keep if _drawable(v, log)]
    low, high = _fences(found, log, 10.0)
    inner += [v for v in first if _drawable(v, log) and low <= v <= high]
    if not inner:
        return now if now is not None and now.log == log else Scale(0.1 if log else 0.0, 1.0, log)
    low, high = min(inner), max(inner)
    if now is not None and now.log == log:
        if now.low <= low and high <= now.high:
            return now
        low, high = min(low, now.low), max(high, now.high)
        return Scale(
            now.low if low == now.low else _limits(low, high, log)[0],
            now.high if high == now.high else _limits(low, high, log)[1],
            log,
        )
    return Scale(*_limits(low, high, log), log)


def _drawable(value: float, log: bool) -> bool:
    return -1e300 < value < 1e300 and (value > 1e-300 or not log)


def _fences(values: list[float], log: bool, reach: float) -> tuple[float, float]:
    """Outside of these a value is an outlier. `values` ascend."""
    if len(values) < _FEW:
        return -math.inf, math.inf
    low, high = values[len(values) // 20], values[-1 - len(values) // 20]
    if log:
        decades = reach * (math.log10(high) - math.log10(low)) if high > low else 1.0
        return 10.0 ** max(-300.0, math.log10(low) - decades), 10.0 ** min(300.0, math.log10(high) + decades)
    width = reach * (high - low) if high > low else abs(high) or 1.0
    return low - width, high + width


def _limits(low: float, high: float, log: bool) -> tuple[float, float]:
    if log:
        down, up = _below(low), _above(high)
        return (down, up) if up / down >= 9.99 else (down / 2, max(up, down * 5))
    if low >= 0 and low <= high / 2:
        return 0.0, 1.0 if 0.5 < high <= 1.0 else _above(max(1e-290, high * 1.05)) if high > 0 else 1.0
    # Not so narrow that the limits would be one number.
    span = (high - low) or abs(high) or 1.0
    span = max(span, 1e-9 * max(abs(low), abs(high)), 1e-290)
    step = _round_step(span / 4)
    down = math.floor((low - 0.05 * span) / step) * step
    up = math.ceil((high + 0.05 * span) / step) * step
    if high <= 1.0 and low >= 0:
        up = min(up, 1.0)
    return down, up


def _above(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next((s * power for s in _STEPS if s * power >= value * (1 - 1e-9)), 10 * power)


def _below(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next((s * power for s in (5.0, 2.0, 1.0) if s * power <= value * (1 + 1e-9)), power)


def _round_step(size: float) -> float:
    power = 10.0 ** math.floor(math.log10(size))
    return next((s * power for s in _TICKS if s * power >= size * (1 - 1e-9)), 10 * power)


def _even_ticks(low: float, high: float, most: int) -> list[float]:
    if most < 1 or not high > low:
        return []
    step = _round_step((high - low) / max(1, most))
    while True:
        first = math.ceil(low / step - 1e-9)
        count = math.floor(high / step + 1e-9) - first + 1
        if count <= most or count <= 1:
            return [round((first + i) * step, 12) if step >= 1e-9 else (first + i) * step for i in range(count)]
        step = _round_step(step * 1.01)


def _log_ticks(scale: Scale, most: int) -> list[float]:
    first = math.floor(math.log10(scale.low) + 1e-9)
    last = math.ceil(math.log10(scale.high) - 1e-9)
    for within in ((1.0, 2.0, 5.0), (1.0,)):
        found = [m * 10.0**power for power in range(first, last + 1) for m in within]
        found = [v for v in found if scale.low * (1 - 1e-9) <= v <= scale.high * (1 + 1e-9)]
        if len(found) <= most:
            return found
    every = math.ceil(len(found) / max(1, most))
    return found[::every]


def number(value: float) -> str:
    """A value in at most 6 cells: 0.125, 12.5k, 3e-4."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    size = abs(value)
    if size == 0:
        return "0"
    if size < 1e-3 or size >= 1e9:
        mantissa, _, power = f"{value:.1e}".partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(power)}"
    for limit, suffix in ((1e6, "M"), (1e3, "k")):
        if size >= limit:
            return f"{_digits(value / limit)}{suffix}"
    return _digits(value)


def _digits(value: float) -> str:
    size = abs(value)
    places = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
