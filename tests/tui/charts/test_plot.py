"""The drawing of charts: golden pictures, and values in the right cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tui.charts.grid import Grid
from tui.charts.picture import GUTTER, Level, Mark, Picture, Trace, Window
from tui.charts.plot import CHROME, draw
from tui.charts.scale import Scale


def points(xs: Sequence[float], ys: Sequence[float], spread: float = 0.0) -> Window:
    x, y = np.array(xs, float), np.array(ys, float)

    def window(low: float, high: float, columns: int) -> tuple[Any, Any, Any, Any]:
        return x, y * (1 - spread), y * (1 + spread), y

    return window


def training(epochs: float = 33, spike: float = 0.0, **changes: Any) -> Picture:
    steps = np.arange(1, int(45 * epochs) + 1) / 45
    loss = 2.3 * np.exp(-steps / 6) + 0.05 + 0.01 * np.sin(steps * 40)
    if spike:
        loss[700] = spike
    ends = np.arange(1, int(epochs) + 1)
    validation = 2.2 * np.exp(-ends / 6) + 0.15 + 0.004 * ends
    values: dict[str, Any] = {
        "title": "loss",
        "traces": [
            Trace("train", "chart--train", points(list(steps), list(loss), 0.05), band=True),
            Trace("val", "chart--validation", points(list(ends), list(validation)), marker="●"),
        ],
        "high": 40.0,
        "levels": [Level(2.303, "always guessing the average")],
        "marks": [Mark(8, "▲", "lr 1e-3→3e-4 at 8"), Mark(10, "▪")],
        "best": (19.0, float(validation[18]), "19") if epochs >= 19 else None,
    }
    return Picture(**(values | changes))


def drawn(picture: Picture, width: int = 80, height: int = 18, scale: Scale | None = None) -> Grid:
    grid = Grid(width, height)
    draw(picture, grid, scale)
    return grid


@pytest.mark.parametrize(
    ("name", "picture", "width", "height"),
    [
        ("run", training(), 80, 18),
        ("run_log", training(log=True), 80, 18),
        ("run_small", training(), 52, 9),
        ("run_smallest", training(), 20, 5),
        ("spike", training(spike=600.0), 80, 14),
        ("first_epoch", training(epochs=1, high=5.0, best=None), 60, 12),
        ("empty", Picture("loss", [], 0, 40), 60, 10),
    ],
)
def test_pictures(golden: Callable[[str, str], None], name: str, picture: Picture, width: int, height: int) -> None:
    golden(name, drawn(picture, width, height).plain())


@settings(max_examples=40, deadline=None)
@given(st.integers(20, 200), st.integers(5, 60), st.booleans(), st.booleans())
def test_every_size_is_filled_and_nothing_runs_over(width: int, height: int, log: bool, cursor: bool) -> None:
    grid = Grid(width, height)
    draw(training(log=log), grid, cursor=min(3, width - GUTTER - 1) if cursor else None)
    assert all(len(row) == width for row in grid.cells)
    assert all(len(grid.text(y)) == width for y in range(height))
    assert all(len(row) == width for row in grid.styles)
    assert any("⠀" < c <= "⣿" for y in range(height) for c in grid.text(y))


numbers = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(numbers, max_size=40), st.booleans())
@example([1.1754943508222875e-38] * 2 + [3e38] * 12, True)
def test_no_series_of_numbers_breaks_the_chart(values: list[float], log: bool) -> None:
    xs = list(range(len(values)))
    grid = drawn(Picture("loss", [Trace("train", "t", points(xs, values), band=True)], 0, 40, log=log), 60, 12)
    if any(not math.isfinite(v) for v in values):
        assert "!" in grid.text(1)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 1.0), st.floats(0.0, 0.999), st.integers(20, 120), st.integers(5, 40))
def test_a_value_lands_in_its_cell(y: float, x: float, width: int, height: int) -> None:
    picture = Picture("p", [Trace("a", "t", points([x], [y]))], 0.0, 1.0, whole=False)
    grid = drawn(picture, width, height, Scale(0.0, 1.0))
    rows, columns = height - CHROME, width - GUTTER
    found = [(r, c) for r in range(1, 1 + rows) for c in range(GUTTER, width) if grid.cells[r][c] > "⠀"]
    assert len(found) == 1
    row, column = found[0]
    assert abs((row - 1 + 0.5) / rows - (1 - y)) <= 0.5 / rows + 0.25 / rows
    assert column - GUTTER == int(x * columns + 1e-6)


def test_lines_differ_by_shape_and_not_only_by_colour() -> None:
    text = drawn(training()).plain()
    assert "train ⠤⠤⠤" in text and "val ⠤●⠤" in text
    assert text.count("●") > 8


def test_an_outlier_does_not_flatten_the_rest_and_is_marked() -> None:
    calm, spiked = Grid(80, 18), Grid(80, 18)
    quiet = draw(training(), calm).scale
    assert draw(training(spike=1e6), spiked).scale.high <= 2 * quiet.high
    assert "▴" in spiked.text(1)


def test_a_line_is_broken_where_values_are_not_finite() -> None:
    values = [1.0] * 10 + [math.nan] * 20 + [1.0] * 10
    grid = drawn(Picture("p", [Trace("a", "t", points(range(40), values))], 0, 40), GUTTER + 40, 10, Scale(0, 2))
    columns = [c - GUTTER for c in range(GUTTER, grid.width) if any(grid.cells[r][c] > "⠀" for r in range(2, 8))]
    assert columns == [*range(10), *range(30, 40)]
    assert grid.text(1)[GUTTER + 10 : GUTTER + 30] == "!" * 20


def test_new_points_leave_the_cells_to_their_left_alone() -> None:
    before = Grid(80, 18)
    scale = draw(training(20, best=None), before).scale
    after = Grid(80, 18)
    assert draw(training(21, best=None), after, scale).scale == scale
    edge = GUTTER + int(19 / 40 * (80 - GUTTER))
    for y in range(18):
        assert before.cells[y][:edge] == after.cells[y][:edge]


def test_the_window_is_asked_for_no_more_than_the_dot_columns() -> None:
    asked: list[int] = []

    def window(low: float, high: float, columns: int) -> tuple[Any, Any, Any, Any]:
        asked.append(columns)
        return (np.zeros(0),) * 4

    drawn(Picture("p", [Trace("a", "t", window)]), 107, 20)
    assert asked == [200]


def test_the_cursor_tells_the_values_under_it() -> None:
    grid = Grid(GUTTER + 40, 12)
    draw(training(levels=[]), grid, cursor=20)
    assert "epoch 20.5" in grid.text(0) and "train 0." in grid.text(0) and "val 0." in grid.text(0)
