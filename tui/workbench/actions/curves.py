"""How curves are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.views.live import LiveView
from tui.views.search.view import SearchView

if TYPE_CHECKING:
    from tui.app import Workbench


def log(app: Workbench) -> None:
    """Log or linear y."""
    if isinstance(app.view, LiveView | SearchView):
        app.view.next_scale()


def axis(app: Workbench) -> None:
    """Epochs, steps or time."""
    if isinstance(app.view, LiveView):
        app.view.next_axis()


def series(app: Workbench) -> None:
    """Another metric, the learning rate, what probes measured."""
    if isinstance(app.view, LiveView):
        app.view.next_series()
