"""What is shown: rooms, lists, palette, keys; and leaving."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tui.keymap import ACTIONS, available, needs
from tui.views.recipe import RecipeView
from tui.workbench import words
from tui.workbench.actions import layers
from tui.workbench.dialogs import Answer as Choice
from tui.workbench.dialogs import Question
from tui.workbench.help import KeysScreen
from tui.workbench.picker import Picker, Row
from tui.workbench.theme import DARK, LIGHT

if TYPE_CHECKING:
    from tui.app import Workbench


async def show_room(app: Workbench, room: str) -> None:
    """Open the side bar on a room and go there."""
    side_bar = app.side_bar
    await side_bar.show(room, app.session.active)
    side_bar.set_class(False, "-hidden")
    app.update_bars()
    side_bar.focus_room()


async def explorer(app: Workbench) -> None:
    """Recipes and runs."""
    app.side_bar.explorer.look()
    await show_room(app, "explorer")


async def data(app: Workbench) -> None:
    """Where rows come from."""
    await show_room(app, "data")


async def model(app: Workbench) -> None:
    """The layers."""
    await show_room(app, "model")


async def optimizer(app: Workbench) -> None:
    """Optimizer and schedule."""
    await show_room(app, "optimizer")


async def regularization(app: Workbench) -> None:
    """What holds the network back."""
    await show_room(app, "regularization")


async def search(app: Workbench) -> None:
    """What a search tries."""
    await show_room(app, "search")


def editor(app: Workbench) -> None:
    """Back to the text, to write, or to the chart."""
    if app.narrow:
        app.side_bar.add_class("-hidden")
    app.focus_view()
    if isinstance(app.view, RecipeView):
        app.view.editor.action_write()
    app.update_bars()


def side_bar(app: Workbench) -> None:
    """Show or hide."""
    hidden = app.side_bar.has_class("-hidden")
    app.side_bar.set_class(not hidden, "-hidden")
    if hidden:
        app.side_bar.focus_room()
    else:
        app.focus_view()
    app.update_bars()


def uncover(app: Workbench) -> None:
    """On a narrow screen the side bar lies over the lists: put it away."""
    if app.narrow:
        app.side_bar.add_class("-hidden")
        app.update_bars()


def panel(app: Workbench) -> None:
    """Show or hide."""
    hidden = app.bottom_panel.has_class("-hidden")
    app.bottom_panel.set_class(not hidden, "-hidden")
    if hidden:
        uncover(app)
        app.bottom_panel.focus_list()
    else:
        app.focus_view()
    app.update_bars()


def show_list(app: Workbench, name: str) -> None:
    """Open the bottom panel on a list and go there."""
    app.bottom_panel.set_class(False, "-hidden")
    uncover(app)
    app.bottom_panel.show_list(name)
    app.bottom_panel.focus_list()


def problems(app: Workbench) -> None:
    """What is wrong with the recipe."""
    show_list(app, "problems")


def output(app: Workbench) -> None:
    """What the workbench and the worker said."""
    show_list(app, "output")


def events(app: Workbench) -> None:
    """The run's records."""
    show_list(app, "events")


def theme(app: Workbench) -> None:
    """Dark to light and back."""
    app.theme = LIGHT.name if app.theme == DARK.name else DARK.name
    app.side_bar.explorer.repaint()


def redraw(app: Workbench) -> None:
    """Something else wrote to the terminal."""
    app.redraw()


def command_rows(app: Workbench) -> list[Row]:
    """Every action, with its keys; those that need another kind of tab say so."""
    tab = app.session.active
    place = tab.place if tab is not None else None
    rows = layers.rows(app)
    rows += [Row(action.id, action.title, action.route) for action in ACTIONS if available(action, place)]
    rows += [
        Row(action.id, action.title, f"needs a {needs(action)}  {action.letter}", disabled=True)
        for action in ACTIONS
        if not available(action, place)
    ]
    return rows


async def palette(app: Workbench) -> None:
    """All commands."""
    chosen = await app.push_screen_wait(Picker(lambda: command_rows(app), placeholder="What do you want to do?"))
    if chosen is not None:
        app.do(chosen)


def keys(app: Workbench) -> None:
    """All keys."""
    app.push_screen(KeysScreen())


async def quit(app: Workbench) -> None:
    """Leave. Runs go on; what is not saved is asked about."""
    from tui.workbench.actions.recipe import save_tab

    for tab in [tab for tab in app.session.tabs if tab.dirty]:
        answer = await app.push_screen_wait(
            Question(
                f"{tab.context.title} is not saved",
                "",
                [Choice("save", "s", "Save it"), Choice("drop", "d", "Leave without saving")],
            )
        )
        if answer is None or (answer == "save" and not await save_tab(app, tab)):
            return
    live = app.session.live_runs()
    if live:
        names = ", ".join(f"{tab.context.run.name} {tab.context.run.short}" for tab in live if tab.context.run)
        answer = await app.push_screen_wait(
            Question(
                f"{words.plural(len(live), 'run')} will go on: {names}",
                "Training needs no screen. Open goodfit again and the chart is whole.",
                [
                    Choice("quit", "q", "Quit, and let it train"),
                    Choice("stop", "s", "Save and stop it, then quit"),
                ],
            )
        )
        if answer is None:
            return
        for tab in live:
            run = tab.context.run
            assert run is not None
            if answer == "stop":
                await app.in_thread(partial(run.send, "stop"))
                app.farewell.append(f"{run.name} {run.short} saves its state and stops; goodfit resume {run.short}")
            else:
                app.farewell.append(f"{run.name} {run.short} goes on training; goodfit {run.short} shows it again")
    app.exit(0)
