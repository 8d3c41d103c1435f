"""What is done to the recipe in front."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.recipe.edits import Edit
from engine.recipe.paths import child
from engine.recipe.problem import Problem
from tui.clean import clean
from tui.views.recipe import RecipeView
from tui.workbench.dialogs import Answer as Choice
from tui.workbench.dialogs import Ask, Question
from tui.workbench.files import installed

if TYPE_CHECKING:
    from tui.app import Workbench
    from tui.workbench.tab import Tab


def undo(app: Workbench) -> None:
    """Take back the last change: of the recipe, or of a live run."""
    if app.session.active is not None:
        app.session.undo(app.session.active)


def redo(app: Workbench) -> None:
    """Do it again."""
    if app.session.active is not None:
        app.session.redo(app.session.active)


async def save(app: Workbench) -> None:
    """Write the recipe to its file."""
    tab = app.session.active
    if tab is not None:
        await save_tab(app, tab)


async def save_tab(app: Workbench, tab: Tab) -> bool:
    """Write a recipe; asks for a name where it has none, and what to do where the file changed meanwhile."""
    document = tab.context.document
    assert document is not None
    path: Path | None = None
    own = document.path is not None and not installed(document.path)
    if not own:
        title = "Save the recipe as"
        if document.path is not None:
            title = f"{document.path.name} came with goodfit: save yours as"
        value = document.path.name if document.path is not None else "recipe.yaml"
        name = await app.push_screen_wait(Ask(title, f"in {app.folder}", value=value))
        if name is None:
            return False
        path = (app.folder / Path(name).expanduser()).resolve()
        if not path.suffix:
            path = path.with_suffix(".yaml")
        if path.exists():
            answer = await app.push_screen_wait(
                Question(
                    f"{path.name} exists", str(path), [Choice("yes", "y", "Replace it"), Choice("no", "n", "Keep it")]
                )
            )
            if answer != "yes":
                return False
    elif document.changed_on_disk():
        from tui.workbench.actions.file import conflict

        await conflict(app, tab)
        return not tab.dirty
    if path is not None and document.path is not None:
        edits = anchored(document.data, document.path.parent)
        if edits:
            app.session.apply(tab, edits, "data paths written out")
    document.save(path)
    tab.conflict = False
    app.session.document_changed(tab)
    if document.path is not None:
        tab.write_output(f"saved {clean(document.path.name)}")
    return True


def anchored(data: object, base: Path) -> tuple[Edit, ...]:
    """Edits that make relative data paths absolute, for a recipe that moves away from its data."""
    found: list[Edit] = []

    def walk(value: object, at: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, child(at, key))
        elif isinstance(value, str) and (base / value).is_file() and not Path(value).is_absolute():
            found.append(Edit("set", at, str((base / value).resolve()), expect=value))

    if isinstance(data, dict):
        walk(data.get("data"), "data")
    return tuple(found)


async def reload(app: Workbench) -> None:
    """Take the file's text; what is not saved can be brought back by undo."""
    tab = app.session.active
    if tab is None or tab.context.document is None:
        return
    tab.context.document.reload()
    tab.conflict = False
    app.session.read_again(tab)
    app.session.document_changed(tab)
    app.say("Read again from disk; undo brings back what was not saved.")


def next_problem(app: Workbench) -> None:
    """The problem after the one that was last gone to."""
    _step(app, 1)


def previous_problem(app: Workbench) -> None:
    """The one before."""
    _step(app, -1)


def _step(app: Workbench, by: int) -> None:
    tab = app.session.active
    if tab is None or not tab.problems:
        app.say("No problems.")
        return
    at = tab.problem + by if tab.problem >= 0 else (0 if by > 0 else -1)
    go_to_problem(app, at % len(tab.problems))


def go_to_problem(app: Workbench, index: int) -> None:
    """Put the cursor at a problem."""
    tab = app.session.active
    view = app.view
    if tab is None or not 0 <= index < len(tab.problems) or not isinstance(view, RecipeView):
        return
    tab.problem = index
    problem = tab.problems[index]
    view.go_to(problem.line, problem.column)
    app.bottom_panel.highlight(index)
    app.update_bars()


async def fix(app: Workbench) -> None:
    """Mend the problem that is chosen in the list, else the one at the cursor, else the worst that can be mended."""
    tab = app.session.active
    if tab is None:
        return
    problem = _chosen(app, tab)
    if problem is None:
        app.say("No problem here that goodfit knows how to mend.")
        return
    edits = problem.fixes[0]
    if len(problem.fixes) > 1:
        letters = "123456789"
        answers = [Choice(str(i), letters[i], describe(way)) for i, way in enumerate(problem.fixes[:9])]
        chosen = await app.push_screen_wait(Question(problem.message, problem.hint, answers))
        if chosen is None:
            return
        edits = problem.fixes[int(chosen)]
    words = describe(edits)
    if app.session.apply(tab, edits, words):
        app.say(f"{words}. u takes it back.")


def _chosen(app: Workbench, tab: Tab) -> Problem | None:
    listed = app.bottom_panel.problem
    if listed is not None and listed < len(tab.problems) and tab.problems[listed].fixes:
        return tab.problems[listed]
    view = app.view
    if isinstance(view, RecipeView):
        line, _ = view.place
        here = next((problem for problem in tab.problems if problem.line == line and problem.fixes), None)
        if here is not None:
            return here
    return next((problem for problem in tab.problems if problem.fixes), None)


def describe(edits: object) -> str:
    """A transaction in words: `optimizer.lr → 0.001, unset loss`."""
    said = []
    for edit in edits:  # type: ignore[attr-defined]
        if edit.op == "set":
            said.append(f"{edit.path} → {_flow(edit.value)}")
        elif edit.op == "unset":
            said.append(f"remove {edit.path}")
        elif edit.op == "insert":
            said.append(f"insert {_flow(edit.value)} at {edit.path}")
        else:
            said.append(f"move {edit.path} to {edit.to}")
    return clean(", ".join(said))


def _flow(value: object) -> str:
    if isinstance(value, dict):
        inside = {key: part for key, part in value.items() if key != "type"}
        name = value.get("type")
        rest = ", ".join(f"{key}: {_flow(part)}" for key, part in inside.items())
        return f"{name} {rest}".strip() if name else "{" + rest + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(part) for part in value) + "]"
    return "none" if value is None else str(value)
