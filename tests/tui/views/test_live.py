"""The live tab: figures in plain words, curves that follow the history, and silence where nothing happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Static

from engine.history.history import History
from tui.charts.line import LineChart
from tui.views import curves
from tui.views.live import TWO_CHARTS, LiveView
from tui.views.state import log_tail, words
from tui.views.tiles import Tiles


def history(records: list[dict[str, Any]]) -> History:
    found = History()
    found.feed(records)
    return found


async def test_a_running_run_tells_its_figures(live_app: Any, make_run: Any, make_journal: Any) -> None:
    app = live_app(make_run(make_journal(24)))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        state, labels, values = app.query_one(Tiles).plain().splitlines()
        assert state.startswith("▶ running") and "epoch 24/40" in state and "60%" in state and "━━" in state
        for label in ("train loss", "val loss", "accuracy", "learning rate", "rows a second", "time left"):
            assert label in labels
        assert "3e-4" in values and "99.8 %" in values and "0:08" in values
        chart = app.query_one("#loss", LineChart).plain()
        assert "always guessing the average" in chart and "best ◆ 19" in chart and "▲ lr 1e-3→3e-4 at 8" in chart
        assert "accuracy" in app.query_one("#loss", LineChart).plain()
        assert "learning rate" in app.query_one("#other", LineChart).plain()


async def test_only_what_changed_is_repainted_and_silence_is_silence(
    live_app: Any, make_run: Any, make_journal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refreshed: list[Any] = []
    app = live_app(make_run(make_journal(24)))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        for widget in app.query("Canvas"):
            refresh = widget.refresh

            def spy(*regions: Any, _refresh: Any = refresh, **more: Any) -> Any:
                refreshed.append((regions, more))
                return _refresh(*regions, **more)

            monkeypatch.setattr(widget, "refresh", spy)
        app.feed([])
        await pilot.pause()
        assert refreshed == []
        app.feed(make_journal(25)[len(make_journal(24)) :])
        await pilot.pause()
        assert refreshed and all(regions and not more.get("layout") for regions, more in refreshed)
        assert sum(region.area for regions, _ in refreshed for region in regions) < 150


async def test_work_per_update_does_not_grow_with_the_history(make_journal: Any) -> None:
    asked: list[int] = []
    run = history(make_journal(38))
    for picture in (curves.loss_picture(run, "epoch", False), curves.loss_picture(run, "step", False)):
        for trace in picture.traces:
            asked.append(len(trace.window(picture.low, picture.high, 20)[0]))
    assert all(count <= 41 for count in asked)


@pytest.mark.parametrize(("width", "height"), [(40, 9), (52, 12), (80, 18), (120, 34), (200, 60)])
async def test_every_size_shows_the_curve(
    live_app: Any, make_run: Any, make_journal: Any, width: int, height: int
) -> None:
    app = live_app(make_run(make_journal(12)))
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.pause()
        chart = app.query_one("#loss", LineChart)
        assert "⠤" in chart.plain() or "●" in chart.plain()
        assert chart.region.bottom <= height and app.query_one("#other").display == (height >= TWO_CHARTS)


async def test_keys_change_scale_axis_and_series(live_app: Any, make_run: Any, make_journal: Any) -> None:
    app = live_app(make_run(make_journal(24)))
    async with app.run_test(size=(100, 30)) as pilot:
        loss, other = app.query_one("#loss", LineChart), app.query_one("#other", LineChart)
        loss.focus()
        view = app.query_one(LiveView)
        view.next_scale()
        assert "loss (log)" in loss.plain()
        view.next_axis()
        assert "step" in loss.plain().splitlines()[-2] + loss.plain().splitlines()[-1]
        view.next_axis()
        assert "time" in loss.plain() and "0:10" in loss.plain()
        view.next_series()
        await pilot.pause()
        assert other.plain().startswith("accuracy")
        await pilot.press("right")
        assert "time 0:" in loss.plain().splitlines()[0]


async def test_a_small_view_takes_turns_on_one_chart(live_app: Any, make_run: Any, make_journal: Any) -> None:
    app = live_app(make_run(make_journal(24)))
    async with app.run_test(size=(60, 12)):
        chart = app.query_one("#loss", LineChart)
        chart.focus()
        titles = []
        for _ in range(4):
            titles.append(chart.plain().split()[0])
            app.query_one(LiveView).next_series()
        assert titles == ["loss", "accuracy", "learning", "loss"]


async def test_a_finished_run_looks_as_it_did_live(live_app: Any, make_run: Any, make_journal: Any) -> None:
    pictures = []
    for run in (make_run(make_journal(40)), make_run(make_journal(40, ended="completed"), alive=False)):
        app = live_app(run)
        async with app.run_test(size=(100, 30)) as pilot:
            await pilot.pause()
            pictures.append(app.query_one("#loss", LineChart).plain())
            state = app.query_one(Tiles).plain().splitlines()[0]
    assert pictures[0] == pictures[1]
    assert state.startswith("✓ completed: all 40 epochs, best epoch 19")


async def test_a_run_fed_bit_by_bit_ends_as_one_read_at_once(live_app: Any, make_run: Any, make_journal: Any) -> None:
    records = make_journal(24)
    app = live_app(make_run([]))
    async with app.run_test(size=(100, 30)) as pilot:
        for start in range(0, len(records), 7):
            app.feed(records[start : start + 7])
            await pilot.pause()
        bit_by_bit = [chart.plain() for chart in app.query(LineChart)]
    app = live_app(make_run(records))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        assert [chart.plain() for chart in app.query(LineChart)] == bit_by_bit


async def test_a_worker_that_is_gone_shows_the_end_of_its_log(
    live_app: Any, make_run: Any, make_journal: Any, tmp_path: Path
) -> None:
    (tmp_path / "worker.log").write_bytes(b"early\n" * 50 + b"Killed by \x1b]0;x\x07 the system\n")
    app = live_app(make_run(make_journal(24), alive=False, run_dir=tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        more = app.query_one(".live--more", Static)
        assert "the worker" in app.query_one(Tiles).plain() and "is gone, at epoch 24" in app.query_one(Tiles).plain()
        assert more.display and "Killed by  the system" in str(more.content) and "r resumes" in str(more.content)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("completed", "completed: all 40 epochs, best epoch 19"),
        ("early_stopped", "stopped early at epoch 24"),
        ("stopped", "stopped and saved at epoch 24"),
        ("non_finite", "no longer a finite number"),
        ("out_of_memory", "out of memory"),
        ("error", "failed at epoch 24"),
        ("killed", "killed at epoch 24"),
        ("something_new", "ended at epoch 24: something_new"),
    ],
)
def test_every_end_is_said_in_words(make_journal: Any, reason: str, said: str) -> None:
    assert said in words(history(make_journal(24, ended=reason)), alive=False).line


def test_an_end_that_was_inferred_is_a_worker_that_is_gone(make_journal: Any) -> None:
    end = {"type": "finished", "reason": "killed", "inferred": True}
    said = words(history([*make_journal(24), end]), alive=False, log="out of memory\nKilled")
    assert said.line == "the worker is gone, at epoch 24" and said.more.splitlines()[-1] == "Killed"


def test_what_comes_before_the_first_step_is_said(make_journal: Any) -> None:
    records = make_journal(1)
    assert words(history([]), alive=False).line == "preparing: starting"
    assert words(history(records[:2]), alive=True).line == "preparing: loading 600/1200"
    assert words(history(records[:2]), alive=True).done == 0.5
    assert words(history(records[:4]), alive=True).line == "running"
    assert "gone, before the first epoch" in words(history(records[:2]), alive=False).line
    paused = [*records, {"type": "paused", "seq": 99, "time": 9.0}]
    assert words(history(paused), alive=True).line.startswith("paused")


def test_the_axis_doubles_up_to_what_is_planned(make_journal: Any) -> None:
    ends = {epochs: curves.extent(history(make_journal(epochs)), "epoch") for epochs in (1, 5, 6, 11, 21, 40)}
    assert ends == {1: 5, 5: 5, 6: 10, 11: 20, 21: 40, 40: 40}


def test_a_loss_that_is_not_finite_is_marked(make_journal: Any) -> None:
    marks = curves.marks(history(make_journal(24, ended="non_finite")), "epoch")
    assert marks[-1].glyph == "✗" and marks[-1].x == 24


def test_durations() -> None:
    assert [curves.clock(s) for s in (6, 750, 11_100, 400_000, float("nan"))] == [
        "0:06", "12:30", "3:05:00", "4 d 15:06", "-"
    ]  # fmt: skip


def test_no_log_is_no_log(tmp_path: Path) -> None:
    assert log_tail(tmp_path) == ""
