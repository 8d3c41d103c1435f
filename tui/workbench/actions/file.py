"""Opening and closing: recipes, runs, data files, tabs."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from engine.bundled.find import recipes
from engine.errors import UserError
from engine.runs.directory import find
from tui.clean import clean
from tui.workbench import files, words
from tui.workbench.dialogs import Answer as Choice
from tui.workbench.dialogs import Ask, Question
from tui.workbench.facts import child
from tui.workbench.picker import Picker, Row

if TYPE_CHECKING:
    from tui.app import Workbench
    from tui.workbench.tab import Tab


async def open_path(app: Workbench, name: str) -> None:
    """Open what a person named: a recipe, a data file, a folder of images or any other, a run."""
    from engine.data.pixels.folder import holds_classes

    path = Path(name).expanduser()
    try:
        if path.suffix in files.RECIPE_SUFFIXES and not path.is_dir():
            if not files.installed(path):
                app.folder = path.resolve().parent
            await open_recipe(app, path)
            await come_back(app)
        elif (path.suffix in files.DATA_SUFFIXES and path.is_file()) or await app.in_thread(
            lambda: holds_classes(path)
        ):
            await new_from(app, path)
        elif path.is_dir() and not (path / "recipe.yaml").is_file():
            await open_folder(app, path)
        else:
            await open_run(app, find(app.runs_root, name), replay=app.options.replay)
    except UserError:
        await app.show_active()
        raise


async def come_back(app: Workbench) -> None:
    """To the run that trains the recipe in front, where the last workbench left one behind."""
    from tui.workbench.actions.run import running

    document = app.session.active.context.document if app.session.active else None
    if document is None or document.path is None:
        return
    left = await app.in_thread(lambda: running(app, document) or running(app, document, "search"))
    if left is not None:
        await open_run(app, left.path)
        doing = "searching" if left.kind == "search" else "training"
        app.say(f"{left.name} {left.id} is still {'paused' if left.state == 'paused' else doing}: here it is again.")


async def open_folder(app: Workbench, folder: Path) -> None:
    """A folder: its recipes in the explorer; where it has none but data, the first step from data to a recipe."""
    app.folder = folder.resolve()
    app.side_bar.explorer.look()
    await app.show_active()
    if not files.recipes(folder):
        found = files.data_files(folder)
        if len(found) == 1:
            await new_from(app, found[0])
            return
        if found:
            await new(app)
            return
    app.do("view.explorer")


async def open_recipe(app: Workbench, path: Path) -> None:
    """A recipe in a tab of its own."""
    tab = app.session.open_recipe(path)
    make_room(app)
    await app.show_active()
    if tab.problems and tab.count("error"):
        app.do("recipe.go_to_problem", 0)


def make_room(app: Workbench) -> None:
    """The side bar gets out of the way, or turns from the explorer to the first tab's model."""
    if app.narrow:
        app.side_bar.add_class("-hidden")
    elif app.side_bar.room == "explorer" and len(app.session.tabs) == 1:
        app.side_bar.room = "model"


async def open_run(app: Workbench, run_dir: Path, *, replay: bool = False, speed: float | None = -1.0) -> None:
    """A run, live or ended, in a tab of its own; `replay` plays it instead."""
    app.session.open_run(run_dir, replay=replay, speed=app.options.speed if speed == -1.0 else speed)
    make_room(app)
    await app.show_active()


async def show_tab(app: Workbench, id: str) -> None:
    """Bring a tab to the front."""
    for tab in app.session.tabs:
        if tab.id == id:
            app.session.active = tab
            await app.show_active()


async def next_tab(app: Workbench) -> None:
    """The tab at the right."""
    await _step(app, 1)


async def previous_tab(app: Workbench) -> None:
    """The tab at the left."""
    await _step(app, -1)


async def _step(app: Workbench, by: int) -> None:
    tabs, active = app.session.tabs, app.session.active
    if active is not None:
        app.session.active = tabs[(tabs.index(active) + by) % len(tabs)]
        await app.show_active()


async def close(app: Workbench) -> None:
    """Close the tab in front. A run goes on."""
    tab = app.session.active
    if tab is None:
        return
    if tab.dirty:
        from tui.workbench.actions.recipe import save_tab

        answer = await app.push_screen_wait(
            Question(
                f"{tab.context.title} is not saved",
                "",
                [Choice("save", "s", "Save it"), Choice("drop", "d", "Close without saving")],
            )
        )
        if answer is None or (answer == "save" and not await save_tab(app, tab)):
            return
    run = tab.context.run
    if run is not None and run.alive and tab.kind == "run":
        app.say(f"{run.name} {run.short} goes on; the explorer opens it again.")
    app.session.close(tab)
    await app.show_active()
    await app.forget(tab)


