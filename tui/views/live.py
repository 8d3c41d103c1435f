"""The live tab: a run's curves and figures. A live, a finished and a replayed run look the same.

The view holds nothing but how to look: which axis, which scale, which series. What it shows comes from the run's
history whenever the workbench says that it changed; nothing changed, nothing is written.
"""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tui.charts.line import LineChart
from tui.views import curves
from tui.views.state import log_tail, words
from tui.views.tiles import Tiles
from tui.workbench.context import Context, DocumentChanged, HistoryChanged

TWO_CHARTS = 24
"""From this height on a second chart has room."""
BESIDE = 50
"""From this width on the loss has room for a metric beside it, on a scale of its own."""
LOW = 13
"""Below this height the tiles stand in one line."""


class LiveView(Vertical):
    """A run on the screen."""

    DEFAULT_CSS = """
    LiveView { padding: 0 1; }
    LiveView Tiles { margin-bottom: 1; }
    LiveView.-low Tiles { height: 2; margin-bottom: 0; }
    LiveView .live--more {
        height: auto; max-height: 9; margin-bottom: 1; padding: 0 1;
        border-left: outer $error; color: $foreground; display: none;
    }
    LiveView.-trouble .live--more { display: block; }
    LiveView #other { height: 2fr; margin-top: 1; }
    LiveView #loss { height: 3fr; }
    """

    def __init__(self, context: Context, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.context = context
        self.log_scale = False
        self.axis = curves.ORDER[0]
        self.turn = 0
        """Which of the other series is shown; where only one chart has room, 0 is the loss."""

    def compose(self) -> ComposeResult:
        """Figures, trouble if there is any, the loss, another series."""
        yield Tiles()
        yield Static("", markup=False, classes="live--more")
        yield LineChart(id="loss")
        yield LineChart(id="other")

    def on_mount(self) -> None:
        """Show what is known."""
        self.update_view()

    def on_resize(self, event: events.Resize) -> None:
        """Lay out for the room there is."""
        self.set_class(event.size.height < LOW, "-low")
        self.update_view()

    def on_history_changed(self, _: HistoryChanged) -> None:
        """The run wrote something."""
        self.update_view()

    def on_document_changed(self, _: DocumentChanged) -> None:
        """The run's recipe changed, which marks and plans tell of too."""
        self.update_view()

    def update_view(self) -> None:
        """Bring everything up to date. Work does not depend on how long the run is."""
        run = self.context.run
        if run is None or not self.query(Tiles):
            return
        history = run.history
        alive = bool(run.alive)
        ended = history.finished is not None or not alive
        lines = log_tail(run.run_dir) if ended and history.state in ("failed", "preparing", "running", "paused") else ""
        state = words(history, alive, lines)
        more = self.query_one(".live--more", Static)
        if str(more.content) != state.more:
            more.update(state.more)
        self.set_class(bool(state.more), "-trouble")
        self.query_one(Tiles).show(state, history)

        names = curves.others(history)
        metric = next(iter(curves.metric_names(history)), "") if self.size.width >= BESIDE else ""
        loss, other = self.query_one("#loss", LineChart), self.query_one("#other", LineChart)
        roomy = self.size.height >= TWO_CHARTS
        both = roomy and bool(names)
        if other.display != both:
            other.display = both
        if both or not names or self.turn % (len(names) + 1) == 0:
            loss.show(curves.loss_picture(history, self.axis, self.log_scale, metric))
        else:
            name = names[self.turn % (len(names) + 1) - 1]
            loss.show(curves.other_picture(history, name, self.axis, self.log_scale and name == "lr"))
        if both:
            # The first metric stands beside the loss already.
            name = names[(self.turn + bool(metric)) % len(names)]
            log = self.log_scale and name == "lr"
            other.show(curves.other_picture(history, name, self.axis, log, margin=bool(metric)))

    def next_scale(self) -> None:
        """Log or linear y."""
        self.log_scale = not self.log_scale
        self.update_view()

    def next_axis(self) -> None:
        """The next x axis."""
        self.axis = curves.ORDER[(curves.ORDER.index(self.axis) + 1) % len(curves.ORDER)]
        self.update_view()

    def next_series(self) -> None:
        """The next series."""
        self.turn += 1
        self.update_view()
