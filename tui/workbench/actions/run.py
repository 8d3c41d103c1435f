"""Training and what is done to runs. Everything that may wait for a worker waits in a thread."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.recipe.diff import edits_between
from engine.recipe.document import Document
from engine.recipe.edits import Transaction, edit_to_json
from engine.runs.directory import is_child, list_runs
from engine.runs.launch import Options, fork_run, kill_worker, pick_checkpoint, resume_run, start_run
from engine.runs.summary import RunInfo, launch_options
from tui.workbench import words
from tui.workbench.actions.recipe import describe, save_tab
from tui.workbench.context import LIVE_SEARCH
from tui.workbench.dialogs import Answer as Choice
from tui.workbench.dialogs import Question
from tui.workbench.files import installed
from tui.workbench.open_run import OpenRun, ReplayedRun

if TYPE_CHECKING:
    from tui.app import Workbench
    from tui.workbench.tab import Tab

BUSY = ("preparing", "running", "paused")


async def train(app: Workbench) -> None:
    """Save, check, start, and show the run. Errors stop it at the first problem."""
    tab = app.session.active
    assert tab is not None
    document = tab.context.document
    assert document is not None
    if not await ready(app, tab):
        return
    busy = await app.in_thread(lambda: running(app, document))
    if busy is not None:
        answer = await app.push_screen_wait(
            Question(
                f"{busy.name} {busy.id} trains this recipe already",
                f"{busy.state}, epoch {busy.epoch or 0} of {busy.epochs or '?'}",
                [
                    Choice("apply", "a", "Apply what changed to it", "live, from the next step"),
                    Choice("beside", "b", "Start another beside it"),
                    Choice("stop", "s", "Save and stop it, then start"),
                    Choice("show", "v", "Only show it"),
                ],
            )
        )
        if answer is None:
            return
        if answer in ("apply", "show"):
            await show_run(app, busy.path)
            if answer == "apply":
                await apply_live(app, document)
            return
        if answer == "stop":
            await app.in_thread(lambda: OpenRun(busy.path).send("stop"))
    await start(app, document)


async def ready(app: Workbench, tab: Tab) -> bool:
    """Save a recipe and check it; False where it cannot be started, and why was said."""
    document = tab.context.document
    assert document is not None
    unchanged = document.path is not None and installed(document.path) and not document.dirty
    if not unchanged and not await save_tab(app, tab):
        return False
    app.session.recheck(tab)
    if tab.count("error"):
        app.bottom_panel.set_class(False, "-hidden")
        app.bottom_panel.show_list("problems")
        app.do("recipe.go_to_problem", 0)
        app.say(f"Not started: {words.plural(tab.count('error'), 'error')} to mend first.", "error")
    return not tab.count("error")


async def start(app: Workbench, document: Document) -> None:
    """Start a worker on a recipe and show its run."""
    assert document.path is not None
    path = document.path
    options = Options(
        base=str((app.options.data_root or path.parent).resolve()),
        argv=("goodfit", "train", str(path)),
        parts=tuple(str(part.resolve()) for part in app.options.parts),
        extra={"recipe_path": str(path)},
    )
    run_dir = await app.in_thread(lambda: start_run(app.runs_root, run_name(document), document.text, options))
    await show_run(app, run_dir)


def run_name(document: Document) -> str:
    """What runs of a recipe are called: its own name, else its file's."""
    name = document.get("name")
    return name if isinstance(name, str) and name else document.path.stem if document.path is not None else "run"


def running(app: Workbench, document: Document, kind: str = "train") -> RunInfo | None:
    """The run that trains this recipe now (or searches with it), if there is one, whoever started it."""
    assert document.path is not None
    name, base = run_name(document), str((app.options.data_root or document.path.parent).resolve())
    for info in reversed(list_runs(app.runs_root, name)):
        if info.state in BUSY and info.name == name and info.kind == kind and not is_child(info.path):
            launched = launch_options(info.path)
            if launched.get("recipe_path", str(document.path)) == str(document.path) and launched.get("base") == base:
                return info
    return None