async def quick_open(app: Workbench) -> None:
    """Recipes, runs and data files by a few letters; `>` lists commands instead."""
    from tui.workbench.actions.view import command_rows

    def rows() -> list[Row]:
        found = [Row(f"recipe {path}", _near(path, app.folder), "recipe") for path in files.recipes(app.folder)]
        own = {path.resolve() for path in files.recipes(app.folder)}
        for info in app.runs.read(app.runs_root):
            found.append(Row(f"run {info.path}", f"{info.name} {info.id}", f"{words.mark(info.state)} {info.state}"))
        found += [
            Row(f"recipe {path}", path.name, "comes with goodfit") for path in recipes() if path.resolve() not in own
        ]
        found += [Row(f"data {path}", _near(path, app.folder), "new recipe") for path in files.data_files(app.folder)]
        return found

    def typed(query: str) -> Row | None:
        path = app.folder / Path(query.strip()).expanduser() if query.strip() else app.folder
        try:
            known = path.suffix in (*files.RECIPE_SUFFIXES, *files.DATA_SUFFIXES) and path.is_file()
        except (OSError, ValueError):
            return None
        return Row(f"path {path}", query.strip(), "this file") if known else None

    chosen = await app.push_screen_wait(
        Picker(
            rows, lambda: command_rows(app), typed, placeholder="a recipe, a run, a data file, a path; > for commands"
        )
    )
    if chosen is None:
        return
    kind, _, rest = chosen.partition(" ")
    if kind == "path":
        kind = "data" if Path(rest).suffix in files.DATA_SUFFIXES else "recipe"
    if kind == "recipe":
        await open_recipe(app, Path(rest))
    elif kind == "run":
        await open_run(app, Path(rest))
    elif kind == "data":
        await new_from(app, Path(rest))
    else:
        app.do(chosen)


def _near(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


async def new(app: Workbench) -> None:
    """A first recipe for a data file."""
    found = files.data_files(app.folder)
    if found:
        rows = [Row(str(path), _near(path, app.folder)) for path in found]
        rows.append(Row("", "another file…"))
        chosen = await app.push_screen_wait(Picker(lambda: rows, placeholder="Which data? CSV, Parquet, NPZ, NPY"))
    else:
        chosen = ""
    if chosen == "":
        chosen = await app.push_screen_wait(
            Ask("Which data?", "A CSV, Parquet, NPZ or NPY file, or a folder of images.", placeholder="data.csv")
        )
    if chosen:
        await new_from(app, (app.folder / Path(chosen).expanduser()).resolve())


async def new_from(app: Workbench, path: Path) -> None:
    """Ask which column to predict, and open a first recipe beside the data. The file is read by a child process."""
    await app.show_active()
    app.say(f"Reading {path.name}…")
    answer = _answer(await child("tui.workbench.new_recipe", "columns", str(path)))
    columns = answer["columns"]
    target: str | None = None
    if columns and not path.is_dir():
        rows = [
            Row(
                column["name"], column["name"], f"{column['type']}, {column['unique']} values, like {column['example']}"
            )
            for column in reversed(columns)
        ]
        target = await app.push_screen_wait(
            Picker(lambda: rows, columns=True, placeholder="Which column do you want to predict?")
        )
        if target is None:
            return
    arguments = [str(path)] if target is None else [str(path), "--target", target]
    text = _answer(await child("tui.workbench.new_recipe", "recipe", *arguments))["text"]
    recipe = path.with_name(f"{path.name if path.is_dir() else path.stem}.yaml")
    number = 2
    while recipe.exists():
        recipe = path.with_name(f"{path.stem}-{number}.yaml")
        number += 1
    app.folder = path.resolve().parent
    app.session.open_text(text, recipe.resolve())
    await app.show_active()
    app.say(f"A first recipe. t saves it as {recipe.name} and trains it.")


def _column(column: dict[str, Any]) -> str:
    unique, example = column.get("unique"), column.get("example")
    values = f", {unique} values" if unique is not None else ""
    return f"{column.get('type')}{values}" + (f", like {example}" if example else "")


def _answer(output: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    if found.get("error"):
        raise UserError(found["error"]["message"], found["error"].get("hint", ""))
    return found


async def conflict(app: Workbench, tab: Tab) -> None:
    """The file changed while there are changes of ours: which ones count?"""
    document = tab.context.document
    if document is None or document.path is None:
        return
    tab.conflict = True
    path = document.path
    try:
        theirs = path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
    except OSError:
        theirs = None
    if theirs is None:
        answers = [Choice("mine", "k", "Keep mine", "and write the file again"), Choice("later", "l", "Decide later")]
        title, text = f"{path.name} is gone from disk", Text("What is open here is not lost.")
    else:
        answers = [
            Choice("mine", "k", "Keep mine", "and write over the file"),
            Choice("theirs", "t", "Take the file's", "undo brings mine back"),
            Choice("later", "l", "Decide later"),
        ]
        title, text = f"{path.name} changed on disk, and has changes of yours here", _diff(app, document.text, theirs)
    answer = await app.push_screen_wait(Question(title, text, answers))
    if answer == "mine":
        document.save()
        tab.conflict = False
        app.session.document_changed(tab)
        app.say(f"Wrote {path.name}.")
    elif answer == "theirs":
        document.reload()
        tab.conflict = False
        app.session.document_changed(tab)
        app.say(f"Took {path.name} as it is on disk; u brings yours back.")


def _diff(app: Workbench, mine: str, theirs: str) -> Text:
    colours = app.theme_variables
    tones = {"+": colours.get("success", ""), "-": colours.get("error", "")}
    text = Text()
    lines = list(difflib.unified_diff(mine.splitlines(), theirs.splitlines(), "yours", "on disk", n=1, lineterm=""))
    for line in lines[:200]:
        if not line.startswith("@@"):
            text.append(clean(line) + "\n", tones.get(line[:1], colours.get("text-muted", "")))
    return text
