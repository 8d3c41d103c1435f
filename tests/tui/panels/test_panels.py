"""The data, optimizer and regularization panels: facts in words, settings as edits of the one recipe."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Static

from engine.parts import catalog
from engine.recipe.check import check
from engine.recipe.document import Document
from engine.recipe.edits import Edit
from engine.recipe.schema import Data, Train
from tui.charts.line import LineChart
from tui.forms.field import Field, Line
from tui.forms.form import FieldHelp, Form
from tui.panels.data import DataPanel, Features, steps_per_epoch
from tui.panels.optimizer import OptimizerPanel, schedule_picture
from tui.panels.part_list import PartList
from tui.panels.regularization import RegularizationPanel
from tui.workbench.context import Reveal


async def test_the_data_panel_tells_what_the_data_is(panel_app: Any) -> None:
    app = panel_app(DataPanel)
    async with app.run_test(size=(40, 80)) as pilot:
        await pilot.pause()
        for words in (
            "1257 train, 270 val",
            "10 classes",
            "1×8×8",
            "! zip code looks like an identifier",
            "! 2 rows stand in both train and",
            "40 updates an epoch",
            "12 gone",
            "━━━",
        ):
            assert words in app.lines, words
        assert "\x1b[31m" not in app.lines


async def test_the_batch_size_tells_the_updates_in_an_epoch(panel_app: Any) -> None:
    app = panel_app(DataPanel)
    async with app.run_test(size=(40, 80)) as pilot:
        line = app.field("data.batch_size").query_one(Line)
        line.focus()
        await pilot.press("pageup", "enter")
        await pilot.pause()
        assert "batch_size: 64   # small" in app.text and "20 updates an epoch" in app.lines


async def test_a_columns_type_can_be_set_and_left_to_the_reader(panel_app: Any) -> None:
    app = panel_app(DataPanel)
    async with app.run_test(size=(60, 80)) as pilot:
        features = app.query_one(Features)
        features.focus()
        features.highlighted = 1
        await pilot.press("enter", *"ignore", "enter")
        await pilot.pause()
        name = "zip\x1b[31m code"
        assert app.context.document.data["data"]["columns"] == {name: "ignore"}
        assert features.names[1] == name
        await pilot.press("d")
        await pilot.pause()
        assert not app.context.document.data["data"].get("columns")


async def test_data_that_cannot_be_read_says_why(panel_app: Any) -> None:
    app = panel_app(DataPanel, facts=None)
    async with app.run_test(size=(40, 40)) as pilot:
        app.context.facts_error = "no file \x1b]0;x\x07named x.csv"
        app.learn(None)
        await pilot.pause()
        assert "✗ no file named x.csv" in app.lines


async def test_between_them_the_panels_show_every_setting_of_data_and_training(panel_app: Any) -> None:
    shown = set()
    for panel in (DataPanel, OptimizerPanel, RegularizationPanel):
        app = panel_app(panel)
        async with app.run_test(size=(40, 60)):
            shown |= {widget.path for widget in (*app.query(Field), *app.query(Form))}
            shown |= {widget.path for widget in app.query(PartList)}
            if app.query(Features):
                shown.add("data.columns")
    wanted = {f"data.{info.name}" for info in catalog.describe(Data)}
    wanted |= {f"train.{info.name}" for info in catalog.describe(Train)}
    assert wanted <= shown, wanted - shown


async def test_the_schedule_is_drawn_over_the_planned_run(panel_app: Any) -> None:
    app = panel_app(OptimizerPanel)
    async with app.run_test(size=(40, 60)) as pilot:
        await pilot.pause()
        chart = app.query_one(LineChart)
        assert chart.picture.high == 40 and "From 1e-3 over 40 epochs." in app.lines
        before = chart.plain()
        app.take(app.context, (Edit("set", "scheduler", {"type": "StepLR", "step_size": 10}),), "")
        await pilot.pause()
        assert chart.plain() != before


@pytest.mark.parametrize("scheduler", ["StepLR", "MultiStepLR", "ExponentialLR", "CosineAnnealingLR", "OneCycleLR"])
def test_every_schedule_draws(panel_app: Any, scheduler: str) -> None:
    fields = {"StepLR": ", step_size: 5", "MultiStepLR": ", milestones: [3, 6]", "ExponentialLR": ", gamma: 0.8"}
    recipe = check(
        Document.from_text(
            "data: {source: {type: Builtin, name: digits}}\nmodel: {layers: [Flatten]}\n"
            f"optimizer: {{type: SGD, lr: 0.1}}\nscheduler: {{type: {scheduler}{fields.get(scheduler, '')}}}\n"
        )
    ).recipe
    assert recipe is not None
    picture = schedule_picture(recipe, 100)
    assert picture is not None
    xs, rates, _, _ = picture.traces[0].window(0, 20, 400)
    assert len(xs) == 400 and max(rates) <= 0.1 + 1e-9 and min(rates) < 0.1 and min(rates) >= 0


async def test_optimizer_settings_are_edits(panel_app: Any) -> None:
    app = panel_app(OptimizerPanel)
    async with app.run_test(size=(40, 60)) as pilot:
        app.field("train.epochs").query_one(Line).focus()
        await pilot.press("pageup", "enter")
        await pilot.pause()
        assert "epochs: 41" in app.text
        assert "over 41 epochs" in app.lines


async def test_regularization_gathers_what_the_recipe_has(panel_app: Any) -> None:
    app = panel_app(RegularizationPanel)
    async with app.run_test(size=(40, 40)) as pilot:
        await pilot.pause()
        paths = [field.path for field in app.query(Field)]
        assert paths == ["model.layers.3.p", "optimizer.weight_decay", "loss.label_smoothing"]
        assert "3 drop1" in app.lines
        app.field("model.layers.3.p").query_one(Line).focus()
        await pilot.press("pageup", "enter")
        await pilot.pause()
        assert "{type: Dropout, p: 0.35, name: drop1}" in app.text
        assert app.focused is app.field("model.layers.3.p").query_one(Line)


async def test_label_smoothing_writes_the_usual_loss_out(panel_app: Any) -> None:
    app = panel_app(RegularizationPanel)
    async with app.run_test(size=(40, 40)) as pilot:
        app.field("loss.label_smoothing").query_one(Line).focus()
        await pilot.press(*"0.1", "enter")
        await pilot.pause()
        assert app.context.document.get("loss") == {"type": "CrossEntropyLoss", "label_smoothing": 0.1}


async def test_dropouts_come_and_go_with_the_layers(panel_app: Any) -> None:
    app = panel_app(RegularizationPanel)
    async with app.run_test(size=(40, 40)) as pilot:
        app.take(app.context, (Edit("insert", "model.layers.0", {"type": "Dropout", "p": 0.1}),), "")
        await pilot.pause()
        assert [f.path for f in app.query(".dropout Field").results(Field)] == ["model.layers.0.p", "model.layers.4.p"]
        app.take(app.context, (Edit("unset", "model.layers.4"), Edit("unset", "model.layers.0")), "")
        await pilot.pause()
        assert not app.query(".dropout Field") and "No dropout layers" in app.lines


async def test_augmentations_are_a_list(panel_app: Any) -> None:
    app = panel_app(RegularizationPanel)
    async with app.run_test(size=(60, 40)) as pilot:
        app.query_one(PartList).focus()
        await pilot.press("plus", *"Rotation", "enter")
        await pilot.pause()
        assert app.context.document.get("data.augment.0.type") == "RandomRotation"
        await pilot.press("enter", "tab")
        assert app.field("data.augment.0.degrees").query_one(Line).has_focus
        await pilot.press(*"15", "enter")
        await pilot.pause()
        assert app.context.document.get("data.augment.0.degrees") == 15


async def test_early_stopping_switches_on(panel_app: Any) -> None:
    app = panel_app(RegularizationPanel)
    async with app.run_test(size=(40, 40)) as pilot:
        app.query(Form).first().query("Choice").first().focus()
        await pilot.press("right", "enter")
        await pilot.pause()
        assert app.context.document.get("train.early_stopping.patience") == 8
        app.query_one(RegularizationPanel).post_message(Reveal("train.early_stopping.patience"))
        await pilot.pause()
        assert app.field("train.early_stopping.patience").query_one(Line).has_focus


async def test_whatever_has_the_focus_is_explained(panel_app: Any) -> None:
    for panel in (OptimizerPanel, RegularizationPanel):
        app = panel_app(panel)
        async with app.run_test(size=(40, 50)) as pilot:
            for control in app.query("Choice, Line"):
                if control.focusable:
                    control.focus()
                    await pilot.pause()
                    assert str(app.query_one(FieldHelp).content), control.parent


@pytest.mark.parametrize("panel", [DataPanel, OptimizerPanel, RegularizationPanel])
@pytest.mark.parametrize(("width", "height"), [(28, 16), (76, 20)])
async def test_they_fit_small_places_and_broken_recipes(panel_app: Any, panel: Any, width: int, height: int) -> None:
    app = panel_app(panel)
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.pause()
        for text in ("", "data: 3\noptimizer: [1]\ntrain: {epochs: x}\nmodel: {layers: 7}\n", "a: [", "loss: 3\n"):
            app.context.document.replace_text(text)
            app.take(app.context, (), "")
            await pilot.pause()
        assert app.query_one(panel).region.width == width


async def test_what_is_wrong_stands_at_its_field(panel_app: Any) -> None:
    app = panel_app(OptimizerPanel)
    async with app.run_test(size=(40, 60)) as pilot:
        app.context.document.replace_text(app.text.replace("lr: 1e-3", "lr: -1"))
        app.take(app.context, (), "")
        await pilot.pause()
        assert app.field("optimizer.lr").query_one(".field--message", Static).display


def test_updates_in_an_epoch(panel_app: Any) -> None:
    facts = panel_app(DataPanel).context.facts
    assert steps_per_epoch(facts, {"batch_size": 100}) == 13
    assert steps_per_epoch(facts, {"batch_size": 100, "drop_last": True}) == 12
    assert steps_per_epoch(facts, {"batch_size": 100, "limit": 50}) == 1
    assert steps_per_epoch(facts, {"batch_size": "x"}) is None
    assert steps_per_epoch(facts, 7) == 40
