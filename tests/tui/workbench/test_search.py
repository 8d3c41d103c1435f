"""Searches in the workbench: opened like any run, steered like any run, and what is made of a trial."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.recipe.document import Document
from engine.runs.commands import Inbox
from engine.runs.journal import encode
from tests.tui import searches
from tests.tui.searches import record_search, search
from tests.tui.workbench.conftest import Open, app_of, press, record_run, settle, status, text, until
from tests.tui.workbench.test_snapshots import compare, overflowing
from tui.views.live import LiveView
from tui.views.search.table import TrialTable
from tui.views.search.view import SearchView
from tui.workbench.open_run import ReplayedRun


@pytest.fixture
def recipe(folder: Path) -> Path:
    """The file that the searches were started from."""
    path = folder / "digits.yaml"
    path.write_text(searches.RECIPE)
    return path


def view(pilot: Any) -> SearchView:
    found = app_of(pilot).view
    assert isinstance(found, SearchView)
    return found


def active(pilot: Any) -> Any:
    return app_of(pilot).session.active


def notes(pilot: Any) -> str:
    return "\n".join(note.message for note in pilot.app._notifications)


async def told(pilot: Any, words: str) -> None:
    """The person is told so."""
    await until(pilot, lambda: words in notes(pilot))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_every_chart_as_it_stands(workbench: Open, recipe: Path, folder: Path, size: tuple[int, int]) -> None:
    run = record_search(folder / "runs", search(23, at_work=3, ended="stopped"))

    def shown() -> str:
        words = text(pilot).replace(run.name, "20260101-0900-digits-7f3a")
        return words.replace(f" {run.name[-4:]}", " 7f3a")

    async with workbench(run.name, size=size) as pilot:
        await press(pilot, "j") if size[1] >= 28 else None
        where = f"{size[0]}x{size[1]}"
        for key, kind in zip("12345", ("best", "curves", "parallel", "importance", "marginals"), strict=True):
            await press(pilot, key)
            assert view(pilot).kind == kind
            await compare(pilot, f"search-{kind}-{where}", shown)
            assert overflowing(pilot) == [] or size[1] >= 28
        await press(pilot, "down", "down", "l", "2")
        await compare(pilot, f"search-chosen-{where}", shown)
        await press(pilot, "g", "s")
        await until(pilot, lambda: "SEARCHED SETTINGS" in text(pilot))
        await compare(pilot, f"search-room-{where}", shown)


async def test_a_live_search_moves_and_takes_commands(workbench: Open, recipe: Path, folder: Path) -> None:
    run_dir, lock, journal = record_search(folder / "runs", search(5, at_work=3), alive=True)
    inbox = Inbox(run_dir)
    verbs: list[str] = []

    def received(count: int) -> bool:
        verbs.extend(command.verb for command in inbox.poll())
        return len(verbs) >= count

    async with workbench("last") as pilot:
        await until(pilot, lambda: "5/30 trials" in status(pilot) and "▶ running" in status(pilot))
        assert "3 at work" in text(pilot) and "digits" in text(pilot).splitlines()[1]
        for record in searches.trials(5, 10):
            journal.append(record)
        await until(pilot, lambda: "10/30 trials" in status(pilot))
        assert "10/30" in text(pilot).splitlines()[1] and "p pause" in status(pilot) and "y recipe" in status(pilot)
        await press(pilot, "p")
        await until(pilot, lambda: received(1))
        journal.append({"type": "paused", "step": 0})
        await until(pilot, lambda: "‖ paused" in status(pilot))
        await press(pilot, "p")
        await until(pilot, lambda: received(2))
        await press(pilot, "x", "s")
        await until(pilot, lambda: received(3))
        assert verbs == ["pause", "resume", "stop"]
        context = active(pilot).context
        assert context.locked(True) and context.locked(False, "optimizer.lr")
        assert context.locked(False, "search.trials") == ""
        await press(pilot, "k", "c")
        await told(pilot, "needs a run in front")
        await press(pilot, "g", "v")
        listed = "\n".join(active(pilot).events)
        assert "trial 9" in listed and "lr\N{NO-BREAK SPACE}" in listed and "trial epochs" not in listed
    journal.close()
    lock.release()


async def test_a_trial_becomes_the_recipe_as_one_undo_step(workbench: Open, recipe: Path, folder: Path) -> None:
    run = record_search(folder / "runs", search(23, ended="completed"))
    async with workbench(run.name) as pilot:
        await press(pilot, "y")
        await until(pilot, lambda: active(pilot).kind == "recipe")
        document = active(pilot).context.document
        best = searches.params_of(14)
        assert {path: document.get(path) for path in best} == best
        assert "# wide" in document.text and "search:" in document.text
        await told(pilot, "settings of trial 14 taken")
        assert "Beside them" not in notes(pilot)
        assert recipe.read_text() == searches.RECIPE, "nothing is written before it is saved"
        await press(pilot, "escape", "u")
        assert document.text == searches.RECIPE
        await press(pilot, "U", "[" if app_of(pilot).session.tabs[0] is not active(pilot) else "]")
        await until(pilot, lambda: active(pilot).kind == "run")
        await press(pilot, "y")
        await told(pilot, "has the settings of trial 14 already")


async def test_a_recipe_that_has_changed_since_is_told(workbench: Open, recipe: Path, folder: Path) -> None:
    run = record_search(folder / "runs", search(23, ended="completed"))
    recipe.write_text(searches.RECIPE.replace("epochs: 20", "epochs: 30").replace("lr: 1e-2", "lr: 0.5"))
    async with workbench(run.name) as pilot:
        await press(pilot, "y")
        await until(pilot, lambda: active(pilot).kind == "recipe")
        document = active(pilot).context.document
        assert (
            document.get("train.epochs") == 30
            and document.get("optimizer.lr") == searches.params_of(14)["optimizer.lr"]
        )
        await told(pilot, "Beside them digits.yaml has changed")


async def test_a_recipe_that_is_gone_becomes_a_new_one(workbench: Open, recipe: Path, folder: Path) -> None:
    run = record_search(folder / "runs", search(23, ended="completed"))
    recipe.unlink()
    async with workbench(run.name) as pilot:
        await press(pilot, "y")
        await until(pilot, lambda: active(pilot).kind == "recipe")
        assert active(pilot).context.document.get("optimizer.lr") == searches.params_of(14)["optimizer.lr"]
        await told(pilot, "not known any more")


async def test_a_trial_is_trained_and_its_own_run_is_opened(
    workbench: Open, recipe: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, str, Any]] = []

    def start_run(root: Path, name: str, recipe: str, options: Any, **more: Any) -> Path:
        started.append((name, recipe, options))
        assert more.get("kind", "train") == "train"
        return record_run(root, 1, name=name)  # type: ignore[no-any-return]

    monkeypatch.setattr("engine.runs.launch.start_run", start_run)
    child = record_run(folder / "runs", 3, name="digits-trial-14")
    launch = json.loads((child / "launch.json").read_text())
    (child / "launch.json").write_text(json.dumps({**launch, "parent": {"run": "x", "how": "child", "step": 0}}))
    records = [{**record, "run": child.name} if record.get("number") == 14 and record["type"] == "trial" else record
               for record in search(23, at_work=1, ended="completed")]  # fmt: skip
    run = record_search(folder / "runs", records)
    async with workbench(run.name) as pilot:
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app_of(pilot).view, LiveView))
        assert active(pilot).context.run.run_dir == child
        await press(pilot, "w")
        await until(pilot, lambda: isinstance(app_of(pilot).view, SearchView))
        await press(pilot, "down", "e")
        await told(pilot, "is gone")
        await press(pilot, "s", "s", "end")
        table = view(pilot).query_one(TrialTable)
        table.choose(12)
        await press(pilot, "e")
        await told(pilot, "trial 12 has no run of its own")
        table.choose(23)
        await press(pilot, "e")
        await told(pilot, "trial 23 has no run of its own yet")
        table.choose(14)
        await press(pilot, "t")
        await until(pilot, lambda: started)
        name, written, options = started[0]
        found = Document.from_text(written)
        assert name == "digits" and {path: found.get(path) for path in searches.params_of(14)} == searches.params_of(14)
        assert options.extra["recipe_path"] == str(recipe) and options.base == str(folder)
        await until(pilot, lambda: isinstance(app_of(pilot).view, LiveView))
        names = [info.path for info in app_of(pilot).runs.read(folder / "runs")]
        assert child not in names and run in names, "trials are listed in their search"


async def test_a_search_is_started_from_its_recipe(
    workbench: Open, recipe: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, str, str]] = []
    held: list[Any] = []

    def start_run(root: Path, name: str, recipe: str, options: Any, *, kind: str = "train", **_: Any) -> Path:
        started.append((name, recipe, kind))
        run_dir, lock, journal = record_search(root, searches.begin("x"), alive=True)
        held.append((lock, journal))
        return run_dir  # type: ignore[no-any-return]

    monkeypatch.setattr("engine.runs.launch.start_run", start_run)
    async with workbench() as pilot:
        context = active(pilot).context
        await until(pilot, lambda: "S search" in status(pilot))
        context.set("search.trials", "many")
        await press(pilot, "S")
        await told(pilot, "Not started")
        assert not started
        context.set("search.trials", 7)
        await press(pilot, "escape", "S")
        await until(pilot, lambda: started)
        assert started[0][0] == "digits" and "trials: 7" in started[0][1] and started[0][2] == "search"
        await until(pilot, lambda: isinstance(app_of(pilot).view, SearchView))
        assert "No trial has begun yet." in text(pilot)
        for record in searches.trials(0, 5):
            held[0][1].append(record)
        await until(pilot, lambda: "5/30" in status(pilot))
        await press(pilot, "v", "S")
        await until(pilot, lambda: "searches with this recipe already" in text(pilot))
        await press(pilot, "v")
        assert isinstance(app_of(pilot).view, SearchView) and len(started) == 1
    async with workbench() as pilot:
        await until(pilot, lambda: "is still searching" in notes(pilot))
        assert isinstance(app_of(pilot).view, SearchView)
    for lock, journal in held:
        journal.close()
        lock.release()


async def test_a_recipe_without_a_space_leads_to_its_room(workbench: Open, folder: Path) -> None:
    async with workbench() as pilot:
        assert "S search" not in status(pilot)
        await press(pilot, "S")
        await until(pilot, lambda: "SEARCHED SETTINGS" in text(pilot))
        await told(pilot, "nothing to search")
        await press(pilot, "1")
        await told(pilot, "needs a search in front")


async def test_a_search_replays_through_the_same_view(workbench: Open, recipe: Path, folder: Path) -> None:
    run = record_search(folder / "runs", search(23, ended="completed"))
    stretched = searches.numbered(search(23, ended="completed"), 0.1)
    (run / "events.log").write_bytes(b"".join(encode(record) for record in stretched))
    async with workbench(run.name) as pilot:
        whole = view(pilot).query_one(TrialTable).plain()
        await press(pilot, "a")
        await until(pilot, lambda: isinstance(active(pilot).context.run, ReplayedRun))
        assert status(pilot).index("space ") < status(pilot).index("> faster")
        await press(pilot, "$")
        await until(pilot, lambda: view(pilot).query_one(TrialTable).plain() == whole)
        await press(pilot, "m", "m")
        assert view(pilot).kind == "parallel"
        await press(pilot, "space")
        await until(pilot, lambda: len(active(pilot).context.run.history.trials.order) < 23)
        await press(pilot, "$")
        await until(pilot, lambda: view(pilot).query_one(TrialTable).plain() == whole)
        await settle(pilot)


async def test_a_search_that_ended_goes_on_with_more_trials(
    workbench: Open, recipe: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        "tui.workbench.actions.run.resume_run", lambda run_dir, options, edits, **_: asked.append(edits)
    )
    run = record_search(folder / "runs", search(30, ended="completed"))
    async with workbench(run.name) as pilot:
        await press(pilot, "r")
        await told(pilot, "raise search.trials")
        assert not asked
        recipe.write_text(searches.RECIPE.replace("trials: 30", "trials: 50").replace("epochs: 20", "epochs: 9"))
        await press(pilot, "r")
        await until(pilot, lambda: "Resume with 1 change" in text(pilot))
        await press(pilot, "w")
        await until(pilot, lambda: asked)
        assert [edit["path"] for edit in asked[0]] == ["search.trials"]


async def test_a_thousand_trials_open_and_sort(workbench: Open, recipe: Path, folder: Path) -> None:
    run = record_search(folder / "runs", search(1000, ended="completed"))
    async with workbench(run.name, size=(120, 40)) as pilot:
        await until(pilot, lambda: "completed: 1000 trials" in text(pilot))
        table = view(pilot).query_one(TrialTable)
        for key in "12345":
            await press(pilot, key)
            assert "◆" in text(pilot)
        await press(pilot, "end")
        assert table.order.index(table.chosen.number) == 999  # type: ignore[union-attr]
        await press(pilot, "s")
        assert table.sort == "optimizer.lr"
        await press(pilot, "S")
        assert table.turned and table.order[0] != 14
        await press(pilot, "h")
        assert "h turns their pages" in notes(pilot) or view(pilot).page
