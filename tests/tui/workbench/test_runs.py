"""Runs in the workbench: live, ended, replayed; commands, live edits, starting, stopping, leaving, coming back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.recipe.edits import Edit
from engine.runs.commands import Inbox
from tests.tui.workbench.conftest import RECIPE, Open, app_of, press, record_run, settle, status, steps, text, until
from tui.workbench.dialogs import Question
from tui.workbench.log import Log
from tui.workbench.open_run import OpenRun, ReplayedRun


def run_of(pilot) -> OpenRun:  # type: ignore[no-untyped-def]
    tab = app_of(pilot).session.active
    assert tab is not None and tab.context.run is not None
    return tab.context.run


def notes(pilot) -> str:  # type: ignore[no-untyped-def]
    return "\n".join(note.message for note in pilot.app._notifications)


async def test_a_run_opens_with_every_point_and_its_state_in_words(workbench: Open, folder: Path) -> None:
    run_dir = record_run(folder / "runs")
    async with workbench(run_dir.name[-4:]) as pilot:
        run = run_of(pilot)
        assert [row["epoch"] for row in run.history.epochs] == [1, 2, 3]
        assert "■ stopped" in status(pilot) and "3/10" in status(pilot)
        assert f"run {run.short}, stopped" in text(pilot)
        assert app_of(pilot).session.active.context.document.text == RECIPE  # type: ignore[union-attr]
        await press(pilot, "g", "v")
        events = "\n".join(pilot.app.query_one("#events", Log).lines)
        assert "started" in events and "finished" in events and "finished" in text(pilot)
        for key in ("p", "x"):
            await press(pilot, key)
            assert "has ended" in notes(pilot)


async def test_a_live_run_moves_and_takes_commands(workbench: Open, folder: Path) -> None:
    run_dir, lock, journal = record_run(folder / "runs", 1, finished=False, alive=True)
    inbox = Inbox(run_dir)
    verbs: list[tuple[str, dict[str, Any]]] = []

    def received(count: int) -> bool:
        verbs.extend((command.verb, command.fields) for command in inbox.poll())
        return len(verbs) >= count

    async with workbench("last") as pilot:
        await until(pilot, lambda: "▶ running" in status(pilot) and "1/10" in status(pilot))
        for record in steps(2):
            journal.append(record)
        await until(pilot, lambda: "2/10" in status(pilot))
        assert "digits" in text(pilot).splitlines()[1] and "2/10" in text(pilot).splitlines()[1]
        await press(pilot, "p")
        await until(pilot, lambda: received(1))
        journal.append({"type": "paused", "step": 20})
        await until(pilot, lambda: "‖ paused" in status(pilot) and "go on" in status(pilot))
        await press(pilot, "p")
        await until(pilot, lambda: received(2))
        await press(pilot, "c")
        await until(pilot, lambda: received(3))
        await press(pilot, "x")
        assert isinstance(pilot.app.screen, Question)
        await press(pilot, "c")
        await press(pilot, "x", "s")
        await until(pilot, lambda: received(4))
        assert [verb for verb, _ in verbs] == ["pause", "resume", "checkpoint", "stop"]
    journal.close()
    lock.release()


async def test_live_edits_are_sent_shown_when_they_count_and_taken_back(workbench: Open, folder: Path) -> None:
    run_dir, lock, journal = record_run(folder / "runs", 1, finished=False, alive=True)
    inbox = Inbox(run_dir)
    async with workbench("last") as pilot:
        await until(pilot, lambda: run_of(pilot).alive)
        context = app_of(pilot).session.active.context  # type: ignore[union-attr]
        assert context.locked(live=True) == ""
        assert "fork" in context.locked(live=False)
        assert context.apply([Edit("set", "optimizer.lr", 0.5)], "lr")
        found: list[Any] = []
        await until(pilot, lambda: found.extend(inbox.poll()) or found)
        assert found[0].verb == "set" and found[0].fields["edits"][0]["value"] == 0.5
        assert context.document.get("optimizer.lr") == 0.001, "shown only once the worker did it"
        journal.append({"type": "edited", "id": found[0].id, "edits": found[0].fields["edits"], "step": 10})
        await until(pilot, lambda: context.document.get("optimizer.lr") == 0.5)
        await press(pilot, "u")
        assert "keep what they learned" in notes(pilot)
        await until(pilot, lambda: found.extend(inbox.poll()) or len(found) == 2)
        assert found[1].fields["edits"][0] == {**found[1].fields["edits"][0], "path": "optimizer.lr", "value": 0.001}
        context.apply([Edit("set", "model.layers.0.out_features", 128)], "")
        await until(pilot, lambda: found.extend(inbox.poll()) or len(found) == 3)
        journal.append({"type": "command_refused", "id": found[2].id, "reason": "fork to change the width"})
        await until(pilot, lambda: "fork to change the width" in notes(pilot))
        await press(pilot, "y")
        await settle(pilot)
        assert app_of(pilot).session.active.title == "digits.yaml"  # type: ignore[union-attr]
        assert app_of(pilot).session.active.context.document.get("optimizer.lr") == 0.5  # type: ignore[union-attr]
        assert (folder / "digits.yaml").read_text() == RECIPE
    journal.close()
    lock.release()


async def test_a_worker_that_went_without_a_word_is_seen(workbench: Open, folder: Path) -> None:
    _, lock, journal = record_run(folder / "runs", 1, finished=False, alive=True)
    async with workbench("last") as pilot:
        await until(pilot, lambda: "▶ running" in status(pilot))
        journal.close()
        lock.release()
        await until(pilot, lambda: "failed" in status(pilot))
        assert "r resume" in status(pilot)


async def test_quitting_leaves_the_run_and_says_so(workbench: Open, folder: Path) -> None:
    _, lock, journal = record_run(folder / "runs", 1, finished=False, alive=True)
    async with workbench("last") as pilot:
        await until(pilot, lambda: run_of(pilot).alive)
        await press(pilot, "q")
        await until(pilot, lambda: "will go on" in text(pilot))
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running)
        assert "goes on training" in app_of(pilot).farewell[0]
    for record in steps(2):
        journal.append(record)
    async with workbench("last") as pilot:
        await until(pilot, lambda: len(run_of(pilot).history.epochs) == 2)
    journal.close()
    lock.release()


async def test_opening_a_recipe_comes_back_to_the_run_that_trains_it(workbench: Open, folder: Path) -> None:
    record_run(folder / "runs", 2, name="other", finished=False, alive=True)
    _, lock, journal = record_run(folder / "runs", 3, finished=False, alive=True)
    async with workbench("digits.yaml") as pilot:
        await until(pilot, lambda: len(app_of(pilot).session.tabs) == 2)
        await until(pilot, lambda: "still training" in notes(pilot))
        assert [tab.kind for tab in app_of(pilot).session.tabs] == ["recipe", "run"]
        assert len(run_of(pilot).history.epochs) == 3
    journal.close()
    lock.release()


async def test_replay_plays_holds_hurries_and_begins_again(workbench: Open, folder: Path) -> None:
    run_dir = record_run(folder / "runs", 3)
    journal = run_dir / "events.log"
    stretched = []
    for number, line in enumerate(journal.read_text().splitlines()):
        record = json.loads(line[9:])
        record["time"] = float(number)
        stretched.append(record)
    from engine.runs.journal import encode

    journal.write_bytes(b"".join(encode(record) for record in stretched))
    async with workbench("last", replay=True, speed=1.0) as pilot:
        run = run_of(pilot)
        assert isinstance(run, ReplayedRun)
        assert len(run.history.epochs) < 3 and "replay 1×" in status(pilot)
        await press(pilot, "space")
        assert "replay held" in status(pilot)
        await press(pilot, ">", ">")
        assert run.speed == 4.0
        await press(pilot, "<")
        assert run.speed == 2.0
        await press(pilot, "$")
        await until(pilot, lambda: len(run.history.epochs) == 3)
        assert "at the end" in status(pilot)
        await press(pilot, "space")
        assert len(run.history.epochs) < 3
        await press(pilot, "p")
        assert "needs a run" in notes(pilot)


def test_a_replay_reads_the_same_as_the_run(folder: Path) -> None:
    run_dir = record_run(folder / "runs", 3)
    live, replayed = OpenRun(run_dir), ReplayedRun(run_dir, None)
    live.poll()
    replayed.poll()
    assert replayed.history.epochs == live.history.epochs
    assert replayed.history.state == live.history.state
    assert replayed.effective_recipe() == live.effective_recipe()


async def test_a_finished_run_replays_from_its_tab(workbench: Open, folder: Path) -> None:
    record_run(folder / "runs", 3)
    async with workbench("last") as pilot:
        await press(pilot, "a")
        assert isinstance(run_of(pilot), ReplayedRun)
        assert len(app_of(pilot).session.tabs) == 2


async def test_training_saves_checks_starts_and_shows(
    workbench: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, str]] = []
    held: list[Any] = []

    def start_run(root: Path, name: str, recipe: str, options: Any) -> Path:
        started.append((name, recipe))
        run_dir, lock, journal = record_run(root, 1, name=name, finished=False, alive=True)
        launch = json.loads((run_dir / "launch.json").read_text())
        (run_dir / "launch.json").write_text(json.dumps({**launch, **options.to_json()}))
        held.append((lock, journal))
        return run_dir

    monkeypatch.setattr("tui.workbench.actions.run.start_run", start_run)
    async with workbench() as pilot:
        app = app_of(pilot)
        app.session.active.context.set("train.epochs", "many")  # type: ignore[union-attr]
        await press(pilot, "t")
        assert not started
        assert "epochs: many" in (folder / "digits.yaml").read_text()
        assert app.view.place[0] == 16  # type: ignore[union-attr]
        assert "Not started" in notes(pilot)
        app.session.active.context.set("train.epochs", 5)  # type: ignore[union-attr]
        await press(pilot, "t")
        await until(pilot, lambda: len(started) == 1)
        assert "epochs: 5" in started[0][1] and started[0][0] == "digits"
        await until(pilot, lambda: "live" in text(pilot) and run_of(pilot).alive)
        await press(pilot, "v")
        assert app.session.active.title == "digits.yaml"  # type: ignore[union-attr]
        app.session.active.context.set("optimizer.lr", 0.5)  # type: ignore[union-attr]
        await press(pilot, "t")
        await until(pilot, lambda: "trains this recipe already" in text(pilot))
        shown = text(pilot)
        assert "Apply what changed" in shown and "beside" in shown and "stop it" in shown
        await press(pilot, "b")
        await until(pilot, lambda: len(started) == 2)
        assert len([tab for tab in app.session.tabs if tab.kind == "run"]) == 2
    for lock, journal in held:
        journal.close()
        lock.release()


async def test_data_asks_which_column_and_opens_a_first_recipe(workbench: Open, folder: Path) -> None:
    rows = "\n".join(f"{i % 7},{i % 5},{'yes' if i % 3 else 'no'}" for i in range(60))
    (folder / "water.csv").write_text(f"ph,sulfate,drinkable\n{rows}\n")
    async with workbench("water.csv", size=(120, 40)) as pilot:
        await until(pilot, lambda: "drinkable" in text(pilot), 30)
        assert "Which column do you want to predict?" in text(pilot)
        await press(pilot, *"drink", "enter")
        await until(pilot, lambda: app_of(pilot).session.active is not None, 30)
        await until(pilot, lambda: "target: drinkable" in text(pilot))
        tab = app_of(pilot).session.active
        assert tab is not None and tab.path == folder / "water.yaml" and not (folder / "water.yaml").exists()
        assert tab.count("error") == 0
        await press(pilot, "s")
        assert (folder / "water.yaml").is_file()


async def test_the_explorer_opens_runs_and_recipes(workbench: Open, folder: Path) -> None:
    run_dir = record_run(folder / "runs", 2)
    async with workbench(None, size=(120, 40)) as pilot:
        await until(pilot, lambda: f"digits {run_dir.name[-4:]}" in text(pilot))
        line = next(line for line in text(pilot).splitlines() if f"digits {run_dir.name[-4:]}" in line)
        assert "■" in line and "75.0 %" in line and "now" in line
        explorer = app_of(pilot).side_bar.explorer
        at = next(i for i, target in enumerate(explorer._targets) if target and target[1])
        explorer.query_one("OptionList").highlighted = at  # type: ignore[attr-defined]
        await press(pilot, "enter")
        await until(pilot, lambda: app_of(pilot).session.active is not None)
        assert run_of(pilot).run_dir == run_dir


async def test_the_data_of_an_ended_run_is_shown_from_its_top(workbench: Open, folder: Path) -> None:
    from engine.runs.journal import encode

    journal = record_run(folder / "runs", 3) / "events.log"
    records = [json.loads(line[9:]) for line in journal.read_text().splitlines()]
    for record in records:
        if record["type"] == "data":
            record["features"] = [{"name": f"pixel_{i}", "type": "number"} for i in range(64)]
    journal.write_bytes(b"".join(encode(record) for record in records))
    async with workbench("last", size=(120, 40)) as pilot:
        await press(pilot, "g", "d")
        await until(pilot, lambda: app_of(pilot).focused in list(app_of(pilot).side_bar.query("*")))
        await settle(pilot)
        await settle(pilot)
        assert "SOURCE" in text(pilot)
