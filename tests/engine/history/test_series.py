from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.history.series import Series

values = st.floats(-1e6, 1e6) | st.just(math.nan) | st.just(math.inf)
curves = st.lists(values, max_size=200)


def filled(numbers: list[float], *, by: int = 1) -> Series:
    series = Series("loss")
    for start in range(0, len(numbers), by):
        part = numbers[start : start + by]
        points = [(start + i + 1.0, (start + i + 1) / 10, 0.5 * (start + i)) for i in range(len(part))]
        series.extend(points, [(v, v, v, 1.0) for v in part])
    return series


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y, equal_nan=True) for x, y in zip(a, b, strict=True))


def close(a: Any, b: Any) -> bool:
    return all(np.allclose(x, y, equal_nan=True) for x, y in zip(a, b, strict=True))


@given(curves, st.integers(1, 17), st.integers(1, 60))
def test_points_may_come_one_by_one_or_many_at_a_time(numbers: list[float], by: int, columns: int) -> None:
    assert close(filled(numbers).window(columns=columns), filled(numbers, by=by).window(columns=columns))


@given(curves, st.integers(1, 60), st.floats(-5, 210), st.floats(-5, 210))
def test_bins_hold_what_a_plain_count_finds(numbers: list[float], columns: int, a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    bins = filled(numbers).window(low, high, columns)
    steps = np.arange(1, len(numbers) + 1)
    inside = [i for i in range(len(numbers)) if low <= steps[i] <= high]
    assert len(bins.x) <= 2 * max(columns, 1)
    assert (np.diff(bins.x) > 0).all()
    if not inside:
        return
    first, last = max(0, inside[0] - 1), min(len(numbers) - 1, inside[-1] + 1)
    size = 1
    while last // size - first // size + 1 > 2 * columns:
        size *= 2
    covered: list[int] = []
    for i, end in enumerate(int(x) for x in bins.x):
        start = (end - 1) // size * size
        part = numbers[start:end]
        covered += range(start, end)
        plain = [v for v in part if not math.isnan(v)]
        finite = [v for v in part if math.isfinite(v)]
        assert np.array_equal(bins.low[i], min(plain, default=math.nan), equal_nan=True)
        assert np.array_equal(bins.high[i], max(plain, default=math.nan), equal_nan=True)
        if finite:
            assert bins.mean[i] == pytest.approx(sum(finite) / len(finite), abs=1e-6)
        else:
            assert math.isnan(bins.mean[i])
    assert set(inside) <= set(covered)


@given(st.integers(1, 3000), st.integers(1, 300), st.integers(4, 40))
def test_full_bins_stay_as_they_are_while_the_curve_grows(count: int, more: int, columns: int) -> None:
    numbers = [math.sin(i) for i in range(count + more)]
    before = filled(numbers[:count], by=500).window(columns=columns)
    after = filled(numbers, by=500).window(columns=columns)
    if len(before.x) < 3 or len(after.x) < 3 or before.x[1] - before.x[0] != after.x[1] - after.x[0]:
        return
    full = len(before.x) - 1
    assert same([part[:full] for part in before], [part[:full] for part in after])


@given(curves, st.integers(0, 210), curves)
def test_truncating_is_as_if_the_rest_had_never_been(first: list[float], keep: int, then: list[float]) -> None:
    series = filled(first)
    series.truncate(keep)
    kept = first[:keep]
    assert len(series) == len(kept)
    for i, value in enumerate(then):
        at = len(kept) + i
        series.append(at + 1.0, (at + 1) / 10, 0.5 * at, value)
    for columns in (1, 7, 300):
        assert close(series.window(columns=columns), filled(kept + then).window(columns=columns))


def test_a_fold_of_several_steps_keeps_its_extremes_and_its_weight() -> None:
    series = Series("loss")
    series.extend([(10, 1, 1), (20, 2, 2)], [(0.0, 9.0, 2.0, 10), (1.0, 3.0, 1.0, 30)])
    bins = series.window(columns=1)
    assert (list(bins.low), list(bins.high), list(bins.mean)) == ([0, 1], [9, 3], [2, 1])
    for _ in range(2):
        series.append(30, 3, 3, 5)
    bins = series.window(columns=1)
    assert (bins.low[0], bins.high[0], bins.mean[0]) == (0, 9, (2 * 10 + 1 * 30) / 40)


def test_axes_and_lookups() -> None:
    series = filled([5, 6, 7])
    assert list(series.window(x="epoch", columns=9).x) == [0.1, 0.2, 0.3]
    assert list(series.window(x="time", columns=9).x) == [0, 0.5, 1]
    assert list(series.window(2.5, 2.6, columns=9).x) == [2, 3]  # a neighbour on either side
    assert series.span() == (1, 3) and series.span("time") == (0, 1)
    assert series.at(2.2) == (2, 6) and series.at(-9) == (1, 5) and series.at(99) == (3, 7)
    assert series.last() == 7


def test_an_empty_curve() -> None:
    series = Series("loss")
    assert len(series.window().x) == 0 and series.span() is None and series.at(1) is None and series.last() is None
    series.truncate(5)
    series.extend([], [])
    assert len(series) == 0


def test_drawing_a_long_curve_reads_as_little_as_a_short_one() -> None:
    n = 100_000
    steps = np.arange(1.0, n + 1)
    series = Series("loss")
    series.extend(list(zip(steps, steps, steps, strict=True)), [(v, v, v, 1.0) for v in steps])
    for low, high in ((None, None), (1.0, 50_000.0), (99_000.0, 1e9)):
        bins = series.window(low, high, columns=80)
        assert 80 <= len(bins.x) <= 160
    assert bins.high[-1] == n
