"""What nobody plans for: broken text in every room, files and runs that vanish, odd journals."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.recipe.edits import Edit
from tests.tui.workbench.conftest import RECIPE, Open, app_of, press, record_run, settle, status, text, until
from tui.views.recipe import RecipeView
from tui.workbench.dialogs import Question

BROKEN = [
    "",
    "a: [",
    "\tx: 1\n",
    "model: 3\n",
    "- just\n- a list\n",
    RECIPE.replace("layers:\n", "layers: 3\n    #"),
    RECIPE.replace("model:", "model: {layers: [3, null, {type: Nothing}, [ReLU]]}\nmodle:"),
    RECIPE.replace("optimizer: {type: Adam, lr: 1e-3}", "optimizer: [1, 2]"),
    RECIPE.replace("train:\n  epochs: 10", "train: yes"),
    RECIPE.replace("data:\n", "data: null\nx:\n"),
    "x" * 300_000,
    "k: " + "[" * 60 + "]" * 60,
]


async def test_broken_recipes_in_every_room(workbench: Open) -> None:
    async with workbench(size=(120, 40)) as pilot:
        app = app_of(pilot)
        for room, letter in enumerate("dmor"):
            await press(pilot, "g", letter)
            for broken in BROKEN[room % 2 :: 2]:
                app.session.typed(app.session.active, broken)  # type: ignore[arg-type]
                await settle(pilot)
                assert "✗ 0" not in status(pilot), broken[:80]
            app.session.typed(app.session.active, RECIPE)  # type: ignore[arg-type]
            await settle(pilot)
            assert "✗ 0" in status(pilot)


async def test_a_recipe_that_vanishes_and_comes_back(workbench: Open, folder: Path) -> None:
    async with workbench() as pilot:
        (folder / "digits.yaml").unlink()
        await until(pilot, lambda: any("digits.yaml" in note.message for note in pilot.app._notifications))
        (folder / "digits.yaml").write_text(RECIPE.replace("10\n", "12\n"))
        view = app_of(pilot).view
        assert isinstance(view, RecipeView)
        await until(pilot, lambda: "epochs: 12" in view.editor.text)


async def test_words_being_typed_are_not_lost_to_a_change_on_disk(workbench: Open, folder: Path) -> None:
    async with workbench() as pilot:
        app = app_of(pilot)
        await press(pilot, "enter")
        await pilot.press("#")
        (folder / "digits.yaml").write_text(RECIPE.replace("1e-3", "5e-3"))
        await until(pilot, lambda: isinstance(app.screen, Question))
        await press(pilot, "escape")
        assert isinstance(app.view, RecipeView) and app.view.editor.text == "#" + RECIPE
        await press(pilot, "ctrl+s")
        assert isinstance(app.screen, Question), "saving over their change asks again"


async def test_a_run_that_vanishes_or_has_no_recipe(workbench: Open, folder: Path) -> None:
    run_dir = record_run(folder / "runs", 2, finished=False)
    bare = record_run(folder / "runs", 1)
    (bare / "recipe.yaml").unlink()
    async with workbench(str(run_dir)) as pilot:
        app = app_of(pilot)
        await until(pilot, lambda: "failed" in status(pilot))
        app.do("file.open_run", bare)
        await settle(pilot)
        assert "stopped" in status(pilot)
        for letter in "mdor":
            await press(pilot, "g", letter)
        shutil.rmtree(run_dir)
        shutil.rmtree(bare)
        await pilot.pause(0.8)
        await press(pilot, "[", "]")
        assert "stopped" in status(pilot)


async def test_odd_journals_are_shown_as_far_as_they_go(workbench: Open, folder: Path) -> None:
    run_dir = record_run(folder / "runs", 2)
    journal = run_dir / "events.log"
    data = journal.read_bytes()
    journal.write_bytes(data[:200] + b"\x00\xff garbage\n" + data[200:-7])
    async with workbench("last") as pilot:
        assert "digits" in text(pilot)
        await press(pilot, "a", "$")
        assert "replay" in status(pilot)


async def test_a_recipe_that_came_with_goodfit_is_saved_elsewhere(
    workbench: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = folder / "site-packages"
    (package / "data").mkdir(parents=True)
    (package / "data" / "penguins.csv").write_text("a,b\n1,2\n")
    text_ = RECIPE.replace("{type: Builtin, name: digits}", "{type: CSV, path: data/penguins.csv, target: b}")
    (package / "penguins.yaml").write_text(text_)
    monkeypatch.setattr("tui.workbench.actions.recipe.installed", lambda path: path.is_relative_to(package.resolve()))
    monkeypatch.setattr("tui.workbench.files.installed", lambda path: path.resolve().is_relative_to(package.resolve()))
    async with workbench(str(package / "penguins.yaml")) as pilot:
        app = app_of(pilot)
        assert app.folder == folder
        tab = app.session.active
        assert tab is not None
        app.session.apply(tab, (Edit("set", "train.epochs", 11),))
        await press(pilot, "s")
        assert "came with goodfit" in text(pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: (folder / "penguins.yaml").exists())
        saved = (folder / "penguins.yaml").read_text()
        assert "epochs: 11" in saved and str(package / "data" / "penguins.csv") in saved
        assert (package / "penguins.yaml").read_text() == text_
