"""The recipe as text: edits both ways, undo, problems, saving, and files that others change."""

from __future__ import annotations

from pathlib import Path

from engine.recipe.edits import Edit
from tests.tui.workbench.conftest import RECIPE, Open, app_of, press, settle, status, text, until
from tui.views.recipe import RecipeView
from tui.workbench.dialogs import Question


def view(pilot) -> RecipeView:  # type: ignore[no-untyped-def]
    found = app_of(pilot).view
    assert isinstance(found, RecipeView)
    return found


def document(pilot):  # type: ignore[no-untyped-def]
    tab = app_of(pilot).session.active
    assert tab is not None and tab.context.document is not None
    return tab.context.document


async def test_a_recipe_opens_with_facts_and_size(workbench: Open) -> None:
    async with workbench() as pilot:
        await until(pilot, lambda: "1.8k rows, 64 → 10 classes" in status(pilot))
        assert "4.81k parameters" in status(pilot)
        assert "# Handwritten digits." in text(pilot)
        assert "MODEL · digits.yaml" in text(pilot)


async def test_letters_are_keys_until_enter_and_again_after_escape(workbench: Open) -> None:
    async with workbench() as pilot:
        await press(pilot, "z")
        assert document(pilot).text == RECIPE and view(pilot).editor.text == RECIPE
        await press(pilot, "enter", "z")
        assert view(pilot).editor.text == "z" + RECIPE
        assert "leaves the text" in status(pilot)
        await press(pilot, "escape", "u")
        assert view(pilot).editor.text == RECIPE


async def test_an_edit_appears_in_the_text_and_the_cursor_keeps_its_word(workbench: Open) -> None:
    async with workbench() as pilot:
        editor = view(pilot).editor
        row = RECIPE.splitlines().index("loss: CrossEntropyLoss")
        editor.move_cursor((row, 8))
        context = app_of(pilot).session.active.context  # type: ignore[union-attr]
        assert context.apply([Edit("insert", "model.layers.3", {"type": "ReLU"})], "insert a layer")
        await settle(pilot)
        assert editor.text == document(pilot).text != RECIPE
        line, column = editor.cursor_location
        assert (editor.text.splitlines()[line], column) == ("loss: CrossEntropyLoss", 8)
        assert "# wide" in editor.text


async def test_typing_reaches_the_document_and_undo_takes_back_what_anyone_did(workbench: Open) -> None:
    async with workbench() as pilot:
        app = app_of(pilot)
        editor = view(pilot).editor
        await press(pilot, "enter")
        editor.move_cursor((15, len("  epochs: 10")))
        await pilot.press("5")
        await until(pilot, lambda: document(pilot).get("train.epochs") == 105)
        assert "●" in text(pilot).splitlines()[1]
        app.session.active.context.set("optimizer.lr", 0.5)  # type: ignore[union-attr]
        await settle(pilot)
        assert editor.text == document(pilot).text and document(pilot).get("optimizer.lr") == 0.5
        await press(pilot, "ctrl+z")
        assert "lr: 1e-3" in editor.text and "epochs: 105" in editor.text
        await press(pilot, "ctrl+z")
        assert editor.text == RECIPE
        assert "●" not in text(pilot).splitlines()[1]
        await press(pilot, "ctrl+y", "ctrl+y")
        assert document(pilot).get("optimizer.lr") == 0.5 and document(pilot).get("train.epochs") == 105


async def test_what_was_just_typed_counts_for_the_next_action(workbench: Open, folder: Path) -> None:
    async with workbench() as pilot:
        await press(pilot, "enter")
        view(pilot).editor.move_cursor((15, len("  epochs: 10")))
        await pilot.press("7", "ctrl+s")
        await until(pilot, lambda: "epochs: 107" in (folder / "digits.yaml").read_text())


