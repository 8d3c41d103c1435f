"""The workbench: VS Code's anatomy in a terminal. Regions, keys and the clock; what the keys do is in
`tui/workbench/actions/`, what is open in `tui/workbench/session.py`, what is shown in the regions' own modules.

Never imports torch: training runs in worker processes, and this one may end at any time without changing them.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Input, TextArea

from engine.bundled.find import recipes
from engine.errors import UserError
from engine.runs.directory import runs_root
from tui.charts.frame import frame_of, narrow_updates
from tui.clean import clean_block
from tui.keymap import BY_ID, action_of, available, chords, every_key, needs
from tui.options import Options
from tui.panels.explorer import Explorer
from tui.views.live import LiveView
from tui.views.recipe import RecipeEditor, RecipeView
from tui.views.start import StartView
from tui.workbench import files, status
from tui.workbench.activity_bar import ActivityBar
from tui.workbench.bar import Bar
from tui.workbench.bottom_panel import BottomPanel
from tui.workbench.context import DocumentChanged, HistoryChanged, Reveal
from tui.workbench.dialogs import Chord
from tui.workbench.facts import Answer, read_facts
from tui.workbench.line_filter import CleanFilter
from tui.workbench.quick_start import QuickStart
from tui.workbench.run_list import RunList
from tui.workbench.session import Session
from tui.workbench.side_bar import SideBar, in_front
from tui.workbench.tab import Tab
from tui.workbench.theme import DARK, LIGHT
from tui.workbench.type_ahead import KeyDone, TypeAhead

T = TypeVar("T")
POLL = 0.1
"""Seconds between two looks at the journals of open runs."""
TOAST = {"information": 3, "warning": 5, "error": 8}
"""Seconds that a notification stays."""
BARS = 0.25
"""Seconds between two changes of figures in the bars while a run goes on."""
FILES_EVERY = 10
"""Looks at journals between two looks at open recipes' files."""
WARM = 1.0
"""Seconds after the start at which numpy is read from disk, before the first chart wants it."""
NARROW = 100
"""Columns below which the side bar lies over the editor."""


