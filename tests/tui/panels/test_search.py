"""The search room: its settings, and the list of what is searched, all as edits of the one recipe."""

from __future__ import annotations

from typing import Any

import pytest

from engine.parts import catalog
from engine.parts.part import every_part
from engine.recipe.check import check
from engine.recipe.document import Document
from engine.recipe.edits import Edit
from engine.recipe.schema import Search
from tests.tui import searches
from tui.forms.field import Field
from tui.forms.fields import fields_of
from tui.panels.search import SearchPanel, SpaceList
from tui.panels.searchable import entry_words, settings, usual

PLAIN = "data: {source: {type: Builtin, name: digits}}\nmodel: {layers: [Flatten]}\noptimizer: {type: Adam, lr: 1e-3}\n"


def space(app: Any) -> dict[str, Any]:
    found = app.context.document.get("search.space", {})
    assert isinstance(found, dict)
    return found


async def test_the_room_shows_every_setting_of_a_search_and_its_space(panel_app: Any) -> None:
    app = panel_app(SearchPanel, text=searches.RECIPE)
    async with app.run_test(size=(44, 40)) as pilot:
        await pilot.pause()
        shown = {field.path for field in app.query(Field)}
        assert shown == {f"search.{info.name}" for info in fields_of(Search) if info.name != "space"}
        for words in ("lr          1e-4 … 0.1 log", "momentum    0.85 … 0.99", "batch_size  16, 32, 64", "S starts"):
            assert words in app.lines, words


async def test_a_setting_is_added_changed_and_deleted(panel_app: Any) -> None:
    app = panel_app(SearchPanel)
    async with app.run_test(size=(80, 40)) as pilot:
        listed = app.query_one(SpaceList)
        listed.focus()
        assert "none yet" in app.lines
        await pilot.press("plus", *"lr", "enter")
        await pilot.pause()
        assert space(app) == {"optimizer.lr": {"log_uniform": [1e-4, 1e-2]}}
        assert "{log_uniform: [" in app.text and "batch_size: 32   # small" in app.text
        await pilot.press("plus", *"batch", "enter")
        await pilot.pause()
        assert space(app)["data.batch_size"] == {"choice": [8, 16, 32, 64, 128]}
        assert listed.picked == "data.batch_size", "the cursor is on what was added"
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("ctrl+u", *"int: [16, 48]", "enter")
        await pilot.pause()
        assert space(app)["data.batch_size"] == {"int": [16, 48]} and "16 … 48 whole" in app.lines
        await pilot.press("d")
        await pilot.pause()
        assert list(space(app)) == ["optimizer.lr"] and listed.picked == "optimizer.lr"
        await pilot.press("d")
        await pilot.pause()
        assert not space(app) and "none yet" in app.lines
        await pilot.press("d", "enter")
        await pilot.pause()
        assert len(app.screen_stack) == 2, "on an empty list Enter adds"


async def test_what_is_no_range_is_told_and_changes_nothing(panel_app: Any) -> None:
    app = panel_app(SearchPanel, text=searches.RECIPE)
    async with app.run_test(size=(80, 40)) as pilot:
        await pilot.pause()
        listed = app.query_one(SpaceList)
        for text in ("", "3", "uniform: [", "a: 1, b: 2", "[1, 2]"):
            listed.change("optimizer.lr", text)
        assert len(app.said) == 5 and app.text == searches.RECIPE
        listed.change("optimizer.lr", "uniform: [0.5, 0.1]")
        await pilot.pause()
        assert "✗" in app.lines and "not below" in app.lines


async def test_on_a_run_the_space_is_locked(panel_app: Any) -> None:
    class Run:
        alive = True
        replayed = False
        kind = "search"

    app = panel_app(SearchPanel, text=searches.RECIPE, run=Run())
    async with app.run_test(size=(80, 40)) as pilot:
        app.query_one(SpaceList).focus()
        await pilot.press("d", "plus", "enter")
        await pilot.pause()
        assert app.text == searches.RECIPE and len(app.screen_stack) == 1 and app.said
        assert not app.field("search.trials").control.disabled and app.field("search.sampler").control.disabled


@pytest.mark.parametrize(("width", "height"), [(28, 16), (76, 20)])
async def test_it_fits_small_places_and_broken_recipes(panel_app: Any, width: int, height: int) -> None:
    app = panel_app(SearchPanel, text=searches.RECIPE)
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.pause()
        for text in ("", "search: 3\n", "search: {space: 3}\n", "search: {space: {a..b: [1]}}\n", "a: [", "model: 3\n"):
            app.context.document.replace_text(text)
            app.take(app.context, (), "")
            await pilot.pause()
        assert app.query_one(SearchPanel).region.width == width
        app.query_one(SpaceList).action_add()
        await pilot.press("escape")


def test_every_suggested_range_is_one_that_the_recipe_takes() -> None:
    catalog.load()
    text = """\
data:
  source: {type: Builtin, name: digits}
  batch_size: 32
model:
  layers:
    - Flatten
    - {type: Linear, out_features: 128}
    - {type: Dropout, p: 0.3, name: drop1}
    - {type: Residual, layers: [{type: Linear, out_features: 128}, ReLU]}
    - {type: Linear, out_features: outputs}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 1e-3, momentum: 0.9}
scheduler: {type: StepLR, step_size: 5}
train: {epochs: 20, clip_grad_norm: 1.0}
"""
    document = Document.from_text(text)
    found = {setting.path: setting for setting in settings(document.data)}
    assert found["optimizer.lr"].entry == {"log_uniform": [1e-4, 1e-2]}
    assert found["optimizer.momentum"].entry == {"uniform": [0.85, 0.99]}
    assert found["model.layers.drop1.p"].entry == {"uniform": [0.0, 0.6]}
    assert found["model.layers.1.out_features"].entry == {"choice": [32, 64, 128, 256, 512]}
    assert not [path for path in found if "layers.4" in path and "features" in path], "the last width is the task's"
    searched = {"trials": 5, "space": {path: setting.entry for path, setting in found.items()}}
    document.apply((Edit("set", "search", searched),))
    problems = [problem for problem in check(document).problems if problem.path.startswith("search")]
    assert not [problem for problem in problems if problem.severity == "error"], problems


def test_every_field_of_every_part_has_a_usual_range_or_none() -> None:
    catalog.load()
    for cls in every_part():
        for info in fields_of(cls):
            for value in (info.default, None, 0, 1, 0.5, 64, 1e-9, "x", True):
                entry = usual(info, value)
                if entry is not None:
                    ((kind, bounds),) = entry.items()
                    assert len(bounds) >= 2 and (kind == "choice" or bounds[0] < bounds[1]), (cls, info.name, value)
                    assert kind != "log_uniform" or bounds[0] > 0
                    assert entry_words(entry)


def test_a_recipe_of_any_shape_has_settings_or_none() -> None:
    for data in (None, 3, {}, {"model": 3, "data": [], "optimizer": "SGD", "train": None}, {"model": {"layers": "x"}}):
        assert isinstance(settings(data), list)
    assert settings(Document.from_text(PLAIN).data)[0].path == "optimizer.lr"
