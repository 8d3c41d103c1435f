"""The live tab: a run's curves and figures, the same for a live, a finished and a replayed run."""

from __future__ import annotations

from textual.containers import Vertical

from tui.workbench.context import Context


class LiveView(Vertical):
    """A run on the screen."""

    def __init__(self, context: Context, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.context = context