class Workbench(App[int], inherit_bindings=False):
    """The application."""

    CSS_PATH = "app.tcss"
    TITLE = "goodfit"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-normal"), (140, "-roomy")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (28, "-medium"), (38, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"press('{key}')", show=False) for key in every_key()),
        *(Binding(letter, f"chord('{letter}')", show=False) for letter in chords()),
        Binding("escape", "leave", "leave the text", show=False),
        Binding("ctrl+c", "how_to_quit", show=False),
    ]

    def __init__(self, options: Options | None = None, path: str | None = None) -> None:
        super().__init__()
        self.options = options or Options()
        self.session = Session(self.options, self)
        self.folder = Path.cwd()
        self.runs_root = runs_root(self.options.runs)
        self.runs = RunList()
        self.quick_start = QuickStart(self)
        self.farewell: list[str] = []
        """What is printed when the screen is gone."""
        self._path = path
        self._seen: dict[str, int] = {}
        """By tab: the version that its view was told."""
        self._ticks = 0
        self._bars_due = False
        self._type_ahead = TypeAhead(self, super().on_event)
        self._filters.append(CleanFilter())
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name

    # Regions

    def compose(self) -> ComposeResult:
        """The regions."""
        yield Bar(id="title-bar")
        with Horizontal(id="body"):
            yield ActivityBar(id="activity-bar")
            explorer = Explorer(
                lambda: files.recipes(self.folder), recipes, lambda: self.runs.read(self.runs_root), id="explorer"
            )
            yield SideBar(explorer, id="side-bar")
            with Vertical(id="main"):
                yield Bar(id="tab-bar")
                with ContentSwitcher(id="editor", initial="start"):
                    yield StartView(id="start")
                yield BottomPanel(id="bottom-panel")
        yield Bar(id="status-bar")

    async def on_mount(self) -> None:
        """Open what was asked for, and start the clock."""
        narrow_updates()
        self.app_resume_signal.subscribe(self, lambda _: self.redraw())
        self.side_bar.set_class(self.size.width < NARROW, "-hidden")
        self.bottom_panel.set_class(self.size.height < 28, "-hidden")
        self.set_interval(POLL, self._tick)
        if self._path is None:
            await self.show_active()
            if not self.narrow:
                self.side_bar.focus_room()
        else:
            self.do("file.open_path", self._path)
        self._type_ahead.begin()
        self.set_timer(WARM, lambda: self.later(lambda: importlib.import_module("tui.charts.plot")))

    def on_unmount(self) -> None:
        """The end of the workbench; runs go on."""
        self.quick_start.close()

    @property
    def side_bar(self) -> SideBar:
        """The side bar."""
        return self.query_one(SideBar)

    @property
    def bottom_panel(self) -> BottomPanel:
        """The bottom panel."""
        return self.query_one(BottomPanel)

    @property
    def view(self) -> Widget | None:
        """The view of the tab in front."""
        return in_front(self.screen_stack[0].query_one("#editor", ContentSwitcher))

    @property
    def narrow(self) -> bool:
        """Whether the side bar lies over the editor."""
        return self.size.width < NARROW

    async def show_active(self, focus: bool = True) -> None:
        """Bring the session's tab in front to the screen, in the editor, the side bar and the bars."""
        tab = self.session.active
        editor = self.query_one("#editor", ContentSwitcher)
        if tab is None:
            editor.current = "start"
        else:
            if not editor.query(f"#{tab.id}"):
                view = view_of(tab)
                view.display = False
                self._seen[tab.id] = tab.version
                await editor.mount(view)
            editor.current = tab.id
            for message in tab.missed(self._seen[tab.id]):
                editor.get_child_by_id(tab.id).post_message(message)
            self._seen[tab.id] = tab.version
        await self.side_bar.show(self.side_bar.room, tab)
        self.update_bars()
        self.quick_start.prepare()
        if focus:
            self.focus_view()

    def focus_view(self) -> None:
        """Put the focus into the tab in front."""
        view = self.view
        if isinstance(view, RecipeView):
            view.editor.focus()
        elif view is not None:
            target = view if view.focusable else next((child for child in view.query("*") if child.focusable), None)
            self.screen.set_focus(target)

    async def forget(self, tab: Tab) -> None:
        """Drop the widgets of a tab that was closed."""
        for view in self.query_one("#editor").query(f"#{tab.id}"):
            await view.remove()
        await self.side_bar.forget(tab)
        self._seen.pop(tab.id, None)

    def update_bars(self) -> None:
        """Say how it stands, in every bar. Costs nothing where nothing changed."""
        self._bars_due = False
        if not self.is_running or not self.screen_stack:
            return
        tab = self.session.active
        base = self.screen_stack[0]
        left, right = status.title_cells(tab)
        base.query_one("#title-bar", Bar).show(left, right)
        tabs = base.query_one("#tab-bar", Bar)
        tabs.show(status.tab_cells(self.session.tabs, tab, tabs.size.width or self.size.width))
        side_bar = base.query_one(SideBar)
        base.query_one(ActivityBar).show(side_bar.room if not side_bar.has_class("-hidden") else "")
        base.query_one(BottomPanel).update(tab)
        view = self.view
        place = view.place if isinstance(view, RecipeView) and view.id == (tab.id if tab else "") else None
        left, right = status.status_cells(tab, place, self.typing, self.size.width)
        base.query_one("#status-bar", Bar).show(left, right)

    @property
    def typing(self) -> bool:
        """Whether plain letters are text now."""
        focused = self.screen_stack[0].focused
        return isinstance(focused, Input) or (isinstance(focused, TextArea) and not focused.read_only)

    # What the session says (see `session.Listener`)

    def changed(self, tab: Tab, *messages: type[Message]) -> None:
        """Tell the tab's view and room, if they are on the screen."""
        tab.note(messages)
        if not self.is_running:
            return
        if tab is self.session.active:
            view = self.view
            if view is not None and view.id == tab.id:
                for message in messages:
                    view.post_message(message())
                    self._seen[tab.id] = tab.version
            self.screen_stack[0].query_one(SideBar).deliver(tab, [message() for message in messages])
        if DocumentChanged in messages:
            self.quick_start.prepare()
        if all(message is HistoryChanged for message in messages):
            self._update_bars_soon()
        else:
            self.update_bars()

    def _update_bars_soon(self) -> None:
        """Figures in the bars follow a run at a pace at which they can be read."""
        if not self._bars_due:
            self._bars_due = True
            self.set_timer(BARS, self.update_bars)

    def say(self, message: str, severity: str = "information") -> None:
        """A notification, kept in Output."""
        shown = clean_block(message)
        tab = self.session.active
        if tab is not None:
            tab.write_output(shown.replace("\n", "  "))
        level = severity if severity in ("information", "warning", "error") else "information"
        self.notify(shown, severity=level, timeout=TOAST[level], markup=False)  # type: ignore[arg-type]

    def facts_wanted(self, tab: Tab) -> None:
        """Read the tab's data in a child process; an earlier reading is given up."""
        first = tab.context.facts is None and not tab.context.facts_busy
        tab.context.facts_busy = True
        reading = partial(self._read, tab, 0.0 if first else 0.5)
        self.run_worker(reading, group=f"facts-{tab.id}", exclusive=True)  # type: ignore[arg-type]

    async def _read(self, tab: Tab, rest: float) -> None:
        await asyncio.sleep(rest)
        document = tab.context.document
        assert document is not None
        base = document.path.parent if document.path is not None else self.folder
        try:
            answer = await read_facts(document.text, base, self.options.data_root, self.options.parts)
        except UserError as error:
            answer = Answer(error=error)
        if tab in self.session.tabs:
            self.session.facts_read(tab, answer)
            self.quick_start.prepare()

    def reveal(self, tab: Tab, path: str) -> None:
        """Show a setting in the recipe's text."""
        view = self.view
        if tab is self.session.active and view is not None:
            view.post_message(Reveal(path))

    def later(self, work: Callable[[], object], done: Callable[[], object] | None = None) -> None:
        """Do something that may wait, in a thread."""

        async def wait() -> None:
            try:
                await asyncio.to_thread(work)
            except (UserError, OSError) as error:
                self.session.refused(error)
            if done is not None:
                done()

        self.run_worker(wait, group="later")  # type: ignore[arg-type]

    # The clock

    def _tick(self) -> None:
        if self._exit or not self.is_running:
            return
        self.session.poll()
        self._ticks += 1
        if self._ticks % FILES_EVERY == 0:
            self.flush()  # words on their way to the document make it one with changes of ours
            for tab in self.session.poll_files():
                self.do("file.conflict", tab)

    # Keys and clicks

    async def on_event(self, event: events.Event) -> None:
        """Textual's entry for events: a key waits for the one before it."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            await self._type_ahead.add(event)
        else:
            await super().on_event(event)

    def on_key_done(self, message: KeyDone) -> None:
        """A key has been dealt with."""
        self._type_ahead.done(message.number)

    def do(self, id: str, *arguments: object) -> None:
        """Do an action: a key of the table, or one of the functions beside them that take arguments."""
        group, verb = id.split(".")
        action = BY_ID.get(id)
        tab = self.session.active
        if action is not None and not available(action, tab.place if tab else None):
            self.say(f"{action.title}: that needs a {needs(action)} in front.", "warning")
            return
        self.flush()
        function = getattr(importlib.import_module(f"tui.workbench.actions.{group}"), verb)
        try:
            result = function(self, *arguments)
        except (UserError, OSError) as error:
            self.session.refused(error)
            return
        if inspect.isawaitable(result):
            self.run_worker(self._finish(result), group="actions")

    async def _finish(self, work: object) -> None:
        try:
            await work  # type: ignore[misc]
        except (UserError, OSError) as error:
            self.session.refused(error)
        self.update_bars()

    def action_press(self, key: str) -> None:
        """A key of the table: what it does depends on the tab in front."""
        tab = self.session.active
        action = action_of(key, tab.place if tab else None)
        if action is not None:
            self.do(action.id)

    def action_do(self, id: str) -> None:
        """An action of the table, for widgets."""
        self.do(id)

    def action_chord(self, first: str) -> None:
        """The first of two letters: show what may follow."""
        follow = {second: (action.id, action.title) for second, action in chords()[first].items()}
        self.push_screen(Chord(first, follow), lambda chosen: self.do(chosen) if chosen else None)

    def action_leave(self) -> None:
        """Escape: close what lies over the editor, leave the text field, and back to the tab in front."""
        if self.narrow:
            self.side_bar.add_class("-hidden")
        self.focus_view()
        self.update_bars()

    def action_how_to_quit(self) -> None:
        """^C ends nothing here."""
        self.say("q or ^Q quits; runs go on without the screen.")

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do something that may wait (for a worker, for a disk) without holding up the screen."""
        return await asyncio.to_thread(work)

    def redraw(self) -> None:
        """Write every cell again: something else may have written to the terminal."""
        frame_of(self.console).forget()
        self.refresh(layout=True)

    def flush(self) -> None:
        """What was typed and not told yet becomes part of the document."""
        view = self.view if len(self.screen_stack) == 1 else None
        tab = self.session.active
        if isinstance(view, RecipeView) and tab is not None:
            text = view.unsent()
            if text is not None:
                self.session.typed(tab, text)

    @on(Bar.Chosen)
    def _bar_chosen(self, event: Bar.Chosen) -> None:
        if event.does.startswith("tab "):
            self.do("file.show_tab", event.does.split()[1])
        else:
            self.do(event.does)

    @on(Explorer.Opened)
    def _explorer_opened(self, event: Explorer.Opened) -> None:
        self.do("file.open_run" if event.is_run else "file.open_recipe", event.path)

    @on(RecipeView.Typed)
    def _typed(self, event: RecipeView.Typed) -> None:
        tab = self.session.tab_of(event.context)
        if tab is not None:
            self.session.typed(tab, event.text)

    @on(RecipeView.Moved)
    def _moved(self) -> None:
        self.update_bars()

    @on(RecipeEditor.ModeChanged)
    def _mode_changed(self) -> None:
        self.update_bars()

    @on(BottomPanel.ProblemChosen)
    def _problem_chosen(self, event: BottomPanel.ProblemChosen) -> None:
        self.do("recipe.go_to_problem", event.index)

    def on_descendant_focus(self) -> None:
        """The hints depend on where the focus is."""
        self.update_bars()

    def on_descendant_blur(self) -> None:
        """As above."""
        self.update_bars()

    def on_resize(self) -> None:
        """The tab bar shows as many tabs as fit; nobody knows what the terminal made of what stood there."""
        frame_of(self.console).forget()
        self.call_after_refresh(self.update_bars)


def view_of(tab: Tab) -> Widget:
    """What a tab shows in the editor."""
    if tab.kind == "recipe":
        return RecipeView(tab.context, id=tab.id)
    if tab.context.run is not None and tab.context.run.kind == "search":
        from tui.views.search.view import SearchView

        return SearchView(tab.context, id=tab.id)
    return LiveView(tab.context, id=tab.id)


def run(path: str | None, options: Options | None = None) -> int:
    """Open the workbench on a recipe, a run, data, or nothing; returns the exit code."""
    app = Workbench(options, path)
    # What is loaded by now stays: collecting it again and again would hold up keys.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    code = app.run()
    for line in app.farewell:
        print(line)  # noqa: T201
    return code or app.return_code or 0
