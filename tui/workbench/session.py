"""What is open: recipes, runs and replays, and what follows when one of them changes. No widgets, no torch.

The session holds the truth that widgets show. Whoever changes a document goes through `apply`, `undo`, `redo` or
`typed`; whoever waits for something is told by `listener`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from textual.message import Message

from engine.errors import UserError
from engine.recipe.check import check
from engine.recipe.document import Document
from engine.recipe.edits import Edit, Transaction
from tui.clean import clean
from tui.options import Options
from tui.workbench import words
from tui.workbench.context import Context, DocumentChanged, FactsChanged, HistoryChanged
from tui.workbench.facts import Answer
from tui.workbench.open_run import OpenRun, ReplayedRun
from tui.workbench.tab import LiveUndo, Tab

KEPT = "The weights keep what they learned."


class Listener(Protocol):
    """Who is told what happens in the session."""

    def changed(self, tab: Tab, *messages: type[Message]) -> None:
        """Something of `tab` changed: `messages` are for its panels and its view."""

    def say(self, message: str, severity: str = "information") -> None:
        """Tell the person."""

    def facts_wanted(self, tab: Tab) -> None:
        """The tab's data has to be read again."""

    def reveal(self, tab: Tab, path: str) -> None:
        """Show the setting at an edit path."""

    def later(self, work: Callable[[], object], done: Callable[[], object] | None = None) -> None:
        """Do something that may wait, in a thread; then `done`, here."""


