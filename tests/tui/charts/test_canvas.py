"""What is repainted: the spans that changed, and nothing else."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.geometry import Region

from tui.charts.frame import frame_of, narrow_updates
from tui.charts.grid import JOIN, Grid, changes
from tui.charts.line import LineChart
from tui.charts.picture import Picture, Trace
from tui.workbench.theme import DARK


def curve(epochs: float) -> Picture:
    x = np.arange(1, int(epochs * 50) + 1) / 50

    def window(low: float, high: float, columns: int) -> tuple[Any, Any, Any, Any]:
        y = 2 * np.exp(-x / 8)
        return x, y, y, y

    return Picture("loss", [Trace("train", "chart--train", window)], 0, 40)


class ChartApp(App[None]):
    def on_load(self) -> None:
        self.register_theme(DARK)
        self.theme = DARK.name

    def compose(self) -> ComposeResult:
        yield LineChart()


async def test_an_update_refreshes_only_the_changed_spans() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)) as pilot:
        chart = app.query_one(LineChart)
        chart.show(curve(10))
        await pilot.pause()
        before = [line.ljust(100) for line in chart.plain().splitlines()]
        chart.picture = curve(10.5)
        regions = chart.repaint()
        after = [line.ljust(100) for line in chart.plain().splitlines()]
        assert 0 < sum(r.area for r in regions) <= 6
        for y, (was, now) in enumerate(zip(before, after, strict=True)):
            for x in range(100):
                if was[x] != now[x]:
                    assert any(r.contains(x, y) for r in regions)


async def test_nothing_new_refreshes_nothing() -> None:
    app = ChartApp()
    async with app.run_test(size=(80, 24)) as pilot:
        chart = app.query_one(LineChart)
        chart.show(curve(10))
        await pilot.pause()
        assert chart.repaint() == []


async def test_a_resize_paints_everything_anew() -> None:
    app = ChartApp()
    async with app.run_test(size=(80, 24)) as pilot:
        chart = app.query_one(LineChart)
        chart.show(curve(10))
        await pilot.resize_terminal(60, 12)
        await pilot.pause()
        lines = chart.plain().splitlines()
        assert len(lines) == 12 and all(len(line) <= 60 for line in lines)


async def test_the_cursor_moves_by_keys_and_hides() -> None:
    app = ChartApp()
    async with app.run_test(size=(80, 24)) as pilot:
        chart = app.query_one(LineChart)
        chart.show(curve(39))
        chart.focus()
        await pilot.press("right", "right")
        assert chart.cursor == 37 and "train 0." in chart.plain().splitlines()[0]
        await pilot.press("end")
        assert chart.cursor == 72
        await pilot.click(LineChart, offset=(27, 5))
        assert chart.cursor == 20
        await pilot.press("escape")
        assert chart.cursor is None and "⠤⠤⠤" in chart.plain().splitlines()[0]


async def test_a_blank_chart_survives_no_color(monkeypatch: Any) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = ChartApp()
    async with app.run_test(size=(40, 8)) as pilot:
        app.query_one(LineChart).show(curve(3))
        await pilot.pause()
        assert "loss" in app.export_screenshot()


cells = st.lists(st.sampled_from(["a", "b", " ", "字"]), max_size=30)


@given(cells, cells)
def test_spans_cover_every_change(was: list[str], now: list[str]) -> None:
    one, two = Grid(40, 1), Grid(40, 1)
    one.put(0, 0, "".join(was))
    two.put(0, 0, "".join(now))
    spans = [Region(first, y, end - first, 1) for y, first, end in changes(one, two)]
    for x in range(40):
        if one.cells[0][x] != two.cells[0][x]:
            assert any(s.contains(x, 0) for s in spans)
    for left, right in pairwise(spans):
        assert right.x - left.right >= JOIN - 2
    for span in spans:
        assert two.cells[0][span.x] != "" and one.cells[0][span.x] != ""


def test_wide_characters_never_run_over_the_edge() -> None:
    grid = Grid(5, 1)
    grid.put(0, 0, "字字字")
    assert grid.text(0) == "字字 "


async def test_a_chart_that_did_not_change_writes_nothing() -> None:
    narrow_updates()
    app = ChartApp()
    async with app.run_test(size=(100, 20)) as pilot:
        chart = app.query_one(LineChart)
        chart.show(curve(39))
        await pilot.pause()
        compositor = app.screen._compositor
        frame_of(app.console).forget()
        assert "⠤" in compositor.render_update(full=True).render_segments(app.console)
        assert compositor.render_update(full=True).render_segments(app.console) == ""
