"""Searches: starting one, looking at its trials, and what is made of a trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.history.trials import TrialRow
from engine.recipe.diff import edits_between
from engine.recipe.edits import Transaction, edit_from_json
from engine.recipe.paths import split
from engine.recipe.splice import apply_edits
from engine.recipe.values import lookup
from engine.runs import launch
from engine.runs.directory import RECIPE
from engine.runs.launch import Options
from engine.runs.summary import launch_options
from tui.views.search.view import SearchView
from tui.workbench import words
from tui.workbench.actions import run as runs
from tui.workbench.dialogs import Answer as Choice
from tui.workbench.dialogs import Question
from tui.workbench.open_run import OpenRun

if TYPE_CHECKING:
    from tui.app import Workbench


async def start(app: Workbench) -> None:
    """Save, check, start a search on the recipe, and show it."""
    tab = app.session.active
    assert tab is not None
    document = tab.context.document
    assert document is not None
    space = document.get("search.space")
    if not isinstance(space, dict) or not space:
        app.do("view.search")
        app.say("This recipe names nothing to search: + adds a setting and its range.", "warning")
        return
    if not await runs.ready(app, tab):
        return
    busy = await app.in_thread(lambda: runs.running(app, document, "search"))
    if busy is not None:
        answer = await app.push_screen_wait(
            Question(
                f"{busy.name} {busy.id} searches with this recipe already",
                busy.state,
                [Choice("show", "v", "Show it"), Choice("beside", "b", "Start another beside it")],
            )
        )
        if answer is None:
            return
        if answer == "show":
            await runs.show_run(app, busy.path)
            return
    assert document.path is not None
    options = Options(
        base=str((app.options.data_root or document.path.parent).resolve()),
        argv=("goodfit", "search", str(document.path)),
        parts=tuple(str(part.resolve()) for part in app.options.parts),
        extra={"recipe_path": str(document.path)},
    )
    text, name = document.text, runs.run_name(document)
    run_dir = await app.in_thread(lambda: launch.start_run(app.runs_root, name, text, options, kind="search"))
    await runs.show_run(app, run_dir)


def _view(app: Workbench) -> SearchView:
    if not isinstance(app.view, SearchView):
        raise UserError("no search is in front", "the explorer lists searches among the runs: g e")
    return app.view


def _chosen(app: Workbench) -> tuple[OpenRun, TrialRow]:
    view = _view(app)
    row = view.chosen
    if row is None or view.context.run is None:
        raise UserError("this search has no trial yet")
    return view.context.run, row


def settings_of(row: TrialRow, data: object) -> Transaction:
    """The edits that give a recipe with these plain values the settings of a trial; those that it has are left out."""
    from engine.search.space import edits_of

    if row.params and isinstance(data, dict):
        edits = edits_of(data, row.params)
    else:
        edits = tuple(edit_from_json(edit) for edit in row.edits)
    if not edits:
        raise UserError(f"trial {row.number} has no settings")
    return tuple(edit for edit in edits if edit.op != "set" or lookup(data, split(edit.path)) != edit.value)


async def apply(app: Workbench) -> None:
    """Put the settings of the trial under the cursor into the search's recipe, as one undo step."""
    from tui.workbench.actions.file import open_recipe

    run, row = _chosen(app)
    source = _view(app).context.document
    if source is None:
        raise UserError("the search's recipe is not known yet")
    path = runs.recipe_path(run)
    if path is None:
        app.session.open_text(apply_edits(source.text, settings_of(row, source.data)))
        await app.show_active()
        app.say("The search's recipe file is not known any more: this is a new one.")
        return
    searched = source.data
    await open_recipe(app, path)
    target = app.session.active
    assert target is not None and target.context.document is not None
    document = target.context.document
    edits = settings_of(row, document.data)
    if not edits:
        app.say(f"{path.name} has the settings of trial {row.number} already.")
        return
    tried = tuple(row.params)
    others = [edit for edit in edits_between(searched, document.data) if not edit.path.startswith(tried)]
    if app.session.apply(target, edits, f"settings of trial {row.number}"):
        taken = words.plural(len(edits), "setting")
        more = f" Beside them {path.name} has changed since the search began." if others else ""
        app.say(f"{taken} of trial {row.number} taken; u takes them back, ^S saves.{more}")


async def train(app: Workbench) -> None:
    """Train the search's recipe with the settings of the trial under the cursor, as a run of its own."""
    run, row = _chosen(app)
    source = _view(app).context.document
    if source is None:
        raise UserError("the search's recipe is not known yet")
    text = apply_edits(source.text, settings_of(row, source.data))
    launched = launch_options(run.run_dir)
    options = Options(
        base=str(launched.get("base") or ""),
        argv=("goodfit", "train", f"trial {row.number} of {run.run_dir.name}"),
        parts=tuple(launched.get("parts") or ()),
        extra={key: launched[key] for key in ("recipe_path",) if key in launched},
    )
    name = run.name
    run_dir = await app.in_thread(lambda: launch.start_run(app.runs_root, name, text, options))
    await runs.show_run(app, run_dir)
    app.say(f"Trains the settings of trial {row.number}.")


async def open(app: Workbench) -> None:
    """The own run of the trial under the cursor, in a tab."""
    from tui.workbench.actions.file import open_run

    run, row = _chosen(app)
    if not row.run:
        raise UserError(
            f"trial {row.number} has no run of its own" + ("" if row.over else " yet"),
            "it has one once it is over" if not row.over else row.message,
        )
    found = next((place for place in _places(app, run, row.run) if (place / RECIPE).is_file()), None)
    if found is None:
        raise UserError(f"the run of trial {row.number} is gone: {row.run}", "t trains its settings again")
    await open_run(app, found)


def _places(app: Workbench, run: OpenRun, name: str) -> list[Path]:
    """Where the run of a trial may be: beside the search, else in the workbench's own runs."""
    if Path(name).name != name:
        return []  # a journal from somewhere else does not name paths of ours
    return [run.run_dir.parent / name, app.runs_root / name, run.run_dir / "runs" / name]


def sort(app: Workbench) -> None:
    """By the next column."""
    from tui.views.search.table import TrialTable

    _view(app).query_one(TrialTable).next_column()


def reverse(app: Workbench) -> None:
    """The other way round."""
    from tui.views.search.table import TrialTable

    table = _view(app).query_one(TrialTable)
    table.sort_by(table.sort)


def chart(app: Workbench) -> None:
    """The next chart."""
    _view(app).next_chart()


def best(app: Workbench) -> None:
    """The best value over the trials."""
    _view(app).show_chart("best")


def curves(app: Workbench) -> None:
    """The curves of all trials."""
    _view(app).show_chart("curves")


def parallel(app: Workbench) -> None:
    """Settings and result as parallel axes."""
    _view(app).show_chart("parallel")


def importance(app: Workbench) -> None:
    """How much each setting matters."""
    _view(app).show_chart("importance")


def marginals(app: Workbench) -> None:
    """The result against each setting."""
    _view(app).show_chart("marginals")


def settings(app: Workbench) -> None:
    """Other settings, where they do not all have room."""
    if not _view(app).next_page():
        app.say("3 and 5 show settings; h turns their pages.")