async def test_problems_are_listed_marked_gone_to_and_mended(workbench: Open) -> None:
    async with workbench() as pilot:
        app = app_of(pilot)
        app.session.typed(app.session.active, RECIPE.replace("epochs: 10", "epochs: ten\n  epohcs: 3"))  # type: ignore[arg-type]
        await settle(pilot)
        assert "✗ 2" in status(pilot)
        assert "16✗" in text(pilot) and "17✗" in text(pilot)
        assert "PROBLEMS 2" in text(pilot)
        await press(pilot, "f8")
        assert view(pilot).place[0] == 16
        await press(pilot, "f8")
        assert view(pilot).place[0] == 17
        await press(pilot, "shift+f8")
        assert view(pilot).place[0] == 16


async def test_a_fix_is_one_key_away_and_undone(workbench: Open) -> None:
    async with workbench() as pilot:
        app = app_of(pilot)
        app.session.typed(app.session.active, RECIPE.replace("CrossEntropyLoss", "NLLLoss"))  # type: ignore[arg-type]
        await settle(pilot)
        assert "✗ 1" in status(pilot)
        assert "f fix" in status(pilot)
        await press(pilot, "f")
        assert view(pilot).editor.text == RECIPE
        await press(pilot, "u")
        assert "NLLLoss" in view(pilot).editor.text


async def test_saving_writes_the_file_and_clears_the_mark(workbench: Open, folder: Path) -> None:
    async with workbench() as pilot:
        app_of(pilot).session.active.context.set("train.epochs", 3)  # type: ignore[union-attr]
        await press(pilot, "s")
        assert "epochs: 3\n" in (folder / "digits.yaml").read_text()
        assert "●" not in text(pilot).splitlines()[1]


async def test_a_file_changed_elsewhere_is_read_again_if_ours_is_clean(workbench: Open, folder: Path) -> None:
    async with workbench() as pilot:
        (folder / "digits.yaml").write_text(RECIPE.replace("1e-3", "5e-3"))
        await until(pilot, lambda: "lr: 5e-3" in view(pilot).editor.text)
        assert not document(pilot).dirty


async def test_a_file_changed_elsewhere_asks_if_ours_is_not(workbench: Open, folder: Path) -> None:
    for key, kept in (("k", "epochs: 3"), ("t", "lr: 5e-3")):
        (folder / "digits.yaml").write_text(RECIPE)
        async with workbench() as pilot:
            app_of(pilot).session.active.context.set("train.epochs", 3)  # type: ignore[union-attr]
            (folder / "digits.yaml").write_text(RECIPE.replace("1e-3", "5e-3"))
            await until(pilot, lambda pilot=pilot: isinstance(pilot.app.screen, Question))
            await until(pilot, lambda pilot=pilot: "changed on disk" in text(pilot))
            assert "+optimizer: {type: Adam, lr: 5e-3}" in text(pilot)
            await press(pilot, key)
            await until(pilot, lambda pilot=pilot: not document(pilot).dirty)
            assert kept in view(pilot).editor.text
            assert (folder / "digits.yaml").read_text() == document(pilot).text


async def test_facts_are_read_again_only_when_the_data_changed(workbench: Open, facts: list[str]) -> None:
    async with workbench() as pilot:
        await until(pilot, lambda: len(facts) == 1)
        context = app_of(pilot).session.active.context  # type: ignore[union-attr]
        context.set("optimizer.lr", 0.02)
        await settle(pilot)
        assert not context.facts_busy and len(facts) == 1
        context.set("data.batch_size", 64)
        assert context.facts_busy
        await until(pilot, lambda: len(facts) == 2)


async def test_text_from_outside_cannot_reach_the_terminal(workbench: Open, folder: Path) -> None:
    (folder / "odd.yaml").write_text("# \x1b]52;c;aGk=\x07 \x1b[31m\n" + RECIPE)
    async with workbench("odd.yaml") as pilot:
        assert "\x1b" not in text(pilot) and "\x07" not in text(pilot)
