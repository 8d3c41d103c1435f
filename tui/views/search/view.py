"""The search tab: a table of trials and a chart, from the search's history alone. Live, ended and replayed look the
same.

The view holds nothing but how to look: the order, the cursor, the chart. It paints when the history says that it
changed, at most once a tick of the workbench's clock, and only cells that differ are written.
"""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from engine.history.trials import TrialRow
from tui.views.search.axes import Axis, axes_of
from tui.views.search.chart import CHARTS, TrialChart
from tui.views.search.head import Head, log_of, state_words
from tui.views.search.sheet import Sheet
from tui.views.search.table import TrialTable
from tui.workbench.bar import Bar, Cell
from tui.workbench.context import Context, DocumentChanged, HistoryChanged, trials_planned

PAGES = ("parallel", "marginals")
"""Charts whose settings may not all have room."""


class SearchView(Vertical):
    """A search on the screen."""

    DEFAULT_CSS = """
    SearchView { padding: 0 1; }
    SearchView .search--more {
        height: auto; max-height: 7; margin-bottom: 1; padding: 0 1;
        border-left: outer $error; color: $foreground; display: none;
    }
    SearchView.-trouble .search--more { display: block; }
    SearchView #charts { margin-bottom: 0; }
    SearchView.-tall Head { margin-bottom: 1; }
    SearchView.-tall TrialTable { margin-bottom: 1; }
    """

    def __init__(self, context: Context, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.context = context
        self.kind = "best"
        """The chart that is shown."""
        self.log_scale = False
        self.page = 0
        self._axes: list[Axis] = []
        self._axes_of: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """How it stands, trouble if there is any, the trials, the charts."""
        yield Head()
        yield Static("", markup=False, classes="search--more")
        yield TrialTable()
        yield Bar(id="charts")
        yield TrialChart()

    def on_mount(self) -> None:
        """Show what is known."""
        self.update_view()

    def on_resize(self, event: events.Resize) -> None:
        """Where there is room, the parts stand a line apart."""
        self.set_class(event.size.height >= 30, "-tall")
        self.update_view()

    def on_history_changed(self, _: HistoryChanged) -> None:
        """The search wrote something."""
        self.update_view()

    def on_document_changed(self, _: DocumentChanged) -> None:
        """The search's recipe is known, or changed."""
        self.update_view()

    @property
    def chosen(self) -> TrialRow | None:
        """The trial under the cursor."""
        return self.query_one(TrialTable).chosen

    def sheet(self) -> Sheet:
        """The search as it stands, for the table and the charts."""
        run, document = self.context.run, self.context.document
        assert run is not None
        trials = run.history.trials
        space = document.get("search.space", {}) if document is not None else {}
        epochs = document.get("train.epochs", 20) if document is not None else None
        # What the space does not say is read from the trials, and they are many: only when one was added.
        known = (str(space), len(trials.rows), len(trials.order), id(trials))
        if known != self._axes_of:
            self._axes_of = known
            self._axes = axes_of(space, (row.params for row in trials.rows.values()))
        chosen = self.chosen
        return Sheet(
            trials,
            self._axes,
            trials_planned(self.context),
            epochs if isinstance(epochs, int) else None,
            None if chosen is None else chosen.number,
            self.log_scale,
            self.page,
        )

    def update_view(self) -> None:
        """Bring everything up to date."""
        run = self.context.run
        if run is None or not self.query(TrialChart):
            return
        history = run.history
        alive = bool(run.alive)
        table = self.query_one(TrialTable)
        sheet = self.sheet()
        table.show(sheet)
        ended = history.finished is not None or not alive
        state = state_words(history, alive, sheet.planned, log_of(run.run_dir, history.state) if ended else "")
        more = self.query_one(".search--more", Static)
        if str(more.content) != state.more:
            more.update(state.more)
        self.set_class(bool(state.more), "-trouble")
        self.query_one(Head).show_search(state, history, sheet, table.chosen)
        self._paint()

    def _paint(self) -> None:
        """The chart and its name, for the trial under the cursor."""
        self.query_one(TrialChart).show(self.sheet(), self.kind)
        cells = []
        for number, (kind, words) in enumerate(CHARTS.items(), 1):
            here = kind == self.kind
            cells.append(Cell(f"{number} ", "key", f"search.{kind}"))
            cells.append(Cell(words, "underlined" if here else "plain", f"search.{kind}"))
            cells.append(Cell("  "))
        self.query_one("#charts", Bar).show(cells)

    def on_trial_table_chosen(self, event: TrialTable.Chosen) -> None:
        """The cursor moved: the line about its trial and the chart follow."""
        event.stop()
        self.update_view()

    def show_chart(self, kind: str) -> None:
        """Show one of the charts."""
        self.kind = kind
        self.page = 0
        self._paint()

    def next_chart(self) -> None:
        """The next chart."""
        kinds = list(CHARTS)
        self.show_chart(kinds[(kinds.index(self.kind) + 1) % len(kinds)])

    def next_scale(self) -> None:
        """Log or linear values."""
        self.log_scale = not self.log_scale
        self._paint()

    def next_page(self) -> bool:
        """The next settings, on the charts that show some of them at a time."""
        if self.kind not in PAGES:
            return False
        self.page += 1
        self._paint()
        return True
