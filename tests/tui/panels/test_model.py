"""The model panel: shapes beside layers, mistakes at their row, and every change an edit."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Input, Static

from engine.recipe.edits import Edit
from tui.forms.field import Field, Line
from tui.forms.form import Form
from tui.panels.model import ModelPanel, size_words
from tui.panels.part_list import PartList
from tui.workbench.context import Reveal


async def test_rows_show_shapes_and_parameters(panel_app: Any) -> None:
    app = panel_app(ModelPanel)
    async with app.run_test(size=(40, 30)) as pilot:
        await pilot.pause()
        lines = [line.split() for line in app.lines.splitlines()]
        assert lines[0] == ["in", "1×8×8"]
        assert lines[1] == ["0", "Flatten", "64"]
        assert lines[2] == ["1", "Linear", "128", "128", "8.32k"]
        assert lines[4] == ["3", "Dropout", "0.3", "drop1", "128"]
        assert lines[6][:4] == ["0", "Linear", "128", "128"] and app.lines.splitlines()[6].startswith("    ")
        assert lines[8][-2:] == ["10", "1.29k"]
        assert "26.1k parameters, 104 kB" in app.lines


async def test_an_impossible_shape_is_marked_on_its_row(panel_app: Any) -> None:
    app = panel_app(
        ModelPanel,
        text="""\
data: {source: {type: Builtin, name: digits}}
model:
  layers:
    - Flatten
    - {type: Conv2d, out_channels: 8, kernel_size: 3}
    - ReLU