async def show_run(app: Workbench, run_dir: Path) -> None:
    """A run that was just started, or goes on, in a tab."""
    from tui.workbench.actions.file import open_run

    await open_run(app, run_dir)
    tab = app.session.active
    if tab is not None and tab.context.run is not None:
        tab.context.run.look_now()
        app.quick_start.watch(tab)
    app.side_bar.explorer.look()


async def apply_live(app: Workbench, document: Document) -> None:
    """Send what differs between a recipe and the run in front, which trains it."""
    tab = app.session.active
    if tab is None or tab.context.run is None:
        return
    edits = edits_between(Document.from_text(tab.context.run.effective_recipe()).data, document.data)
    if not edits:
        app.say("The run has these settings already.")
        return
    if app.session.apply(tab, edits, "the recipe's changes"):
        app.say(f"Sent {words.plural(len(edits), 'change')} to the run.")


def _run(app: Workbench) -> tuple[Tab, OpenRun]:
    tab = app.session.active
    if tab is None or tab.context.run is None:
        raise UserError("no run is in front")
    return tab, tab.context.run


async def pause(app: Workbench) -> None:
    """Pause, or go on."""
    _, run = _run(app)
    if not run.alive:
        raise UserError(f"{run.name} {run.short} has ended", "r resumes it, k forks it")
    verb = "resume" if run.history.paused else "pause"
    await app.in_thread(lambda: run.send(verb))
    app.say("Goes on…" if verb == "resume" else "Pauses at the next step…")


async def stop(app: Workbench) -> None:
    """Ask how."""
    _, run = _run(app)
    if not run.alive:
        raise UserError(f"{run.name} {run.short} has ended already", "r resumes it, k forks it")
    answer = await app.push_screen_wait(
        Question(
            f"Stop {run.name} {run.short}?",
            "",
            [
                Choice("stop", "s", "Save and stop", "it can be resumed from here"),
                Choice("kill", "k", "Kill it now", "work since its last checkpoint is lost"),
                Choice("cancel", "c", "Let it train"),
            ],
        )
    )
    if answer == "stop":
        await app.in_thread(lambda: run.send("stop"))
        app.say("Saves its state and stops…")
    elif answer == "kill":
        await app.in_thread(lambda: kill_worker(run.run_dir))
        run.look_now()
        app.say("Killed.", "warning")


async def resume(app: Workbench) -> None:
    """A paused run goes on; one that ended gets a new life."""
    tab, run = _run(app)
    if run.alive:
        if not run.history.paused:
            raise UserError(f"{run.name} {run.short} is at work", "p pauses it")
        await app.in_thread(lambda: run.send("resume"))
        return
    edits = await _changes(app, run, "Resume")
    if edits is None:
        return
    reason = (run.history.finished or {}).get("reason")
    if run.kind == "search":
        if reason == "completed" and not any(edit.path in LIVE_SEARCH for edit in edits):
            raise UserError(
                "all planned trials are done", "raise search.trials in its recipe (v) and resume with that change"
            )
    elif reason == "completed" and not any(edit.path == "train.epochs" for edit in edits):
        raise UserError(
            "all planned epochs are done", "raise train.epochs in its recipe (v) and resume with that change"
        )
    options = Options(argv=("goodfit", "resume", run.run_dir.name))
    await app.in_thread(lambda: resume_run(run.run_dir, options, [edit_to_json(edit) for edit in edits]))
    run.look_now()
    app.session.poll_run(tab)
    app.say("Resumes…")


async def fork(app: Workbench) -> None:
    """A new run from the best epoch, or from the last checkpoint."""
    _, run = _run(app)
    answer = await app.push_screen_wait(
        Question(
            f"Fork {run.name} {run.short}: a new run that goes on from it",
            "The run itself stays as it is. To fork with other settings, change them in its recipe (v) first.",
            [
                Choice("best", "b", "From its best epoch", f"epoch {run.history.best_epoch or '?'}"),
                Choice("last", "l", "From its last checkpoint"),
            ],
        )
    )
    if answer is None:
        return
    edits = await _changes(app, run, "Fork")
    if edits is None:
        return
    options = Options(argv=("goodfit", "fork", run.run_dir.name))

    def begin() -> Path:
        record = pick_checkpoint(run.run_dir, "best" if answer == "best" else None)
        return fork_run(app.runs_root, run.run_dir, record, options, edits=edits)

    await show_run(app, await app.in_thread(begin))


