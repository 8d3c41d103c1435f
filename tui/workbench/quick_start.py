"""From the train key to the first loss: a worker in waiting, and a close watch on a run that has just begun."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine.runs import launch
from engine.runs.standby import Standby

if TYPE_CHECKING:
    from textual.timer import Timer

    from tui.app import Workbench
    from tui.workbench.tab import Tab

LOOK = 0.02
"""Seconds between two looks at the journal of a run that has no loss yet."""
AT_MOST = 10.0
"""Seconds for which a run is watched so closely: one that reads its data for minutes is none to wait for."""
NEXT = 1.0
"""Seconds after the first loss at which another worker begins to wait: the run comes first."""


class QuickStart:
    """What the workbench does so that a run starts quickly."""

    def __init__(self, app: Workbench) -> None:
        self._app = app
        self.standby = Standby()
        launch.keep(self.standby)
        self._watching: Timer | None = None

    def prepare(self) -> None:
        """Let a worker wait once the screen is painted, where a recipe is in front that looks trainable."""
        tab = self._app.session.active
        if self._app.is_headless or tab is None or tab.kind != "recipe" or tab.count("error") or self._watching:
            return
        self._app.call_after_refresh(self._want)

    def _want(self) -> None:
        if self._app.is_running:
            self._app.later(self.standby.want)

    def watch(self, tab: Tab) -> None:
        """A run was just started: show its first loss as soon as it is there."""
        self._end_watch()
        run = tab.context.run
        assert run is not None
        until, begun = time.monotonic() + AT_MOST, run.history.step

        def look() -> None:
            if tab in self._app.session.tabs and time.monotonic() < until:
                self._app.session.poll_run(tab)
                if run.history.step == begun and not run.settled:
                    return
            self._end_watch()
            if not self._app.is_headless:
                self._app.set_timer(NEXT, self._want)

        self._watching = self._app.set_interval(LOOK, look)

    def _end_watch(self) -> None:
        if self._watching is not None:
            self._watching.stop()
            self._watching = None

    def close(self) -> None:
        """The workbench ends."""
        launch.keep(None)
        self.standby.close()
