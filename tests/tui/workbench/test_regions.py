"""The regions: sizes, rooms, lists, palette, quick open, keys, tabs, themes, leaving."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events

from tests.tui.workbench.conftest import RECIPE, Open, app_of, press, record_run, settle, status, text, until
from tui.keymap import ACTIONS
from tui.views.recipe import RecipeView
from tui.workbench.actions import layers
from tui.workbench.dialogs import Question
from tui.workbench.help import KeysScreen
from tui.workbench.picker import Picker


async def test_on_a_narrow_screen_the_side_bar_lies_over_and_goes_away(workbench: Open) -> None:
    async with workbench(size=(80, 24)) as pilot:
        editor = app_of(pilot).query_one("#editor")
        before = editor.region
        await press(pilot, "g", "e")
        assert "EXPLORER" in text(pilot)
        assert editor.region == before
        await press(pilot, "escape")
        assert "EXPLORER" not in text(pilot)


async def test_the_start_page_says_what_to_do(workbench: Open) -> None:
    async with workbench(None) as pilot:
        shown = text(pilot)
        assert "open a recipe, a run or a data file" in shown
        assert "digits.yaml" in shown and "RUNS" in shown
        assert "none yet: t trains a recipe" in shown
        await press(pilot, "g", "m")
        assert "Open a recipe or a run first" in text(pilot)


async def test_the_palette_has_every_action_and_finds_by_letters(workbench: Open) -> None:
    async with workbench() as pilot:
        await press(pilot, "colon")
        picker = pilot.app.screen
        assert isinstance(picker, Picker)
        of_lists = {f"layers.{verb}" for verb in layers.VERBS.values()}
        assert {row.value for row in picker._shown} == {action.id for action in ACTIONS} | of_lists
        await press(pilot, *"shexp")
        assert picker._shown[0].value == "view.explorer"
        await press(pilot, "enter")
        assert "EXPLORER" in text(pilot)
        await press(pilot, "f1")
        assert isinstance(pilot.app.screen, Picker)
        await press(pilot, "escape")
        assert not isinstance(pilot.app.screen, Picker)


async def test_quick_open_lists_recipes_runs_and_data_and_commands(workbench: Open, folder: Path) -> None:
    (folder / "other.yaml").write_text(RECIPE)
    (folder / "notes.yaml").write_text("just: notes\n")
    (folder / "water.csv").write_text("a,b\n1,2\n")
    record_run(folder / "runs")
    async with workbench() as pilot:
        await press(pilot, "ctrl+p")
        shown = text(pilot)
        assert "other.yaml" in shown and "water.csv" in shown and "■ stopped" in shown
        assert "notes.yaml" not in shown
        await press(pilot, *"oth", "enter")
        assert "OTHER" not in shown and "▎other.yaml" in text(pilot)
        await press(pilot, "o", ">", *"theme")
        assert "Switch theme: dark or light" in text(pilot)
        await press(pilot, "enter")
        assert pilot.app.theme == "goodfit-light"


async def test_the_keys_screen_names_every_action(workbench: Open) -> None:
    async with workbench(size=(120, 80)) as pilot:
        await press(pilot, "question_mark")
        assert isinstance(pilot.app.screen, KeysScreen)
        await until(pilot, lambda: "Runs and replays" in text(pilot))
        shown = text(pilot)
        for action in ACTIONS:
            assert action.title in shown
        await press(pilot, "escape")
        assert not isinstance(pilot.app.screen, KeysScreen)


async def test_tabs_step_close_and_ask_before_losing_changes(workbench: Open, folder: Path) -> None:
    (folder / "other.yaml").write_text(RECIPE)
    async with workbench() as pilot:
        app = app_of(pilot)
        app.do("file.open_recipe", folder / "other.yaml")
        await settle(pilot)
        assert "▎other.yaml" in text(pilot)
        await press(pilot, "[")
        assert "▎digits.yaml" in text(pilot) and "MODEL · digits.yaml" in text(pilot)
        await press(pilot, "]")
        assert "▎other.yaml" in text(pilot)
        app.session.active.context.set("train.epochs", 2)  # type: ignore[union-attr]
        await press(pilot, "w")
        assert isinstance(app.screen, Question)
        await press(pilot, "escape")
        assert len(app.session.tabs) == 2
        await press(pilot, "w", "d")
        assert [tab.title for tab in app.session.tabs] == ["digits.yaml"]
        assert (folder / "other.yaml").read_text() == RECIPE
        await press(pilot, "w")
        assert app.session.tabs == [] and "no tab is open" in status(pilot)
        assert not app.query(RecipeView)


async def test_many_tabs_scroll_with_the_one_in_front(workbench: Open, folder: Path) -> None:
    async with workbench(size=(80, 24)) as pilot:
        app = app_of(pilot)
        for number in range(8):
            path = folder / f"recipe-number-{number}.yaml"
            path.write_text(RECIPE)
            app.do("file.open_recipe", path)
            await settle(pilot)
            bar = text(pilot).splitlines()[1]
            assert f"▎recipe-number-{number}.yaml" in bar and len(bar) <= 80


async def test_clicks_do_what_keys_do(workbench: Open) -> None:
    async with workbench() as pilot:
        bar = text(pilot).splitlines()[0]
        await pilot.click("#title-bar", offset=(bar.index("commands"), 0))
        await settle(pilot)
        assert isinstance(pilot.app.screen, Picker)
        await press(pilot, "escape")
        await pilot.click("#activity-bar", offset=(1, 2))
        await settle(pilot)
        assert "DATA · digits.yaml" in text(pilot)


async def test_an_action_that_does_not_fit_says_so(workbench: Open) -> None:
    async with workbench() as pilot:
        await press(pilot, "p")
        assert any("needs a run in front" in note.message for note in pilot.app._notifications)


async def test_quitting_with_nothing_open_to_lose_asks_nothing(workbench: Open) -> None:
    async with workbench() as pilot:
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running)
        assert pilot.app.return_code == 0


async def test_quitting_asks_about_changes(workbench: Open, folder: Path) -> None:
    async with workbench() as pilot:
        app_of(pilot).session.active.context.set("train.epochs", 2)  # type: ignore[union-attr]
        await press(pilot, "q")
        assert isinstance(pilot.app.screen, Question)
        await pilot.press("s")
        await until(pilot, lambda: not pilot.app.is_running)
        assert "epochs: 2" in (folder / "digits.yaml").read_text()


async def test_a_recipe_that_is_not_there_is_said_and_nothing_breaks(workbench: Open) -> None:
    async with workbench("nowhere.yaml") as pilot:
        assert "nowhere.yaml" in text(pilot)
        assert "✗ 1" in status(pilot) or any("nowhere" in note.message for note in pilot.app._notifications)


async def test_both_themes_and_no_colour_paint(workbench: Open, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    record_run(folder / "runs")
    async with workbench() as pilot:
        await press(pilot, *"goT", "question_mark", "escape")
        assert "goodfit" in text(pilot)


async def test_what_is_typed_at_once_means_what_it_says(workbench: Open) -> None:
    async with workbench() as pilot:
        app = app_of(pilot)
        for key in ("g", "d", "colon", *"keys", "enter"):
            app.post_message(events.Key(key, ":" if key == "colon" else key if len(key) == 1 else None))
        await until(pilot, lambda: isinstance(app.screen, KeysScreen))
        assert app.side_bar.room == "data"
        await press(pilot, "escape")
        for key in ("g", "t", *"abc", "escape", "u"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        view = app.view
        assert isinstance(view, RecipeView)
        await until(pilot, lambda: view.editor.read_only and len(app.session.active.context.document._undone) == 1)  # type: ignore[union-attr]
        assert view.editor.text == RECIPE