async def _changes(app: Workbench, run: OpenRun, verb: str) -> Transaction | None:
    """What the run's recipe says now and the run does not: asks whether to take it along. None: leave it be."""
    path = recipe_path(run)
    if path is None:
        return ()
    document = next(
        (tab.context.document for tab in app.session.tabs if tab.kind == "recipe" and tab.path == path), None
    )
    now = document or Document.open(path)
    edits = tuple(edits_between(Document.from_text(run.effective_recipe()).data, now.data))
    if run.kind == "search":
        edits = tuple(edit for edit in edits if edit.path in LIVE_SEARCH)
    if not edits:
        return ()
    answer = await app.push_screen_wait(
        Question(
            f"{path.name} has changed since",
            describe(edits),
            [
                Choice("as", "a", f"{verb} as the run was"),
                Choice("with", "w", f"{verb} with {words.plural(len(edits), 'change')}"),
            ],
        )
    )
    return None if answer is None else edits if answer == "with" else ()


async def checkpoint(app: Workbench) -> None:
    """Write the run's state now."""
    _, run = _run(app)
    await app.in_thread(lambda: run.send("checkpoint"))
    app.say("Writes a checkpoint…")


def recipe_path(run: OpenRun) -> Path | None:
    """The file that a run was started from; None where it is not known or gone."""
    found = launch_options(run.run_dir).get("recipe_path")
    return Path(found) if isinstance(found, str) and Path(found).is_file() else None


async def copy_to_recipe(app: Workbench) -> None:
    """Put the settings of the run, live changes included, into its recipe's file tab, as one undo step."""
    from tui.workbench.actions.file import open_recipe

    tab, run = _run(app)
    path = recipe_path(run)
    if tab.context.document is None:
        raise UserError("the run's recipe is not known yet")
    if path is None:
        app.session.open_text(tab.context.document.text)
        await app.show_active()
        app.say("The run's recipe file is not known any more: this is a new one.")
        return
    data = tab.context.document.data
    await open_recipe(app, path)
    target = app.session.active
    assert target is not None and target.context.document is not None
    edits = edits_between(target.context.document.data, data)
    if not edits:
        app.say(f"{path.name} has these settings already.")
    elif app.session.apply(target, edits, "settings of the run"):
        app.say(f"{words.plural(len(edits), 'setting')} copied; u takes them back, ^S saves.")


async def open_recipe(app: Workbench) -> None:
    """The file that the run was started from; where it is gone, the run's own text."""
    from tui.workbench.actions import file

    tab, run = _run(app)
    path = recipe_path(run)
    if path is not None:
        await file.open_recipe(app, path)
    elif tab.context.document is not None:
        app.session.open_text(tab.context.document.text)
        await app.show_active()


async def replay(app: Workbench) -> None:
    """Play the run in front."""
    from tui.workbench.actions.file import open_run

    _, run = _run(app)
    await open_run(app, run.run_dir, replay=True, speed=1.0)


def _replay(app: Workbench) -> ReplayedRun:
    _, run = _run(app)
    if not isinstance(run, ReplayedRun):
        raise UserError("no replay is in front", "a plays the run in front")
    return run


def play(app: Workbench) -> None:
    """Hold, or go on; from the end, start again."""
    run = _replay(app)
    if run.at_end:
        tab, _ = _run(app)
        run.rewind()
        app.session.replay_rewound(tab)
    else:
        run.playing = not run.playing
    app.update_bars()


def faster(app: Workbench) -> None:
    """Twice the speed."""
    run = _replay(app)
    run.speed = None if run.speed is None or run.speed >= 512 else run.speed * 2
    app.update_bars()


def slower(app: Workbench) -> None:
    """Half the speed."""
    run = _replay(app)
    run.speed = 512.0 if run.speed is None else max(0.125, run.speed / 2)
    app.update_bars()


def to_end(app: Workbench) -> None:
    """All at once."""
    tab, _ = _run(app)
    replayed = _replay(app)
    speed, replayed.speed, replayed.playing = replayed.speed, None, True
    app.session.poll_run(tab)
    replayed.speed = speed
    app.update_bars()
