"""The explorer: recipes of the folder, recipes that come with goodfit, and runs with their state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
RUNS_SHOWN = 200


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
        self._shown: list[tuple[object, ...]] = []
        self._targets: list[tuple[Path, bool] | None] = []
        self._width = 0

    def compose(self) -> ComposeResult:
        """One list."""
        yield OptionList(markup=False)

    def on_mount(self) -> None:
        """Look again now and then, while somebody looks here."""
        self.set_interval(EVERY, self._tick)
        self.look()

    def on_resize(self) -> None:
        """Rows are cut to the width."""
        self.call_after_refresh(self.look)

    def _tick(self) -> None:
        if self.display and self.is_on_screen:
            self.look()

    def look(self) -> None:
        """List what is there now; the list is made anew only where something changed."""
        near = list(self._recipes())
        own = {path.resolve() for path in near}
        rest = [path for path in self._bundled() if path.resolve() not in own]
        runs = list(reversed(self._runs()))[:RUNS_SHOWN]
        rows: list[tuple[object, ...]] = [("head", "RECIPES")]
        rows += [("recipe", path) for path in near] or [("note", "none in this folder: n makes one")]
        if rest:
            rows += [("head", "RECIPES THAT COME WITH GOODFIT"), *(("recipe", path) for path in rest)]
        rows.append(("head", "RUNS"))
        rows += [
            (
                "run",
                info.path,
                info.name,
                info.run,
                info.state,
                info.epoch,
                info.epochs,
                tuple((info.best or {}).items()),
            )
            for info in runs
        ] or [("note", "none yet: t trains a recipe")]
        width = self.query_one(OptionList).scrollable_content_region.width - 2
        if rows != self._shown or width != self._width:
            self._shown, self._width = rows, width
            self._fill(rows, max(12, width))

    def repaint(self) -> None:
        """The colours changed."""
        self._shown = []
        self.look()

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
            case ("run", _, name, run, str(state), epoch, epochs, best):
                tone = {"running": "accent", "preparing": "accent", "completed": "success", "failed": "error"}
                line = Text(no_wrap=True, overflow="ellipsis")
                line.append(f"{mark(state)} ", colours.get(tone.get(state, "text-muted"), ""))
                right = _progress(state, epoch, epochs, dict(best))  # type: ignore[call-overload]
                room = max(6, width - 3 - cell_len(right))
                label = f"{clean(name)} {clean(run)[-4:]}"
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


def _progress(state: str, epoch: object, epochs: object, best: dict[str, float]) -> str:
    """`running 12/40`, or a finished run's best value."""
    if state in ("running", "paused"):
        return f"{state} {epoch or 0}/{epochs or '?'}"
    shown = next((name for name in best if name not in ("train_loss", "val_loss")), None)
    if shown is None and "val_loss" in best:
        shown = "val_loss"
    value = f" {percent_or_number(shown, float(best[shown]))}" if shown else ""
    return f"{state}{value}"
