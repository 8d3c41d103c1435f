"""Forms: made from declarations, bound both ways, and plain about what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Input, Static

from engine.parts import catalog
from engine.parts.part import every_part, names
from engine.recipe.edits import Edit
from engine.recipe.schema import Data, Train
from tui.forms.choice import Choice
from tui.forms.field import Field, Line
from tui.forms.form import Form, help_of
from tui.forms.starting import starting_part

catalog.load()

RECIPE = """\
# kept
data: {batch_size: 32}
model:
  layers:
    - Flatten
    - {type: Linear, out_features: 64}   # wide
    - ReLU
    - {type: Dropout, p: 0.3}
optimizer: {type: Adam, lr: 1e-3}
train:
  epochs: 20
"""

PLACES = {
    "layer": "model.layers.0",
    "init": "model.init",
    "loss": "loss",
    "optimizer": "optimizer",
    "scheduler": "scheduler",
    "augmentation": "data.augment.0",
    "metric": "metrics.0",
    "source": "data.source",
}


def optimizer(context: Any) -> list[Form]:
    return [Form(context, "optimizer", family="optimizer")]


@pytest.mark.parametrize("family", PLACES)
async def test_the_form_of_every_part_shows_every_field(bench: Any, family: str) -> None:
    path = PLACES[family]
    app = bench("{}", lambda context: [Form(context, path, family=family)])
    async with app.run_test(size=(40, 30)) as pilot:
        form = app.query(Form).first()
        for name in names(family):
            holder: Any = [starting_part(family, name)]
            top = path.removesuffix(".0")
            app.change(Edit("set", top, holder if top != path else holder[0]))
            await pilot.pause()
            cls = next(c for c in every_part() if c.family == family and c.type_name() == name)
            wanted = [info.name for info in catalog.describe(cls)]
            assert sorted(form.fields) == sorted(wanted), name
            assert form.query(Choice).first().word == name
            for row in form.fields.values():
                assert row.region.height >= 1 and row.region.right <= 40


@pytest.mark.parametrize(("section", "path"), [(Train, "train"), (Data, "data")])
async def test_the_form_of_a_section_shows_every_field(bench: Any, section: Any, path: str) -> None:
    fields = catalog.describe(section)
    app = bench(RECIPE, lambda context: [Form(context, path, fields=fields)])
    async with app.run_test(size=(40, 40)):
        assert list(app.query(Form).first().fields) == [info.name for info in fields]


async def test_enter_applies_and_touches_only_its_line(bench: Any) -> None:
    app = bench(RECIPE, lambda context: [Form(context, "model.layers.1", family="layer")])
    async with app.run_test(size=(40, 30)) as pilot:
        app.field("model.layers.1.out_features").query_one(Line).focus()
        await pilot.press(*"128", "enter")
        assert app.text == RECIPE.replace("out_features: 64", "out_features: 128")


async def test_escape_restores(bench: Any) -> None:
    app = bench(RECIPE, optimizer)
    async with app.run_test(size=(40, 30)) as pilot:
        field = app.field("optimizer.lr")
        field.query_one(Line).focus()
        await pilot.press(*"5")
        await pilot.pause()
        assert field.pending and field.has_class("-pending")
        await pilot.press("escape")
        await pilot.pause()
        assert field.text == "1e-3" and not field.has_class("-pending")
        assert app.text == RECIPE


async def test_a_field_left_out_shows_its_default_dimmed_and_can_be_left_out_again(bench: Any) -> None:
    app = bench(RECIPE, optimizer)
    async with app.run_test(size=(40, 30)) as pilot:
        field = app.field("optimizer.weight_decay")
        line = field.query_one(Line)
        assert line.value == "" and line.placeholder not in ("", "needed")
        line.focus()
        await pilot.press(*"1e-2", "enter")
        assert "weight_decay: 0.01" in app.text
        line.value = ""
        await pilot.press("enter")
        assert app.text == RECIPE


@pytest.mark.parametrize(
    ("path", "typed", "why"),
    [
        ("optimizer.lr", "-1", "above 0"),
        ("optimizer.lr", "fast", "must be a number"),
        ("optimizer.lr", "[1", "cannot be read"),
    ],
)
async def test_bad_input_says_why_at_the_field(bench: Any, path: str, typed: str, why: str) -> None:
    app = bench(RECIPE, optimizer)
    async with app.run_test(size=(40, 30)) as pilot:
        field = app.field(path)
        line = field.query_one(Line)
        line.focus()
        line.value = typed
        await pilot.press("enter")
        await pilot.pause()
        assert why in str(field.query_one(".field--message", Static).content)
        assert field.query_one(".field--message").display and app.text == RECIPE
        assert line.has_focus


async def test_what_is_needed_cannot_be_left_out(bench: Any) -> None:
    app = bench(RECIPE, lambda context: [Form(context, "model.layers.1", family="layer")])
    async with app.run_test(size=(40, 30)) as pilot:
        field = app.field("model.layers.1.out_features")
        field.query_one(Line).focus()
        await pilot.press("backspace", "enter")
        assert "this is needed" in str(field.query_one(".field--message", Static).content)
        assert app.text == RECIPE


async def test_arrows_step_numbers(bench: Any) -> None:
    app = bench(RECIPE, lambda context: [*optimizer(context), Form(context, "model.layers.3", family="layer")])
    async with app.run_test(size=(40, 30)) as pilot:
        lr = app.field("optimizer.lr").query_one(Line)
        lr.focus()
        await pilot.press("pageup", "pageup")
        assert lr.value == "5e-3"
        await pilot.press("pagedown", "pagedown", "pagedown")
        assert lr.value == "5e-4"
        p = app.field("model.layers.3.p").query_one(Line)
        p.focus()
        await pilot.press("pageup", "enter")
        assert "p: 0.35" in app.text


async def test_another_type_brings_other_fields_and_says_what_it_drops(bench: Any) -> None:
    said: list[str] = []
    app = bench(
        RECIPE.replace("lr: 1e-3", "lr: 1e-3, betas: [0.8, 0.9]"),
        optimizer,
        on_say=lambda message, severity: said.append(message),
    )
    async with app.run_test(size=(40, 30)) as pilot:
        form = app.query(Form).first()
        form.query(Choice).first().focus()
        while form.query(Choice).first().word != "SGD":
            await pilot.press("right")
        await pilot.press("enter")
        await pilot.pause()
        assert "{type: SGD, lr: 1e-3}" in app.text
        assert "momentum" in form.fields and "betas" not in form.fields
        assert form.query(Choice).first().has_focus
        assert said and "betas" in said[0]


async def test_a_change_from_elsewhere_shows_without_losing_focus_or_typed_words(bench: Any) -> None:
    app = bench(RECIPE, optimizer)
    async with app.run_test(size=(40, 30)) as pilot:
        lr, decay = app.field("optimizer.lr"), app.field("optimizer.weight_decay")
        decay.query_one(Line).focus()
        await pilot.press(*"0.1")
        app.change(Edit("set", "optimizer.lr", 0.5), Edit("set", "optimizer.weight_decay", 0.2))
        await pilot.pause()
        assert lr.text == "0.5"
        assert decay.text == "0.1" and decay.pending and app.focused is decay.query_one(Line)
        await pilot.press("escape")
        assert decay.text == "0.2"


async def test_a_type_changed_elsewhere_swaps_the_fields(bench: Any) -> None:
    app = bench(RECIPE, optimizer)
    async with app.run_test(size=(40, 30)) as pilot:
        form = app.query(Form).first()
        app.change(Edit("set", "optimizer", {"type": "SGD", "lr": 0.1, "momentum": 0.9}))
        await pilot.pause()
        assert app.field("optimizer.momentum").text == "0.9" and "betas" not in form.fields


async def test_a_part_in_short_form_takes_a_field(bench: Any) -> None:
    app = bench(
        RECIPE.replace("- ReLU", "- LeakyReLU"), lambda context: [Form(context, "model.layers.2", family="layer")]
    )
    async with app.run_test(size=(40, 30)) as pilot:
        app.field("model.layers.2.negative_slope").query_one(Line).focus()
        await pilot.press(*"0.2", "enter")
        assert "type: LeakyReLU" in app.text and "negative_slope: 0.2" in app.text


async def test_what_may_be_absent_can_be_switched_on_and_off(bench: Any) -> None:
    stop = next(info for info in catalog.describe(Train) if info.name == "early_stopping")
    app = bench(
        RECIPE,
        lambda context: [
            Form(context, "scheduler", family="scheduler", optional=True),
            Form(context, "train.early_stopping", fields=stop.fields, optional=True, label="early stopping"),
        ],
    )
    async with app.run_test(size=(40, 40)) as pilot:
        schedule, stopping = (f for f in app.query(Form) if f.path in ("scheduler", "train.early_stopping"))
        assert not schedule.fields and not stopping.fields
        assert schedule.choose("CosineAnnealingLR") and stopping.choose("on")
        await pilot.pause()
        assert "scheduler: CosineAnnealingLR" in app.text and "patience: 8" in app.text
        assert "T_max" in schedule.fields and "patience" in stopping.fields
        assert schedule.choose(None) and stopping.choose(None)
        await pilot.pause()
        assert not schedule.fields and not stopping.fields and app.text == RECIPE


async def test_on_a_live_run_live_fields_apply_and_the_rest_are_locked(bench: Any) -> None:
    sent: list[Any] = []

    class Run:
        alive = True
        replayed = False
        kind = "train"

    app = bench(RECIPE, optimizer, run=Run(), on_apply=lambda c, edits, words: bool(sent.append(edits)) or True)
    async with app.run_test(size=(40, 30)) as pilot:
        lr = app.field("optimizer.lr").query_one(Line)
        await pilot.pause()
        assert not lr.disabled and app.field("optimizer.eps").query_one(Line).disabled
        assert app.field("optimizer.eps").note and not app.field("optimizer.lr").note
        assert app.query(Choice).first().disabled
        lr.focus()
        await pilot.press(*"3e-4", "enter")
        assert sent == [(Edit("set", "optimizer.lr", 3e-4, expect=1e-3),)]
        Run.alive = False
        for form in app.query(Form):
            form.sync()
        assert lr.disabled


async def test_a_refused_edit_is_said_at_the_field(bench: Any) -> None:
    app = bench(RECIPE, optimizer, on_apply=lambda *_: False)
    async with app.run_test(size=(40, 30)) as pilot:
        app.field("optimizer.lr").query_one(Line).focus()
        await pilot.press(*"1", "enter")
        assert "not applied" in str(app.field("optimizer.lr").query_one(".field--message", Static).content)


async def test_names_from_outside_lose_their_control_characters(bench: Any) -> None:
    app = bench(
        'data: {source: {type: CSV, path: "a\\e]0;x\\ab.csv", target: y}}',
        lambda context: [Form(context, "data.source", family="source")],
    )
    async with app.run_test(size=(40, 30)):
        assert app.field("data.source.path").text.isprintable()


async def test_help_tells_bounds_and_what_larger_means(bench: Any) -> None:
    app = bench(RECIPE, optimizer)
    async with app.run_test(size=(40, 30)):
        words = help_of(app.field("optimizer.lr").query_one(Input))
        assert "learning rate" in words and "> 0" in words and "may diverge" in words
        assert help_of(app.query(Choice).first())


async def test_every_field_has_help(bench: Any) -> None:
    for cls in every_part():
        assert all(info.help for info in catalog.describe(cls)), cls


def test_fields_are_unbound_until_mounted(bench: Any) -> None:
    app = bench(RECIPE, optimizer)
    Field(app.context, "optimizer.lr", catalog.describe(next(iter(every_part())))[0]).sync()