optimizer: Adam
""",
    )
    async with app.run_test(size=(40, 30)) as pilot:
        await pilot.pause()
        lines = app.lines.splitlines()
        (broken,) = [y for y, line in enumerate(lines) if "✗" in line]
        assert "Conv2d" in lines[broken] and lines[broken + 1].strip()


async def test_the_form_follows_the_cursor_and_edits_the_layer(panel_app: Any) -> None:
    app = panel_app(ModelPanel)
    async with app.run_test(size=(40, 30)) as pilot:
        layers = app.query_one(PartList)
        layers.focus()
        await pilot.press("down")
        await pilot.pause()
        assert app.query(Form).first().path == "model.layers.1"
        await pilot.press("enter", "tab")
        assert isinstance(app.focused, Line)
        await pilot.press(*"256", "enter")
        await pilot.pause()
        assert "- {type: Linear, out_features: 256}" in app.text
        assert "16.6k" in app.lines and app.focused is not None


async def test_layers_are_added_copied_moved_and_deleted(panel_app: Any) -> None:
    app = panel_app(ModelPanel)
    before = app.text
    async with app.run_test(size=(60, 34)) as pilot:
        layers = app.query_one(PartList)
        layers.focus()
        await pilot.press("down", "down", "plus")
        await pilot.pause()
        assert isinstance(app.focused, Input)
        await pilot.press(*"GELU", "enter")
        await pilot.pause()
        assert "    - ReLU\n    - GELU\n" in app.text and layers.picked.path == "model.layers.3"
        await pilot.press("K")
        await pilot.pause()
        assert "    - GELU\n    - ReLU\n" in app.text and layers.picked.path == "model.layers.2"
        await pilot.press("D")
        await pilot.pause()
        assert app.text.count("GELU") == 2 and layers.picked.path == "model.layers.3"
        await pilot.press("d", "up", "d")
        await pilot.pause()
        assert app.text == before


async def test_a_copy_leaves_the_name_with_the_first(panel_app: Any) -> None:
    app = panel_app(ModelPanel)
    async with app.run_test(size=(40, 30)) as pilot:
        layers = app.query_one(PartList)
        layers.focus()
        await pilot.press("down", "down", "down", "D")
        await pilot.pause()
        assert app.text.count("name: drop1") == 1 and app.text.count("Dropout") == 2


async def test_layers_inside_a_block_are_edited_in_place(panel_app: Any) -> None:
    app = panel_app(ModelPanel)
    async with app.run_test(size=(60, 34)) as pilot:
        layers = app.query_one(PartList)
        layers.focus()
        await pilot.press("down", "down", "down", "down")
        assert layers.picked.type == "Residual"
        await pilot.press("i", *"Tanh", "enter")
        await pilot.pause()
        assert app.context.document.get("model.layers.4.layers.2") == "Tanh"
        assert layers.picked.path == "model.layers.4.layers.2"
        await pilot.press("d")
        await pilot.pause()
        assert len(app.context.document.get("model.layers.4.layers")) == 2


async def test_a_first_layer_can_be_added_to_none(panel_app: Any) -> None:
    app = panel_app(ModelPanel, text="data: {source: {type: Builtin, name: digits}}\n")
    async with app.run_test(size=(60, 30)) as pilot:
        assert "none yet" in app.lines
        app.query_one(PartList).focus()
        await pilot.press("plus", *"Flatten", "enter")
        await pilot.pause()
        assert app.context.document.get("model.layers") == ["Flatten"]


async def test_a_change_elsewhere_keeps_the_cursor_and_the_focus(panel_app: Any) -> None:
    app = panel_app(ModelPanel)
    async with app.run_test(size=(40, 30)) as pilot:
        layers = app.query_one(PartList)
        layers.focus()
        await pilot.press("down")
        app.take(app.context, (Edit("set", "model.layers.1.out_features", 32), Edit("set", "train.epochs", 3)), "")
        await pilot.pause()
        assert layers.picked.path == "model.layers.1" and app.focused is layers
        assert app.field("model.layers.1.out_features").text == "32"


async def test_on_a_run_the_list_is_locked_and_dropout_is_not(panel_app: Any) -> None:
    class Run:
        alive = True
        replayed = False
        kind = "train"

    app = panel_app(ModelPanel, run=Run())
    before = app.text
    async with app.run_test(size=(40, 30)) as pilot:
        app.query_one(PartList).focus()
        await pilot.press("down", "down", "down", "d", "D", "J", "plus")
        assert app.text == before and len(app.screen_stack) == 1
        assert "fork to change" in app.said[0]
        assert not app.field("model.layers.3.p").query_one(Line).disabled
        assert app.field("model.layers.3.name").query_one(Line).disabled


async def test_reveal_goes_to_the_setting(panel_app: Any) -> None:
    app = panel_app(ModelPanel)
    async with app.run_test(size=(40, 30)) as pilot:
        app.query_one(ModelPanel).post_message(Reveal("model.layers.3.p"))
        await pilot.pause()
        await pilot.pause()
        assert app.query_one(PartList).picked.path == "model.layers.3"
        assert isinstance(app.focused, Line) and isinstance(app.focused.parent, Field)
        assert app.focused.parent.path == "model.layers.3.p"


async def test_without_facts_and_with_broken_recipes_it_stays_useful(panel_app: Any) -> None:
    app = panel_app(ModelPanel, facts=None)
    async with app.run_test(size=(40, 30)) as pilot:
        await pilot.pause()
        assert "Linear 128" in app.lines
        app.context.document.replace_text("model: {layers: [{type: Linaer}, 7, ReLU]}\n")
        app.take(app.context, (), "")
        await pilot.pause()
        assert "Linaer" in app.lines
        app.context.document.replace_text("model: [broken")
        app.take(app.context, (), "")
        await pilot.pause()
        assert "none yet" in app.lines


@pytest.mark.parametrize(("width", "height"), [(28, 16), (36, 20), (76, 20)])
async def test_it_fits_small_places(panel_app: Any, width: int, height: int) -> None:
    app = panel_app(ModelPanel)
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.pause()
        assert "Linear" in app.lines and "parameters" in app.lines and "type" in app.lines


async def test_names_from_outside_are_cleaned(panel_app: Any) -> None:
    app = panel_app(ModelPanel, text='model: {layers: [{type: ReLU, name: "a\\e[31mb"}, "\\e]0;x\\a"]}\n')
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        assert "\x1b" not in app.lines and all(c.isprintable() or c == "\n" for c in app.lines)


def test_sizes_in_words() -> None:
    assert [size_words(n) for n in (12, 38_400, 2_500_000, 3_000_000_000)] == ["12 B", "38.4 kB", "2.5 MB", "3 GB"]


async def test_totals_wait_for_shapes(panel_app: Any) -> None:
    app = panel_app(ModelPanel, facts=None)
    async with app.run_test(size=(40, 30)) as pilot:
        await pilot.pause()
        assert "parameters: known once" in str(app.query_one(".model--total", Static).content)


@pytest.mark.parametrize("layers", [4, 40])
async def test_a_layer_takes_one_line_whatever_the_width(panel_app: Any, layers: int) -> None:
    text = "data: {source: {type: Builtin, name: digits}}\nmodel:\n  layers:\n    - Flatten\n"
    text += "    - {type: Linear, out_features: 128}\n" * layers + "optimizer: Adam\n"
    app = panel_app(ModelPanel, text=text)
    async with app.run_test(size=(40, 30)) as pilot:
        for width in (40, 33, 36):
            await pilot.resize_terminal(width, 30)
            await pilot.pause()
            held = app.query_one(PartList)
            assert held.virtual_size.height == layers + 1
            assert sum("Linear" in line for line in app.lines.splitlines()) > 3
