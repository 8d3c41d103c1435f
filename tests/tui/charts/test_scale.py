"""Scales: limits that hold what they must, stay put, and carry round ticks."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.charts.scale import Scale, fit, number

values = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=11)


@given(values, st.booleans())
def test_few_values_are_all_on_the_scale(found: list[float], log: bool) -> None:
    scale = fit(found, log=log)
    assert scale.low < scale.high
    assert all(-1e-9 <= scale.share(v) <= 1 + 1e-9 for v in found)


@given(values, values, st.booleans())
def test_limits_only_move_outwards(first: list[float], more: list[float], log: bool) -> None:
    one = fit(first, log=log)
    two = fit(first + more, log=log, now=one)
    assert two.low <= one.low and two.high >= one.high
    assert fit(first, log=log, now=two) == two


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 20))
def test_ticks_are_few_ascending_and_inside(low: float, span: float, most: int) -> None:
    ticks = Scale(low, low + span).ticks(most)
    assert len(ticks) <= most and ticks == sorted(ticks)
    assert all(low - 1e-6 * span <= t <= low + span * (1 + 1e-6) for t in ticks)


@given(st.integers(-8, 5), st.integers(1, 9), st.integers(2, 20))
def test_log_ticks_are_powers(low: int, decades: int, most: int) -> None:
    ticks = Scale(10.0**low, 10.0 ** (low + decades), log=True).ticks(most)
    assert 1 <= len(ticks) <= max(most, 1)
    assert all(f"{t:e}"[0] in "125" for t in ticks)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_fits_its_label(value: float) -> None:
    assert len(number(value)) <= 9
    if 1e-3 <= abs(value) < 1e9:
        assert len(number(value).lstrip("-")) <= 5


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.125, "0.125"), (12_500, "12.5k"), (3e-4, "3e-4"), (1.5e-5, "1.5e-5"), (2.30258, "2.3"), (40, "40")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_numbers_that_are_none() -> None:
    assert [number(v) for v in (math.nan, math.inf, -math.inf)] == ["nan", "inf", "-inf"]


def test_a_steep_start_is_no_outlier_but_a_late_spike_is() -> None:
    falling = [2.3, 1.0] + [0.1] * 100
    assert fit(falling + [0.3] * 30, first=falling[:1]).high >= 2.3
    assert fit([0.1 + i / 1000 for i in range(100)] + [50.0]).high < 1.0


def test_no_values_at_all() -> None:
    assert fit([]) == Scale(0.0, 1.0)
    assert fit([math.nan, math.inf, -1.0], log=True) == Scale(0.1, 1.0, True)
