"""Printed charts: their own size, one figure each, ASCII where need be."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.charts.static import Line, line_chart, thin, whole_ticks

X = [float(i) for i in range(1, 41)]


def curve(scale: float) -> list[float]:
    return [scale * math.exp(-x / 10) for x in X]


@pytest.mark.parametrize(("width", "height"), [(40, 10), (80, 16), (200, 60)])
def test_it_has_the_size_that_was_asked_for(width: int, height: int) -> None:
    text = line_chart([Line("train_loss", X, curve(1)), Line("val_loss", X, curve(2))], width, height, colour=False)
    lines = text.split("\n")
    assert len(lines) == height and max(map(len, lines)) == width
    assert "train_loss" in lines[0] and "val_loss" in lines[0]


def test_without_colour_and_unicode_it_is_plain_ascii() -> None:
    text = line_chart([Line("a", X, curve(1)), Line("b", X, curve(2))], 60, 12, colour=False, unicode=False)
    assert text.isascii() and "\x1b" not in text


def test_lines_differ_without_colour() -> None:
    text = line_chart([Line("a", X, curve(1)), Line("b", X, curve(2))], 60, 12, colour=False)
    assert "x" in text.split("\n", 1)[1], "the second line has marks of its own"


def test_values_that_are_not_finite_leave_a_gap_or_nothing() -> None:
    assert line_chart([Line("a", X, [math.nan] * 40)], 60, 12) == ""
    assert line_chart([Line("a", [], [])], 60, 12) == ""
    line_chart([Line("a", X, [math.inf, *curve(1)[1:-1], -math.inf])], 60, 12)
    line_chart([Line("a", [1.0], [2.0])], 60, 12)
    line_chart([Line("a", X, [0.5] * 40)], 60, 12)


def test_two_threads_never_share_a_figure() -> None:
    def draw(scale: float) -> str:
        return line_chart([Line("a", X, curve(scale))], 60, 12, colour=False)

    alone = {scale: draw(scale) for scale in (1.0, 1000.0)}
    with ThreadPoolExecutor(2) as pool:
        assert all(
            text == alone[scale]
            for scale, text in zip([1.0, 1000.0] * 20, pool.map(draw, [1.0, 1000.0] * 20), strict=True)
        )


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3000), st.integers(1, 200))
def test_thinning_keeps_the_extremes_and_the_order(values: list[float], columns: int) -> None:
    points = [(float(i), value) for i, value in enumerate(values)]
    kept = thin(points, columns)
    assert len(kept) <= 2 * columns
    assert kept == sorted(kept) and set(kept) <= set(points)
    assert {min(values), max(values)} <= {value for _, value in kept}


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_ticks_are_whole_and_span(low: int, high: int) -> None:
    low, high = sorted((low, high))
    ticks = whole_ticks([float(low), float(high)])
    assert ticks[0] == low and ticks[-1] == high and len(ticks) <= 6
