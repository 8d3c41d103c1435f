"""The search view: table, charts and words, for searches of every size and with everything odd in them."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.app import App, ComposeResult

from engine.history.history import History
from engine.recipe.document import Document
from tests.tui import searches
from tui.charts.grid import Grid
from tui.views.search import lines
from tui.views.search.axes import Axis, axes_of, key_of, labels, value_words
from tui.views.search.chart import CHARTS, TrialChart
from tui.views.search.every import sampled
from tui.views.search.head import Head, state_words, trial_line
from tui.views.search.sheet import LINES, Sheet, extent, good
from tui.views.search.table import SIGNS, TrialTable, columns_of
from tui.views.search.view import SearchView
from tui.workbench.context import Context, HistoryChanged
from tui.workbench.theme import DARK

MODULES = {"curves": "every"}
SPACE = Document.from_text(searches.RECIPE).get("search.space")


def history(records: list[dict[str, Any]]) -> History:
    found = History()
    found.feed(searches.numbered(records))
    return found


def sheet(records: list[dict[str, Any]], space: Any = SPACE, **more: Any) -> Sheet:
    trials = history(records).trials
    axes = axes_of(space, (row.params for row in trials.rows.values()))
    return Sheet(trials, axes, **{"planned": 30, "epochs": 20, **more})


def drawn(found: Sheet, kind: str, width: int = 80, height: int = 16) -> Grid:
    grid = Grid(width, height)
    importlib.import_module(f"tui.views.search.{MODULES.get(kind, kind)}").draw(found, grid, None)
    return grid


# Axes


def test_axes_follow_the_space_and_what_it_leaves_out_is_read_from_the_trials() -> None:
    lr, momentum, size, scheduler = axes_of(SPACE, [])
    assert (lr.label, lr.low, lr.high, lr.log) == ("lr", 1e-4, 0.1, True) and lr.share(1e-2) == pytest.approx(2 / 3)
    assert not momentum.log and momentum.share(0.92) == pytest.approx(0.5)
    assert size.words == ("16", "32", "64") and size.share(32) == 0.5 and size.share(32.0) == 0.5
    assert scheduler.words == ("none", "CosineAnnealingLR") and scheduler.share({"type": "CosineAnnealingLR"}) == 0.75
    for odd in (None, "x", True, math.nan, [1]):
        assert math.isnan(lr.share(odd))
    assert math.isnan(size.share(48)) and lr.share(5.0) == 1.0 and lr.share(1e-9) == 0.0
    seen = axes_of("nonsense", [{"a.b": 1e-5, "c": "x"}, {"a.b": 1.0, "c": "y"}, {"d": 3}])
    assert [axis.label for axis in seen] == ["b", "c", "d"]
    assert seen[0].log and seen[1].words == ("x", "y") and seen[2].low < 3 < seen[2].high
    broken = axes_of({"a": 3, "b": {"uniform": [1]}, "c": {"uniform": [2, 1]}, "d": {"choice": []}}, [{"a": 1}])
    assert len(broken) == 4 and all(axis.low < axis.high or axis.keys for axis in broken)


def test_labels_are_short_and_differ() -> None:
    assert labels(["optimizer.lr", "find_lr.start"]) == ["lr", "start"]
    assert labels(["model.layers.3.p", "model.layers.5.p", "model.layers.drop1.p"]) == [
        "layers.3.p",
        "layers.5.p",
        "drop1.p",
    ]
    assert labels(["model.layers.3", "optimizer.lr"]) == ["layers.3", "lr"]
    assert labels(['data.columns."sepal.length"']) == ['"sepal.length"']
    assert labels(["a..b", "a\x1b[31m.b"]) == ['"a..b"', "b"]


def test_values_in_words() -> None:
    found = [value_words(value) for value in (1.23456e-4, 0.912345, 64, True, None, [1, 2], "tpe", 0.0, math.inf)]
    assert found == ["1.23e-4", "0.912", "64", "true", "none", "[1, 2]", "tpe", "0", "inf"]
    assert (value_words(0.00123, log=True), value_words(0.00123)) == ("1.23e-3", "0.00123")
    assert value_words({"type": "Adam", "lr": 0.1}) == "Adam lr 0.1"
    assert value_words("a\x1b]0;x\x07b") == "ab"
    assert key_of(1) == key_of(1.0) != key_of(True) and key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    same = axes_of({"optimizer": {"choice": [{"type": "SGD", "lr": 0.1001}, {"type": "SGD", "lr": 0.1002}]}}, [])[0]
    assert len(set(same.words)) == 2, "values that look alike are written out"


# Lines


@given(st.lists(st.lists(st.floats(-50, 90), min_size=12, max_size=12), max_size=6), st.integers(4, 40))
def test_many_lines_are_what_each_alone_is(rows: list[list[float]], height: int) -> None:
    table = np.array(rows, dtype=float).reshape(len(rows), 12)
    table[table > 70] = np.nan
    found = lines.many(table, height)
    alone = [lines.many(table[at : at + 1], height) for at in range(len(rows))]
    assert found.shape == (height, 12)
    assert (found == (np.any(alone, axis=0) if alone else np.zeros((height, 12), dtype=bool))).all()
    for row, raster in zip(table, alone, strict=True):
        assert (raster.any(axis=0) == np.isfinite(row)).all(), "a dot in every column where there is a value"


def test_shares_on_a_log_scale_take_what_has_no_logarithm() -> None:
    values = np.array([1.0, 10.0, 0.0, -1.0, math.nan, math.inf])
    found = lines.shares_of(values, 1.0, 100.0, True)
    assert found[:2].tolist() == [0.0, 0.5] and math.isnan(found[4])
    assert (lines.rows_of(found, 40)[[2, 3, 5]] == [39, 39, 0]).all()


def test_a_curve_is_sampled_where_it_has_been() -> None:
    trials = history(searches.search(1)).trials
    found = sampled(trials.rows[0].curve, 40.0, 78)
    assert np.isfinite(found[:38]).all() and np.isnan(found[40:]).all()
    assert found[0] == pytest.approx(searches.value_of(0, 1))


# Charts


@pytest.mark.parametrize("kind", CHARTS)
@pytest.mark.parametrize("log", [False, True])
def test_every_chart_of_every_search(kind: str, log: bool) -> None:
    nothing = sheet([])
    odd = [
        *searches.begin("x"),
        searches.epochs_of([0], 1) | {"value": ["nan"], "val_loss": [None]},
        searches.trial_of(0, value="nan"),
        searches.trial_of(1, value="inf"),
        searches.trial_of(2, value=-1.0),
        searches.trial_of(3, value=0.0, params={"optimizer.lr": "nan", "data.batch_size": 48}),
        searches.trial_of(4, value=1e300, params={}),
        searches.trial_of(12),
    ]
    for found in (
        nothing,
        sheet(searches.search(0, at_work=1, epoch=1)),
        sheet(searches.search(1)),
        sheet(searches.search(13, at_work=4), chosen=12),
        sheet(searches.search(13), space={}),
        sheet(odd, chosen=3),
        sheet([*searches.begin("x"), searches.trial_of(12)], chosen=12),
        sheet(searches.search(300), planned=None, chosen=299),
    ):
        found = Sheet(**{**vars(found), "log": log})
        for width, height in ((40, 5), (75, 11), (160, 40), (12, 3)):
            plain = drawn(found, kind, width, height).plain()
            assert plain.strip()
            assert "\x1b" not in plain and all(len(line) <= width for line in plain.splitlines())


def test_the_best_so_far_is_a_staircase_with_its_trial() -> None:
    found = sheet(searches.search(23), chosen=3)
    plain = drawn(found, "best", 110).plain()
    assert "best: trial 14 ◆" in plain and "trial 3 ○" in plain and "○" in plain.splitlines()[3] + plain
    assert "pruned ×" in plain and "failed !" in plain and plain.count("×") == 4
    axis = plain.splitlines()[-2]
    assert axis.count("!") == 1 and axis.index("!") == 7 + int(12.5 / 30 * 103)
    dense = drawn(sheet(searches.search(300), planned=300), "best").plain()
    assert "•" not in dense and "!" in dense


def test_curves_show_who_is_at_work_who_is_best_and_who_is_chosen() -> None:
    found = sheet(searches.search(10, at_work=3), chosen=2)
    grid = drawn(found, "curves")
    assert all(word in grid.text(0) for word in ("best: trial 1 ", "trial 2 ", "at work", "others"))
    used = {style for row in grid.styles[1:-2] for style in row}
    assert {"chart--best", "chart--chosen", "chart--work", "chart--other"} <= used
    assert len(found.drawn(history(searches.search(900)).trials.ended())) <= LINES + 2


def test_parallel_axes_are_named_with_their_ends_and_the_chosen_values() -> None:
    plain = drawn(sheet(searches.search(23), chosen=3), "parallel").plain()
    for word in ("lr", "momentum", "batch_size", "scheduler", "val loss", "0.1", "1e-4", "0.99", "0.85", "64", "none"):
        assert word in plain, word
    assert "○3.65e-2" in plain and "best quarter" in plain and "◆0.122" in plain
    many = {f"model.layers.{at}.p": {"uniform": [0, 1]} for at in range(12)}
    first = drawn(sheet(searches.search(5), space=many), "parallel").plain()
    second = drawn(sheet(searches.search(5), space=many, page=1), "parallel").plain()
    assert "layers.0.p" in first and "layers.0.p" not in second and "(h)" in first


def test_importance_is_sorted_and_adds_up() -> None:
    plain = drawn(sheet(searches.search(23)), "importance").plain()
    assert "from 19 completed trials" in plain
    order = [line.split()[0] for line in plain.splitlines() if "%" in line]
    assert order == ["lr", "momentum", "batch_size", "scheduler"] and "71%" in plain
    many = [*searches.begin("x"), searches.trial_of(0),
            {"type": "importance", "trials": 1,
             "values": {f"model.layers.{at}.p": 0.05 for at in range(20)}}]  # fmt: skip
    assert "from 1 completed trial" in drawn(sheet(many), "importance").plain()
    assert "more" in drawn(sheet(many), "importance").plain()


def test_marginals_have_a_panel_a_setting() -> None:
    plain = drawn(sheet(searches.search(30), chosen=3), "marginals", 100, 24).plain()
    assert all(word in plain for word in ("lr", "momentum", "batch_size", "scheduler", "16", "32", "none", "middle"))
    assert plain.count("◆") >= 5 and plain.count("○") >= 5
    pages = {drawn(sheet(searches.search(30), page=page), "marginals", 40, 11).plain() for page in range(4)}
    assert len(pages) == 4 and all("(h)" in page for page in pages)


def test_the_axis_of_trials_doubles_up_to_what_is_planned() -> None:
    assert [extent(now, 10) for now in (1, 9, 12)] == [10, 10, 12]
    assert [extent(now, 1000) for now in (1, 125, 126, 600, 1000)] == [125, 125, 250, 1000, 1000]
    assert extent(33, None) == 64
    assert len(good(history(searches.search(23)).trials)) == 4 and good(history(searches.search(3)).trials) == set()


# The table


def test_every_column_sorts_with_what_has_no_value_at_the_end() -> None:
    table = TrialTable()
    table.show(sheet(searches.search(23, at_work=3)))
    trials = table.sheet.trials
    assert table.order[0] == 14 and table.order[-4:] == [12, 23, 24, 25], "the best first, who is at work last"
    for column in columns_of(table.sheet):
        for turned in (False, True):
            table.sort, table.turned = column.id, turned
            table._arrange()
            assert sorted(table.order) == list(range(26))
            rows = [trials.rows[trial] for trial in table.order if column.id != "value" or trials.rows[trial].over]
            keys = [column.key(row) for row in rows]
            told = [key for key in keys if not math.isnan(key)]
            assert all(math.isnan(key) for key in keys[len(told) :]), column.id
            assert told == sorted(told, reverse=column.down != turned)


def test_a_metric_that_is_monitored_sorts_from_high_to_low() -> None:
    records = [*searches.begin("x", "val_accuracy"), *(searches.trial_of(n, value=n / 10) for n in range(5))]
    table = TrialTable()
    table.show(sheet(records))
    assert table.order == [4, 3, 2, 1, 0]
    titles = [column.title for column in columns_of(table.sheet)]
    assert "val accuracy" in titles and "val loss" in titles and "accuracy" not in titles


def test_text_from_outside_loses_its_controls() -> None:
    evil = "\x1b]0;x\x07\x1b[31mred"
    records = [*searches.begin("x"), searches.trial_of(12, message=evil, params={f"a.{evil}": evil})]
    found = sheet(records, space={}, chosen=12)
    row = found.trials.rows[12]
    assert "\x1b" not in trial_line(row, found.trials, found)
    for kind in CHARTS:
        assert "\x1b" not in drawn(found, kind).plain()
    table = TrialTable()
    table.show(found)
    grid = Grid(80, 5)
    table.paint(grid)
    assert "\x1b" not in grid.plain() and "red" in grid.plain()


# Words


def test_a_search_in_words() -> None:
    def said(records: list[dict[str, Any]], alive: bool = False) -> str:
        return state_words(history(records), alive, 30).line

    assert said([], True) == "preparing: starting"
    loading = [searches.begin("x")[0], {"type": "progress", "stage": "loading", "done": 1, "total": 2}]
    assert said(loading, True) == "preparing: loading 1/2"
    assert said(searches.search(3, at_work=2), True) == "running, 2 at work"
    assert said([*searches.search(3), {"type": "paused"}], True) == "paused: p goes on"
    assert said(searches.search(1, ended="completed")) == "completed: 1 trial"
    assert said(searches.search(3, ended="stopped")) == "stopped after 3 trials: r resumes"
    assert said(searches.search(3, ended="killed")) == "killed after 3 trials"
    assert said(searches.search(3)) == "the worker is gone, after 3 trials"
    failed = [*searches.search(2), {"type": "finished", "reason": "error", "message": "no\x1b[31m room"}]
    assert state_words(history(failed), False, 30).more == "no room"
    found = sheet(searches.search(23))
    line = trial_line(found.trials.rows[12], found.trials, found)
    assert line.startswith("trial 12 failed: the loss is not finite; lr ")
    assert "best at epoch" in trial_line(found.trials.rows[14], found.trials, found)


# On the screen


class Run:
    """A search without a directory behind it."""

    replayed = False
    kind = "search"

    def __init__(self, records: list[dict[str, Any]], alive: bool = True) -> None:
        from pathlib import Path

        self.history = history(records)
        self.alive = alive
        self.run_dir = Path("/nonexistent")
        self.short = "7f3a"


class SearchApp(App[None]):
    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run_ = run
        self.opened = 0
        self.register_theme(DARK)
        self.theme = DARK.name

    def compose(self) -> ComposeResult:
        context = Context(Document.from_text(searches.RECIPE), run=self.run_)  # type: ignore[arg-type]
        yield SearchView(context)

    def action_do(self, _: str) -> None:
        self.opened += 1

    def feed(self, records: list[dict[str, Any]]) -> None:
        start = self.run_.history.seq
        self.run_.history.feed(
            {**record, "seq": start + at, "time": 9.0, "life": 1} for at, record in enumerate(records, 1)
        )
        self.query_one(SearchView).post_message(HistoryChanged())


async def test_the_cursor_follows_the_best_until_it_is_moved() -> None:
    app = SearchApp(Run(searches.search(10)))
    async with app.run_test(size=(100, 30)) as pilot:
        table = app.query_one(TrialTable)
        table.focus()
        assert table.chosen is app.run_.history.trials.best and table.chosen.number == 1  # type: ignore[union-attr]
        app.feed(searches.trials(10, 20))
        await pilot.pause()
        assert table.chosen.number == 14 and "trial 14 completed" in app.query_one(Head).plain()  # type: ignore[union-attr]
        await pilot.press("down", "down")
        chosen = table.chosen.number  # type: ignore[union-attr]
        assert chosen == table.order[2] and f"trial {chosen} " in app.query_one(Head).plain()
        app.feed(searches.trials(20, 40))
        await pilot.pause()
        assert table.chosen.number == chosen, "it stays on its trial, wherever that stands now"  # type: ignore[union-attr]
        await pilot.press("end")
        assert table.chosen.number == table.order[-1] and table.first > 0  # type: ignore[union-attr]
        await pilot.press("home", "pagedown", "pageup")
        assert table.chosen.number == table.order[0]  # type: ignore[union-attr]
        await pilot.press("down", "escape")
        assert table.picked is None
        await pilot.press("enter")
        await pilot.pause()
        assert app.opened == 1


async def test_the_mouse_does_what_keys_do() -> None:
    app = SearchApp(Run(searches.search(23)))
    async with app.run_test(size=(100, 30)) as pilot:
        table = app.query_one(TrialTable)
        await pilot.pause()
        await pilot.click(TrialTable, offset=(8, 3))
        assert table.chosen.number == table.order[2]  # type: ignore[union-attr]
        place = next(
            x for x, column in table.layout_columns(table.content_size.width)[0] if column.id == "optimizer.lr"
        )
        await pilot.click(TrialTable, offset=(place + 2, 0))
        first = table.order[0]
        assert table.sort == "optimizer.lr" and not table.turned
        await pilot.click(TrialTable, offset=(place + 2, 0))
        assert table.turned and table.order[0] != first
        table.post_message(events.MouseScrollDown(table, 5, 5, 0, 1, 0, False, False, False))
        await pilot.pause()
        before = table.chosen
        await pilot.click(TrialTable, offset=(8, 2), times=2)
        await pilot.pause()
        assert app.opened == 1 and before is not None


async def test_columns_that_have_no_room_scroll() -> None:
    app = SearchApp(Run(searches.search(23)))
    async with app.run_test(size=(60, 24)) as pilot:
        table = app.query_one(TrialTable)
        table.focus()
        assert "›" in table.plain().splitlines()[0] and "accuracy" not in table.plain()
        for _ in range(20):
            await pilot.press("right")
        head = table.plain().splitlines()[0]
        assert "‹" in head and "time" in head and "›" not in head and "val loss" in head
        for _ in range(20):
            await pilot.press("left")
        assert "lr" in table.plain().splitlines()[0]


async def test_only_what_changed_is_repainted_and_silence_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    refreshed: list[Any] = []
    app = SearchApp(Run(searches.search(10, at_work=5, epoch=6)))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        for widget in app.query("Canvas"):
            refresh = widget.refresh

            def spy(*regions: Any, _refresh: Any = refresh, _widget: Any = widget, **more: Any) -> Any:
                refreshed.append((_widget, regions, more))
                return _refresh(*regions, **more)

            monkeypatch.setattr(widget, "refresh", spy)
        app.feed([])
        await pilot.pause()
        assert refreshed == []
        app.feed([searches.epochs_of([10, 11, 12, 13, 14], 7)])
        await pilot.pause()
        assert all(regions and not more.get("layout") for _, regions, more in refreshed)
        assert not [widget for widget, *_ in refreshed if isinstance(widget, TrialChart)], "nobody has ended"
        app.query_one(SearchView).show_chart("curves")
        refreshed.clear()
        app.feed([searches.epochs_of([10, 11, 12, 13, 14], 8)])
        await pilot.pause()
        assert refreshed and sum(region.area for _, regions, _ in refreshed for region in regions) < 250


async def test_a_search_fed_bit_by_bit_ends_as_one_read_at_once() -> None:
    records = searches.search(23, ended="completed")
    pictures = []
    for size in (len(records), 7):
        app = SearchApp(Run([]))
        async with app.run_test(size=(100, 30)) as pilot:
            for start in range(0, len(records), size):
                app.feed(records[start : start + size])
                await pilot.pause()
            view = app.query_one(SearchView)
            found = [app.query_one(TrialTable).plain()]
            for kind in CHARTS:
                view.show_chart(kind)
                chart = app.query_one(TrialChart)
                chart._scales.clear()  # a scale that has grown stays; here the drawings count
                chart.repaint()
                found.append(chart.plain())
            pictures.append(found)
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize(("width", "height"), [(40, 10), (77, 21), (120, 34), (200, 60)])
async def test_every_size_shows_the_best_and_a_chart(width: int, height: int) -> None:
    app = SearchApp(Run(searches.search(23, at_work=2)))
    async with app.run_test(size=(width, height)) as pilot:
        view = app.query_one(SearchView)
        for kind in CHARTS:
            view.show_chart(kind)
            await pilot.pause()
            assert "◆" in app.query_one(TrialTable).plain() and app.query_one(TrialChart).plain().strip()
        assert app.query_one(TrialChart).region.bottom <= height
        for sign in SIGNS.values():
            assert len(sign) == 1


async def test_a_search_without_trials_says_so() -> None:
    app = SearchApp(Run(searches.begin("x")))
    async with app.run_test(size=(77, 21)) as pilot:
        view = app.query_one(SearchView)
        assert "No trial has begun yet." in app.query_one(TrialTable).plain()
        for kind in CHARTS:
            view.show_chart(kind)
            await pilot.pause()
            assert app.query_one(TrialChart).plain().count("\n") > 2
        await pilot.press("down", "end", "escape")
        app.query_one(TrialTable).next_column()


def test_a_number_line_of_one_value_has_an_axis() -> None:
    axis = axes_of({}, [{"x": 3.0}])[0]
    assert isinstance(axis, Axis) and axis.share(3.0) == 0.5
