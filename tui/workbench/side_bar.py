"""The side bar: one room at a time, bound to the tab in front and named after it."""

from __future__ import annotations

from collections.abc import Callable

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Input, Static

from tui.charts.line import LineChart
from tui.clean import clean
from tui.panels.data import DataPanel
from tui.panels.explorer import Explorer
from tui.panels.model import ModelPanel
from tui.panels.optimizer import OptimizerPanel
from tui.panels.regularization import RegularizationPanel
from tui.panels.search import SearchPanel
from tui.workbench.context import Reveal
from tui.workbench.tab import Tab

ROOMS: dict[str, Callable[..., Widget]] = {
    "data": DataPanel,
    "model": ModelPanel,
    "optimizer": OptimizerPanel,
    "regularization": RegularizationPanel,
    "search": SearchPanel,
}
"""Rooms that are built for one tab each; the explorer is one for all."""
LETTERS = {"explorer": "E", "data": "D", "model": "M", "optimizer": "O", "regularization": "R", "search": "S"}
EMPTY = {
    "data": "Where the rows come from, how they are split and scaled.",
    "model": "The layers, with shapes and parameter counts.",
    "optimizer": "Optimizer, learning rate and schedule.",
    "regularization": "Dropout, weight decay, augmentation, early stopping.",
    "search": "Which settings are tried, and between which bounds.",
}


class SideBar(Vertical):
    """Title and room."""

    def __init__(self, explorer: Explorer, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.explorer = explorer
        self.room = "explorer"
        self._tab: Tab | None = None
        self._title = ""
        self._seen: dict[str, int] = {}
        """By room of a tab: the version that it was told."""

    def compose(self) -> ComposeResult:
        """The title, the explorer, a word for rooms that have nothing to show; rooms join when they are first seen."""
        yield Static(id="side-title", markup=False)
        with ContentSwitcher(id="side-rooms", initial="explorer"):
            yield self.explorer
            yield Static(id="side-empty", classes="empty", markup=False)

    async def show(self, room: str, tab: Tab | None) -> None:
        """Show a room of a tab."""
        self.room, self._tab = room, tab
        self.retitle()
        switcher = self.query_one("#side-rooms", ContentSwitcher)
        if room == "explorer":
            switcher.current = "explorer"
        elif tab is None:
            words = EMPTY[room]
            self.query_one("#side-empty", Static).update(f"{words}\n\nOpen a recipe or a run first: o")
            switcher.current = "side-empty"
        else:
            panel = await self._panel(room, tab)
            switcher.current = panel.id
            for message in tab.missed(self._seen.get(str(panel.id), 0)):
                panel.post_message(message)
            self._seen[str(panel.id)] = tab.version

    async def _panel(self, room: str, tab: Tab) -> Widget:
        name = f"{room}-{tab.id}"
        switcher = self.query_one("#side-rooms", ContentSwitcher)
        found = switcher.query(f"#{name}")
        if found:
            return found.first()
        panel = ROOMS[room](tab.context, id=name)
        panel.display = False
        self._seen[name] = tab.version
        await switcher.mount(panel)
        return panel

    def retitle(self) -> None:
        """Name what the room is bound to: `MODEL · run 7f3a, live`."""
        title = self.room.upper()
        if self.room != "explorer" and self._tab is not None:
            run = self._tab.context.run
            title += f" · {clean(self._tab.context.title)}"
            room = self.query_one("#side-title").content_size.width
            if room and cell_len(title) > room and run is not None and not run.alive:
                title = title.removesuffix(run.history.state) + "ended"  # how it ended stands in the tab
        if title != self._title:
            self._title = title
            self.query_one("#side-title", Static).update(title)

    @property
    def panel(self) -> Widget | None:
        """What is shown."""
        return in_front(self.query_one("#side-rooms", ContentSwitcher))

    def deliver(self, tab: Tab, messages: list[Message]) -> None:
        """Post messages to the room on the screen, if it is the tab's."""
        self.retitle()
        panel = self.panel
        if panel is not None and panel.id == f"{self.room}-{tab.id}":
            self._seen[panel.id] = tab.version
            for message in messages:
                panel.post_message(message)

    def reveal(self, path: str) -> None:
        """Show a setting in the room on the screen."""
        if self.panel is not None:
            self.panel.post_message(Reveal(path))

    async def forget(self, tab: Tab) -> None:
        """Drop the rooms of a tab that was closed."""
        for room in ROOMS:
            for panel in self.query(f"#{room}-{tab.id}"):
                await panel.remove()

    def focus_room(self) -> None:
        """Put the focus into the room."""
        panel = self.panel
        if panel is None:
            return
        if panel.focusable:
            panel.focus()
            return
        inside = [child for child in panel.query("*") if child.focusable]
        # A text line takes the plain letters: where there is a choice or a list to stand on, stand there.
        for child in sorted(inside, key=lambda child: (isinstance(child, LineChart), isinstance(child, Input)))[:1]:
            # A room that was just put in place has no height yet, and would scroll for nothing.
            child.focus(scroll_visible=False)
            child.call_after_refresh(show_start, child, panel)


def show_start(child: Widget, room: Widget) -> None:
    """Bring the first rows of `child` into sight; a room where they are already stays at its top."""
    if not room.region.y <= child.region.y < room.region.bottom:
        child.scroll_visible(animate=False)


def in_front(switcher: ContentSwitcher) -> Widget | None:
    """What a switcher shows; None also while it is being taken down."""
    found = switcher.query_children(f"#{switcher.current}") if switcher.current else None
    return found.first() if found else None
