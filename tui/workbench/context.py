"""What a panel or a view works on: the recipe or the run of one editor tab.

Every tab has one context for its whole life, and panels and views are built with it: `ModelPanel(context)`,
`LiveView(context)`. They hold no truth of their own: they read from the context when they are told that it changed,
and change it by `apply`. The workbench posts the messages below to every panel and view that it built with the
context and that is on the screen; one that comes back to the screen gets those that it missed, once each.

A recipe tab has `document` and no `run`. A run tab has both: `document` is then the run's effective recipe, and
`apply` sends its edits to the worker instead of writing a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from textual.message import Message

from engine.recipe.edits import ANY, Edit

if TYPE_CHECKING:
    from engine.data.facts import Facts
    from engine.recipe.check import Checked
    from engine.recipe.document import Document
    from tui.workbench.open_run import OpenRun


class DocumentChanged(Message, bubble=False):
    """`context.document` or `context.checked` changed: an edit, undo, a reload, new problems."""

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts: what has changed is read from the context."""
        return isinstance(message, DocumentChanged)


class FactsChanged(Message, bubble=False):
    """`context.facts`, `context.facts_error` or `context.preview` changed."""

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, FactsChanged)


class HistoryChanged(Message, bubble=False):
    """The run wrote records, or its worker came or went: read `context.run`. At most one a tick of the poll clock."""

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, HistoryChanged)


class Reveal(Message, bubble=False):
    """Show the setting at `path` (an edit path): select its layer, focus its field, go to its line."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


LIVE_SEARCH = ("search.trials", "search.minutes")
"""What of a search can change while it runs."""


def trials_planned(context: Context) -> int | None:
    """Trials that a search makes in all; None where that is not known."""
    run, document = context.run, context.document
    if run is None:
        return None
    # The plan knows best how many a grid has; an edit since then says otherwise.
    found: Any = (run.history.plan or {}).get("trials")
    if not isinstance(found, int) and document is not None:
        found = document.get("search.trials", 10)
    for record in run.history.edits:
        for edit in record.get("edits", ()):
            if edit.get("path") == "search.trials":
                found = edit.get("value")
    return max(found, len(run.history.trials.order)) if type(found) is int else None


class Context:
    """One tab's recipe or run. The callables are the workbench's; tests of a panel may leave them out."""

    def __init__(
        self,
        document: Document | None = None,
        run: OpenRun | None = None,
        *,
        on_apply: Callable[[Context, tuple[Edit, ...], str], bool] | None = None,
        on_show: Callable[[Context, str], None] | None = None,
        on_say: Callable[[str, str], None] | None = None,
    ) -> None:
        self.document = document
        self.run = run
        self.checked: Checked | None = None
        """Problems, rows of shapes and the valid recipe (None while there are errors)."""
        self.facts: Facts | None = None
        """Facts about the data, once a child process has read it."""
        self.facts_error: str = ""
        """Why there are no facts, for a person; "" while they are on their way or there."""
        self.facts_busy: bool = False
        """True while a child process reads the data."""
        self.preview: list[dict[str, Any]] = []
        """The first rows of the data, one mapping a row."""
        self._on_apply = on_apply
        self._on_show = on_show
        self._on_say = on_say

    @property
    def title(self) -> str:
        """What the side bar names: `digits.yaml`, or `run 7f3a, live`."""
        if self.run is not None and self.run.replayed:
            return f"replay of {self.run.short}"
        if self.run is not None:
            return f"run {self.run.short}, {'live' if self.run.alive else self.run.history.state}"
        if self.document is not None and self.document.path is not None:
            return self.document.path.name
        return "untitled"

    def apply(self, edits: Sequence[Edit], words: str = "") -> bool:
        """Do edits as one undo step: in the document, or on the worker of a live run.

        `words` says what they do, for the Output list and for undo ("layer 3: Dropout 0.3 → 0.5"). False where they
        were refused; the person has been told why.
        """
        if self._on_apply is not None:
            return self._on_apply(self, tuple(edits), words)
        if self.document is None:
            return False
        self.document.apply(tuple(edits))
        return True

    def set(self, path: str, value: Any, expect: Any = ANY) -> bool:
        """Set one value."""
        return self.apply((Edit("set", path, value, expect=expect),))

    def locked(self, live: bool, path: str = "") -> str:
        """Why a field cannot be changed here, in a few words; "" where it can.

        `live` is the field's own property; in a search it is the `path` that counts.
        """
        if self.run is None:
            return ""
        if self.run.replayed:
            return "a replay"
        if self.run.kind == "search":
            return "" if self.run.alive and path in LIVE_SEARCH else "a search: change its recipe"
        if not self.run.alive:
            return "ended: fork to change"
        return "" if live else "fork to change"

    def show(self, path: str) -> None:
        """Go to the setting at `path` in the recipe's text."""
        if self._on_show is not None:
            self._on_show(self, path)

    def say(self, message: str, severity: str = "information") -> None:
        """Tell the person: a notification, kept in Output. `severity` is information, warning or error."""
        if self._on_say is not None:
            self._on_say(message, severity)
