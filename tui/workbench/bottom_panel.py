"""The bottom panel: Problems of the recipe in front, Output of the workbench and the worker, Events of the run."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import ContentSwitcher, OptionList
from textual.widgets.option_list import Option

from engine.recipe.problem import Problem
from tui.clean import clean
from tui.workbench.bar import Bar, Cell
from tui.workbench.log import Log
from tui.workbench.tab import Tab

LISTS = ("problems", "output", "events")
MARKS = {"error": "✗", "warning": "!", "info": "i"}


class Problems(OptionList):
    """The problems, one a row; Enter goes there, `f` mends."""


class BottomPanel(Vertical):
    """Three lists and their tabs."""

    class ProblemChosen(Message):
        """Go to this problem."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tab: Tab | None = None
        self._problems: list[Problem] = []
        self._written = {"output": (0, ""), "events": (0, "")}
        self._for: str | None = None
        self._chosen = {"recipe": "problems", "run": "events", "replay": "events"}
        """The list last looked at, by kind of tab."""

    def compose(self) -> ComposeResult:
        """Tabs and lists."""
        yield Bar(id="bottom-tabs")
        with ContentSwitcher(id="bottom-switch", initial="problems"):
            yield Problems(id="problems", markup=False)
            yield Log("Nothing was said yet.", id="output")
            yield Log("Events are a run's: t on a recipe trains it.", 9, id="events")

    @property
    def current(self) -> str:
        """The list on the screen."""
        return self.query_one(ContentSwitcher).current or "problems"

    def show_list(self, name: str) -> None:
        """Bring a list to the front."""
        self._chosen[self._tab.kind if self._tab is not None else "recipe"] = name
        self.update(self._tab)

    def focus_list(self) -> None:
        """Put the focus into the list on the screen."""
        self.query_one(f"#{self.current}").focus()

    def update(self, tab: Tab | None) -> None:
        """Show what the tab in front has to show."""
        self._tab = tab
        switcher = self.query_one(ContentSwitcher)
        wanted = self._chosen[tab.kind if tab is not None else "recipe"]
        if switcher.current != wanted:
            switcher.current = wanted
        cells = [Cell(" ")]
        for name in LISTS:
            amount = f" {len(tab.problems)}" if name == "problems" and tab is not None else ""
            tone = "underlined" if name == self.current else "plain"
            cells += [Cell(f"{name.upper()}{amount}", tone, f"view.{name}"), Cell("   ")]
        self.query_one(Bar).show(cells, [Cell("j hides ", "faint", "view.panel")])
        self._fill_problems(tab)
        self._write(tab)

    def _fill_problems(self, tab: Tab | None) -> None:
        problems = tab.problems if tab is not None else []
        options = self.query_one(Problems)
        key = tab.id if tab else None
        if problems == self._problems and key == self._for and options.option_count:
            return
        same = key == self._for
        self._for = key
        self._problems = problems
        at = options.highlighted if same else 0
        options.clear_options()
        if problems:
            options.add_options(Option(self._line(problem)) for problem in problems)
            options.highlighted = min(at or 0, len(problems) - 1)
        else:
            what = (
                "No problems." if tab is not None and tab.kind == "recipe" else "A run's recipe has no problems list."
            )
            options.add_option(Option(what if tab is not None else "Nothing is open.", disabled=True))

    def _line(self, problem: Problem) -> Text:
        colours = self.app.theme_variables
        tone = {"error": "error", "warning": "warning", "info": "accent"}[problem.severity]
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"{MARKS[problem.severity]} ", f"bold {colours.get(tone, '')}")
        line.append(f"{problem.line}:{problem.column}  ", colours.get("text-disabled", ""))
        line.append(clean(problem.message), colours.get("foreground", ""))
        if problem.hint:
            line.append(f"  {clean(problem.hint)}", colours.get("text-muted", ""))
        if problem.fixes:
            line.append("  f mends", f"bold {colours.get('accent', '')}")
        return line

    def _write(self, tab: Tab | None) -> None:
        """Append to the logs what is new; write them anew for another tab."""
        for name in ("output", "events"):
            lines = list(getattr(tab, name)) if tab is not None else []
            log = self.query_one(f"#{name}", Log)
            count, owner = self._written[name]
            total = getattr(tab, f"{name}_count") if tab is not None else 0
            owner_now = tab.id if tab is not None else ""
            new = total - count
            if owner != owner_now or new < 0 or new > len(lines):
                log.clear()
                new = len(lines)
            log.extend(lines[len(lines) - new :])
            self._written[name] = (total, owner_now)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click on a problem."""
        event.stop()
        if event.option_index < len(self._problems):
            self.post_message(self.ProblemChosen(event.option_index))

    def highlight(self, index: int) -> None:
        """Mark a problem in the list."""
        options = self.query_one(Problems)
        if index < options.option_count:
            options.highlighted = index

    @property
    def problem(self) -> int | None:
        """The highlighted problem, where the list has the focus."""
        options = self.query_one(Problems)
        return options.highlighted if options.has_focus and self._problems else None