class Session:
    """The open tabs and the one in front."""

    def __init__(self, options: Options, listener: Listener) -> None:
        self.options = options
        self.listener = listener
        self.tabs: list[Tab] = []
        self.active: Tab | None = None
        self.data_problems: dict[str, UserError] = {}
        """By tab: why the data could not be read."""
        self._read: dict[str, str] = {}
        """By tab: what of the recipe the facts were read for."""
        self._opened = 0

    # Opening and closing

    def open_recipe(self, path: Path) -> Tab:
        """The tab of a recipe; opened if it is not open yet. Raises UserError where it cannot be read."""
        path = path.expanduser().resolve()
        for tab in self.tabs:
            if tab.kind == "recipe" and tab.path == path:
                self.active = tab
                return tab
        return self._add("recipe", Document.open(path), None)

    def open_text(self, text: str, path: Path | None = None) -> Tab:
        """A new recipe that no file holds yet."""
        return self._add("recipe", Document.from_text(text, path=path), None)

    def open_run(self, run_dir: Path, *, replay: bool = False, speed: float | None = 1.0) -> Tab:
        """The tab of a run; opened if it is not open yet."""
        run_dir = run_dir.resolve()
        kind = "replay" if replay else "run"
        for tab in self.tabs:
            if tab.kind == kind and tab.path == run_dir:
                self.active = tab
                return tab
        run = ReplayedRun(run_dir, speed) if replay else OpenRun(run_dir)
        tab = self._add("replay" if replay else "run", None, run)
        if run.large:
            tab.loading = True
            self.listener.later(lambda: tab.loaded.extend(run.poll()), lambda: self._loaded(tab))
        else:
            self.poll_run(tab)
        return tab

    def _loaded(self, tab: Tab) -> None:
        tab.loading = False
        self.poll_run(tab)

    def _add(self, kind: Any, document: Document | None, run: OpenRun | None) -> Tab:
        self._opened += 1
        context = Context(document, run, on_apply=self._apply_from, on_show=self._show, on_say=self.listener.say)
        tab = Tab(f"tab-{self._opened}", kind, context)
        at = self.tabs.index(self.active) + 1 if self.active in self.tabs and self.active else len(self.tabs)
        self.tabs.insert(at, tab)
        self.active = tab
        if kind == "recipe":
            self.recheck(tab)
        return tab

    def close(self, tab: Tab) -> None:
        """Forget a tab. A run goes on."""
        at = self.tabs.index(tab)
        self.tabs.remove(tab)
        self.data_problems.pop(tab.id, None)
        self._read.pop(tab.id, None)
        if self.active is tab:
            self.active = self.tabs[min(at, len(self.tabs) - 1)] if self.tabs else None

    def tab_of(self, context: Context) -> Tab | None:
        """The tab that a context belongs to."""
        return next((tab for tab in self.tabs if tab.context is context), None)

    # Changing a recipe

    def _apply_from(self, context: Context, edits: tuple[Edit, ...], words_: str) -> bool:
        tab = self.tab_of(context)
        return tab is not None and self.apply(tab, edits, words_)

    def _show(self, context: Context, path: str) -> None:
        tab = self.tab_of(context)
        if tab is not None:
            self.listener.reveal(tab, path)

    def apply(self, tab: Tab, edits: Sequence[Edit], say: str = "") -> bool:
        """Do edits as one undo step; on a live run, send them. False where they were refused, and why was said."""
        document = tab.context.document
        if document is None or not edits:
            return False
        if tab.kind == "replay":
            self.listener.say("This is a replay: nothing in it can be changed.", "warning")
            return False
        if tab.kind == "run":
            return self._send_edits(tab, tuple(edits), say)
        try:
            document.apply(tuple(edits))
        except UserError as error:
            self.refused(error)
            return False
        if say:
            tab.write_output(clean(say))
        self.document_changed(tab)
        return True

    def typed(self, tab: Tab, text: str) -> None:
        """The recipe's text as it stands in the editor."""
        document = tab.context.document
        if document is not None and text != document.text:
            document.replace_text(text)
            self.document_changed(tab)

    def undo(self, tab: Tab) -> None:
        """Take the last change back."""
        if tab.kind == "run":
            self._undo_live(tab, tab.undo, tab.redo)
        elif tab.kind == "recipe" and tab.context.document is not None:
            if tab.context.document.undo() is None:
                self.listener.say("Nothing to undo.")
            self.document_changed(tab)

    def redo(self, tab: Tab) -> None:
        """Do it again."""
        if tab.kind == "run":
            self._undo_live(tab, tab.redo, tab.undo)
        elif tab.kind == "recipe" and tab.context.document is not None:
            if tab.context.document.redo() is None:
                self.listener.say("Nothing to do again.")
            self.document_changed(tab)

    def document_changed(self, tab: Tab) -> None:
        """Check again and tell everyone."""
        self.recheck(tab)
        self.listener.changed(tab, DocumentChanged)

    def recheck(self, tab: Tab) -> None:
        """Problems and shapes of the recipe as it stands; ask for facts where the data's settings changed."""
        context = tab.context
        document = context.document
        if document is None:
            return
        if tab.kind == "recipe":
            wanted = self._data_settings(document)
            if wanted != self._read.get(tab.id):
                self._read[tab.id] = wanted
                self.data_problems.pop(tab.id, None)
                self.listener.facts_wanted(tab)
        self._check(tab)

    def read_again(self, tab: Tab) -> None:
        """Read the data once more, though no setting changed: its file did."""
        self._read.pop(tab.id, None)
        self.recheck(tab)

    @staticmethod
    def _data_settings(document: Document) -> str:
        data = document.data if isinstance(document.data, dict) else {}
        concerns = {key: data.get(key) for key in ("data", "task", "loss", "metrics")}
        return json.dumps(concerns, sort_keys=True, default=str)

    def _check(self, tab: Tab) -> None:
        context = tab.context
        if context.document is not None:
            found = self.data_problems.get(tab.id)
            context.checked = check(context.document, context.facts, [] if found is None else [found])

    def facts_read(self, tab: Tab, answer: Answer) -> None:
        """A child process read the data of a recipe, or could not."""
        context = tab.context
        context.facts_busy = False
        context.preview = answer.preview
        if answer.error is not None:
            context.facts = None
            context.facts_error = answer.error.message
            # While the recipe itself is wrong the reader says the same as the check: once is enough.
            if context.checked is not None and context.checked.recipe is not None:
                self.data_problems[tab.id] = answer.error
        else:
            context.facts = answer.facts
            context.facts_error = ""
            self.data_problems.pop(tab.id, None)
        self._check(tab)
        self.listener.changed(tab, FactsChanged, DocumentChanged)

    # Files that other programs change

    def poll_files(self) -> list[Tab]:
        """Reload recipes that changed on disk, where that loses nothing. The rest are returned: the person decides."""
        asked = []
        for tab in self.tabs:
            document = tab.context.document
            if tab.kind != "recipe" or document is None or document.path is None:
                continue
            if not document.changed_on_disk():
                tab.conflict = False
                continue
            if document.dirty:
                if not tab.conflict:
                    tab.conflict = True
                    asked.append(tab)
                continue
            try:
                document.reload()
            except UserError as error:
                if not tab.conflict:  # said once; the file may come back
                    tab.conflict = True
                    self.refused(error)
                continue
            tab.conflict = False
            self.listener.say(f"{document.path.name} changed on disk and was read again.")
            self.document_changed(tab)
        return asked

    # Runs

    def poll(self) -> None:
        """Read what the runs wrote. Does nothing for runs that wrote nothing."""
        for tab in self.tabs:
            if tab.kind != "recipe":
                self.poll_run(tab)
                if isinstance(tab.context.run, ReplayedRun) and tab.context.run.playing:
                    self.listener.changed(tab)  # its clock moves

    def poll_run(self, tab: Tab) -> None:
        """Read what one run wrote."""
        run = tab.context.run
        if run is None or tab.loading:
            return
        alive = run.alive
        records = [*tab.loaded, *run.poll()]
        tab.loaded.clear()
        for line in run.log_lines():
            tab.write_output(clean(line))
        if not records and run.alive == alive:
            return
        messages: list[type[Message]] = [HistoryChanged]
        for record in records:
            kind = record.get("type")
            if kind not in ("steps", "probe", "trial_epochs", "device_use"):
                tab.write_event(words.event_line(record))
            if kind == "command_refused" and run.sent.pop(record.get("id", ""), None) is not None:
                tab.undo[:] = [step for step in tab.undo if step.id != record.get("id")]
                self.listener.say(f"The run refused: {record.get('reason', '')}", "warning")
            if kind == "finished" and alive:
                self.listener.say(
                    finished_words(run, record), "error" if run.history.state == "failed" else "information"
                )
            if kind in ("started", "edited", "resumed", "finished") and DocumentChanged not in messages:
                messages.append(DocumentChanged)
            if kind == "data":
                messages.append(FactsChanged)
        if DocumentChanged in messages:
            self._follow_recipe(tab, run)
        if FactsChanged in messages:
            tab.context.facts = run.facts
            messages.append(DocumentChanged)
        if DocumentChanged in messages:
            self._check(tab)
        self.listener.changed(tab, *dict.fromkeys(messages))

    def _follow_recipe(self, tab: Tab, run: OpenRun) -> None:
        """The run's effective recipe, as its journal tells it."""
        try:
            text = run.effective_recipe()
        except UserError as error:
            tab.write_output(clean(error.message))
            return
        if tab.context.document is None:
            tab.context.document = Document.from_text(text)
        elif tab.context.document.text != text:
            tab.context.document.replace_text(text)

    def _send_edits(self, tab: Tab, edits: Transaction, say: str) -> bool:
        document, run = tab.context.document, tab.context.run
        if document is None or run is None:
            return False
        if not run.alive:
            self.listener.say("This run has ended: fork it to change it, or resume it.", "warning")
            return False
        try:
            inverse = Document.from_text(document.text).apply(edits)
        except UserError as error:
            self.refused(error)
            return False
        self._send(run, LiveUndo(edits, inverse, say), tab.undo)
        tab.redo.clear()
        tab.write_output(f"sent to the run: {clean(say) or ', '.join(clean(edit.path) for edit in edits)}")
        return True

    def _send(self, run: OpenRun, step: LiveUndo, stack: list[LiveUndo]) -> None:
        stack.append(step)

        def work() -> None:
            try:
                step.id = run.send_edits(step.edits)
            except UserError:
                stack.remove(step)
                raise

        self.listener.later(work)

    def _undo_live(self, tab: Tab, source: list[LiveUndo], target: list[LiveUndo]) -> None:
        run = tab.context.run
        if not source:
            self.listener.say("No change of yours to take back on this run.")
            return
        if run is None or not run.alive:
            self.listener.say("This run has ended: its changes stay as they are.", "warning")
            return
        step = source.pop()
        self._send(run, LiveUndo(step.inverse, step.edits, step.words), target)
        what = ", ".join(edit.path for edit in step.edits)
        self.listener.say(f"Took back {what}. {KEPT}" if source is tab.undo else f"Sent {what} again.")

    def replay_rewound(self, tab: Tab) -> None:
        """A replay begins again."""
        tab.events.clear()
        tab.context.document = None
        self.listener.changed(tab, HistoryChanged)

    def live_runs(self) -> list[Tab]:
        """Tabs whose run trains now."""
        return [tab for tab in self.tabs if tab.kind == "run" and tab.context.run and tab.context.run.alive]

    def refused(self, error: UserError | OSError) -> None:
        """Say what was wrong and how to mend it."""
        if isinstance(error, OSError):
            error = UserError(f"{error.filename or 'the file'}: {error.strerror or error}")
        self.listener.say(f"{error.message}\n{error.hint}" if error.hint else error.message, "error")


def finished_words(run: OpenRun, record: dict[str, Any]) -> str:
    """How a run ended, for a person."""
    reason = str(record.get("reason", "")).replace("_", " ")
    ended = {"completed": "has finished", "early stopped": "stopped early", "stopped": "is stopped, its state is saved"}
    words_ = f"{run.name} {run.short} {ended.get(reason, f'ended: {reason}')}"
    # The live tab says why a run that went well is over; more words here would lie over its chart.
    tell = record.get("message") and reason not in ended
    return f"{words_}. {record['message']}" if tell else f"{words_}."
