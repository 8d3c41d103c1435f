"""The explorer: recipes of the folder, recipes that come with goodfit, and runs with their state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from engine.runs.summary import RunInfo
from tui.clean import clean
from tui.workbench.words import mark, percent_or_number

EVERY = 2.0
"""Seconds between two looks at the folders while the explorer is on the screen."""
ROOMY = 24
"""From this width on there is room for how long ago a run began."""


class Explorer(Vertical):
    """A list with three headings. Enter opens."""

    DEFAULT_CSS = """
    Explorer { height: 1fr; }
    Explorer OptionList { height: 1fr; }
    """

    class Opened(Message):
        """A recipe's file or a run's folder was chosen."""

        def __init__(self, path: Path, is_run: bool) -> None:
            super().__init__()
            self.path = path
            self.is_run = is_run

    def __init__(
        self,
        recipes: Callable[[], Sequence[Path]],
        bundled: Callable[[], Sequence[Path]],
        runs: Callable[[], Sequence[RunInfo]],
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._recipes = recipes
        self._bundled = bundled
        self._runs = runs
        self._found: list[tuple[object, ...]] = []
        self._shown: list[tuple[object, ...]] = []
        self._targets: list[tuple[Path, bool] | None] = []
        self._width = 0

    def compose(self) -> ComposeResult:
        """One list."""
        yield OptionList(markup=False)

    def on_mount(self) -> None:
        """Look again now and then, while somebody looks here."""
        self.set_interval(EVERY, self._tick)
        self._look_soon()

    def on_resize(self) -> None:
        """Rows are cut to the width."""
        self.call_after_refresh(self._show)

    def _tick(self) -> None:
        if self.display and self.is_on_screen:
            self._look_soon()

    def _look_soon(self) -> None:
        self.run_worker(self._look, group="look", exclusive=True)  # type: ignore[arg-type]

    async def _look(self) -> None:
        """Look in a thread: a folder may be large, or far away."""
        self._found = await asyncio.to_thread(self._read)
        self._show()

    def look(self) -> None:
        """List what is there now."""
        self._found = self._read()
        self._show()

    def _read(self) -> list[tuple[object, ...]]:
        near = list(self._recipes())
        own = {path.resolve() for path in near}
        rest = [path for path in self._bundled() if path.resolve() not in own]
        now = time.time()
        rows: list[tuple[object, ...]] = [("head", "RECIPES")]
        rows += [("recipe", path) for path in near] or [("note", "none in this folder: n makes one")]
        if rest:
            rows += [("head", "BUNDLED"), *(("recipe", path) for path in rest)]
        rows.append(("head", "RUNS"))
        rows += [
            ("run", run.path, f"{clean(run.name)} {clean(run.id)}", run.state, score(run), age(run.created, now))
            for run in self._runs()
        ] or [("note", "none yet: t trains a recipe")]
        return rows

    def _show(self) -> None:
        """Show what was found; the list is made anew only where something changed."""
        width = self.query_one(OptionList).scrollable_content_region.width - 2
        if self._found and (self._found != self._shown or width != self._width):
            self._shown, self._width = self._found, width
            self._fill(self._found, max(12, width))

    def repaint(self) -> None:
        """The colours changed."""
        self._shown = []
        self._show()

    def _fill(self, rows: list[tuple[object, ...]], width: int) -> None:
        options = self.query_one(OptionList)
        chosen = self._targets[options.highlighted] if options.highlighted is not None and self._targets else None
        self._targets = []
        made: list[Option] = []
        for row in rows:
            kind = row[0]
            if kind == "head" and made:
                made.append(Option("", disabled=True))
                self._targets.append(None)
            target = (row[1], kind == "run") if kind in ("recipe", "run") else None
            made.append(Option(self._line(row, width), disabled=target is None))
            self._targets.append(target)  # type: ignore[arg-type]
        options.clear_options()
        options.add_options(made)
        if chosen in self._targets and chosen is not None:
            options.highlighted = self._targets.index(chosen)
        else:
            options.highlighted = next((i for i, target in enumerate(self._targets) if target), None)

    def _line(self, row: tuple[object, ...], width: int) -> Text:
        colours = self.app.theme_variables
        muted, faint = colours.get("text-muted", ""), colours.get("text-disabled", "")
        match row:
            case ("head", str(words)):
                return Text(words, f"bold {muted}", no_wrap=True, overflow="ellipsis")
            case ("recipe", Path() as path):
                return Text(clean(path.name), colours.get("foreground", ""), no_wrap=True, overflow="ellipsis")
            case ("run", _, str(label), str(state), str(score_), str(age_)):
                tone = {"running": "accent", "preparing": "accent", "completed": "success", "failed": "error"}
                line = Text(no_wrap=True, overflow="ellipsis")
                line.append(f"{mark(state)} ", colours.get(tone.get(state, "text-muted"), ""))
                right = f"{score_:>8}{age_:>5}" if width >= ROOMY else score_
                room = max(6, width - 3 - cell_len(right))
                label = label if cell_len(label) <= room else set_cell_size(label, room - 1) + "…"
                line.append(label, colours.get("foreground", ""))
                line.append(" " * (room - cell_len(label) + 1) + right, muted)
                return line
            case (_, str(words)):
                return Text(words, faint)
        return Text()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click."""
        event.stop()
        target = self._targets[event.option_index]
        if target is not None:
            self.post_message(self.Opened(*target))


def score(run: RunInfo) -> str:
    """How far a live run is, the best value of one that ended, or the one word that says more."""
    if run.state in ("running", "paused"):
        return f"{run.epoch or 0}/{run.epochs or '?'}"
    best = run.best or {}
    shown = next((name for name in best if name not in ("train_loss", "val_loss")), "val_loss")
    if run.state in ("completed", "stopped") and isinstance(best.get(shown), int | float):
        return percent_or_number(shown, float(best[shown]))
    return run.state


def age(created: str, now: float) -> str:
    """How long ago, in one unit: `5m`, `3h`, `12d`."""
    try:
        seconds = now - datetime.fromisoformat(created).timestamp()
    except ValueError:
        return ""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return "now"
