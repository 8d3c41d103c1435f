"""An editor tab: a recipe, a run, or a replay of a run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from textual.message import Message

from engine.recipe.edits import Transaction
from engine.recipe.problem import Problem
from tui.keymap import Place
from tui.workbench.context import Context, trials_planned

Kind = Literal["recipe", "run", "replay"]


@dataclass
class LiveUndo:
    """A change that was sent to a worker, and how to take it back."""

    edits: Transaction
    inverse: Transaction
    words: str
    id: str = ""
    """Of the command, once it is sent."""


@dataclass(eq=False)
class Tab:
    """What one tab stands for. Its widgets are the workbench's."""

    id: str
    """Unique, and good as a widget's id."""
    kind: Kind
    context: Context
    output: deque[str] = field(default_factory=lambda: deque(maxlen=1000))
    """Lines of the Output list: the workbench's own and the worker's."""
    events: deque[str] = field(default_factory=lambda: deque(maxlen=2000))
    """Lines of the Events list: the run's records, but for the losses."""
    undo: list[LiveUndo] = field(default_factory=list)
    redo: list[LiveUndo] = field(default_factory=list)
    output_count: int = 0
    """Lines ever written to Output; the list itself forgets the oldest."""
    events_count: int = 0
    version: int = 0
    """Grows with every change that panels and views have to know."""
    changed_at: dict[type[Message], int] = field(default_factory=dict)
    """By message: the version at which it was last sent."""
    loading: bool = False
    """A long journal is being read in a thread."""
    loaded: list[dict[str, Any]] = field(default_factory=list)
    """What that thread read."""
    conflict: bool = False
    """The file changed on disk while there were changes of ours: the person was asked, or is about to be."""
    problem: int = -1
    """The problem that was last gone to."""

    def note(self, messages: Iterable[type[Message]]) -> None:
        """Messages are about to be sent."""
        self.version += 1
        for message in messages:
            self.changed_at[message] = self.version

    def missed(self, version: int) -> list[Message]:
        """What a widget that last looked at `version` was not told."""
        return [message() for message, at in self.changed_at.items() if at > version]

    def write_output(self, line: str) -> None:
        """Add a line to Output."""
        self.output.append(line)
        self.output_count += 1

    def write_event(self, line: str) -> None:
        """Add a line to Events."""
        self.events.append(line)
        self.events_count += 1

    @property
    def path(self) -> Path | None:
        """The recipe's file or the run's folder."""
        if self.context.run is not None:
            return self.context.run.run_dir
        return self.context.document.path if self.context.document is not None else None

    @property
    def place(self) -> Place:
        """What the keys go by."""
        if self.context.run is not None and self.context.run.kind == "search":
            return "search" if self.kind == "run" else "search_replay"
        return self.kind

    @property
    def dirty(self) -> bool:
        """Whether there are changes that no file holds."""
        return self.kind == "recipe" and self.context.document is not None and self.context.document.dirty

    @property
    def problems(self) -> list[Problem]:
        """Problems of the recipe, worst first, then by line. A run's recipe was checked when it started."""
        if self.kind != "recipe" or self.context.checked is None:
            return []
        order = {"error": 0, "warning": 1, "info": 2}
        return sorted(self.context.checked.problems, key=lambda p: (order[p.severity], p.line, p.column))

    def count(self, severity: str) -> int:
        """How many problems of a severity."""
        return sum(problem.severity == severity for problem in self.problems)

    @property
    def title(self) -> str:
        """The tab's own title."""
        run = self.context.run
        if run is None:
            return self.context.title
        history = run.history
        progress = f" {history.epoch}/{history.epochs_planned}" if history.epochs_planned else ""
        if run.kind == "search":
            planned = trials_planned(self.context)
            progress = f" {len(history.trials.order)}/{planned}" if planned else f" {len(history.trials.order)}"
        return f"{run.name} {run.short}{progress}"
