"""The one table of actions. Bindings, the hints in the status bar, the help screen and the palette are made from it.

Every action has two routes beside the palette: VS Code's key where a terminal can send it, and a plain letter that
counts when no text field has the focus, because terminals, tmux and browsers keep some keys for themselves: F-keys
and ^P (VS Code's own terminal), ^B (tmux), alt+digit (macOS). A letter pair such as `g m` is typed one after the
other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding, BindingType

Place = Literal[
    "anywhere", "recipe", "run", "replay", "search", "search_replay", "work", "recording", "curves", "charts", "trials"
]
"""Kinds of tabs, and beyond `search_replay` groups of them, as `GROUPS` has it."""
GROUPS: dict[str, tuple[str, ...]] = {
    "work": ("run", "search"),
    "recording": ("replay", "search_replay"),
    "curves": ("run", "replay"),
    "charts": ("run", "replay", "search", "search_replay"),
    "trials": ("search", "search_replay"),
}
"""What is done to several kinds of tabs alike."""
NEEDS = {"work": "run", "recording": "replay", "curves": "run", "charts": "run", "trials": "search"}
"""What a group of tabs is called where one of them is needed."""


@dataclass(frozen=True)
class Action:
    """One thing that the workbench can do."""

    id: str
    """`group.verb`; the function `verb` in `tui/workbench/actions/<group>.py` does it."""
    title: str
    """What the palette and the help screen say, in the imperative."""
    letter: str
    """Plain letter, or two of them with a space."""
    keys: tuple[str, ...] = ()
    """Keys that count everywhere, also in a text field; VS Code's where it has one. The first is shown."""
    where: Place = "anywhere"
    """The kind of tab that it needs."""
    hint: str = ""
    """One or two words for the status bar, where the action is worth a place there."""

    @property
    def route(self) -> str:
        """Both routes as a person reads them: `t  F5`."""
        return "  ".join((self.letter, show_key(self.keys[0]))) if self.keys else self.letter


def show_key(key: str) -> str:
    """A key as a person reads it: `ctrl+p` is `^P`, `shift+f5` is `⇧F5`."""
    words = {"ctrl": "^", "shift": "⇧", "alt": "alt+"}
    names = {
        "full_stop": ".",
        "backslash": "\\",
        "right_square_bracket": "]",
        "pagedown": "PgDn",
        "pageup": "PgUp",
        "end": "End",
        "space": "space",
    }
    *modifiers, last = key.split("+")
    shown = names.get(last, last.upper() if len(last) == 1 and "ctrl" in modifiers else last.replace("f", "F", 1))
    return "".join(words[modifier] for modifier in modifiers) + shown


ACTIONS: tuple[Action, ...] = (
    # Runs
    Action("run.train", "Train this recipe", "t", ("f5",), "recipe", hint="train"),
    Action("run.pause", "Pause or go on", "p", ("f6",), "work", hint="pause"),
    Action("run.stop", "Stop the run…", "x", ("shift+f5", "f17"), "work", hint="stop"),
    # A search
    Action("search.start", "Search: try the settings of its space", "S", ("ctrl+f9",), "recipe", hint="search"),
    Action("search.apply", "Put the trial's settings into the recipe", "y", ("f7",), "trials", hint="recipe"),
    Action("search.train", "Train the trial's settings", "t", ("f5",), "trials", hint="train"),
    Action("search.open", "Open the trial's own run", "e", ("f4",), "trials", hint="open"),
    Action("search.chart", "Search: the next chart", "m", ("alt+n",), "trials", hint="chart"),
    Action("search.sort", "Trials: sort by the next column", "s", ("f8",), "trials", hint="sort"),
    Action("search.reverse", "Trials: turn the order round", "S", ("shift+f8", "f20"), "trials"),
    Action("search.best", "Search: the best so far", "1", ("alt+1",), "trials"),
    Action("search.curves", "Search: every trial's curve", "2", ("alt+2",), "trials"),
    Action("search.parallel", "Search: parallel coordinates", "3", ("alt+3",), "trials"),
    Action("search.importance", "Search: which settings matter", "4", ("alt+4",), "trials"),
    Action("search.marginals", "Search: the result against each setting", "5", ("alt+5",), "trials"),
    Action("search.settings", "Search: the next settings on the chart", "h", ("alt+h",), "trials"),
    # Runs that have ended, and recordings
    Action("run.resume", "Resume a run that ended", "r", ("ctrl+f5",), "work", hint="resume"),
    Action("run.fork", "Fork: a new run from the best epoch", "k", ("ctrl+t",), "run", hint="fork"),
    Action("run.checkpoint", "Write a checkpoint now", "c", ("f9",), "run"),
    Action("run.copy_to_recipe", "Copy the run's settings to its recipe", "y", ("f7",), "run"),
    Action("run.open_recipe", "Open the run's recipe", "v", ("f12",), "work"),
    Action("run.replay", "Replay this run", "a", ("f11",), "work", hint="replay"),
    Action("run.play", "Replay: hold or go on", "space", ("f10",), "recording", hint="hold"),
    Action("run.faster", "Replay: twice the speed", ">", ("ctrl+right_square_bracket",), "recording", hint="faster"),
    Action("run.slower", "Replay: half the speed", "<", ("ctrl+backslash",), "recording", hint="slower"),
    Action("run.to_end", "Replay: go to the end", "$", ("ctrl+end",), "recording", hint="end"),
    # The curves
    Action("curves.log", "Curves: log or linear scale", "l", ("alt+l",), "charts"),
    Action("curves.axis", "Curves: by epoch, step or time", "h", ("alt+h",), "curves"),
    Action("curves.series", "Curves: show another series", "m", ("alt+n",), "curves"),
    # The recipe
    Action("recipe.fix", "Fix the problem", "f", ("f4", "ctrl+full_stop"), "recipe", hint="fix"),
    Action("recipe.next_problem", "Go to the next problem", "e", ("f8",), "recipe"),
    Action("recipe.previous_problem", "Go to the previous problem", "E", ("shift+f8", "f20"), "recipe"),
    Action("recipe.undo", "Undo", "u", ("ctrl+z",), hint="undo"),
    Action("recipe.redo", "Redo", "U", ("ctrl+y",)),
    Action("recipe.save", "Save", "s", ("ctrl+s",), "recipe", hint="save"),
    Action("recipe.reload", "Reload the file from disk", "L", ("ctrl+l",), "recipe"),
    # Files and tabs
    Action("file.quick_open", "Open a recipe, a run or a data file…", "o", ("ctrl+p", "ctrl+o"), hint="open"),
    Action("file.new", "New recipe from a data file…", "n", ("ctrl+n",)),
    Action("file.close", "Close the tab", "w", ("ctrl+f4",)),
    Action("file.next_tab", "Next tab", "]", ("ctrl+pagedown",)),
    Action("file.previous_tab", "Previous tab", "[", ("ctrl+pageup",)),
    # What is shown
    Action("view.explorer", "Show the explorer", "g e", ("alt+e", "ctrl+shift+e")),
    Action("view.data", "Show the data", "g d", ("alt+d",)),
    Action("view.model", "Show the model", "g m", ("alt+m",)),
    Action("view.optimizer", "Show the optimizer", "g o", ("alt+o",)),
    Action("view.regularization", "Show the regularization", "g r", ("alt+r",)),
    Action("view.search", "Show the search", "g s", ("alt+s",)),
    Action("view.editor", "Edit the text, or look at the chart", "g t", ("alt+t", "ctrl+1")),
    Action("view.problems", "Show the problems", "g p", ("alt+p", "ctrl+shift+m")),
    Action("view.output", "Show the output", "g u", ("alt+u", "ctrl+shift+u")),
    Action("view.events", "Show the events", "g v", ("alt+v",)),
    Action("view.side_bar", "Show or hide the side bar", "b", ("ctrl+b",)),
    Action("view.panel", "Show or hide the bottom panel", "j", ("ctrl+j",)),
    Action("view.theme", "Switch theme: dark or light", "T", ("f2",)),
    Action("view.redraw", "Draw the screen anew", "R", ("ctrl+r",)),
    Action("view.palette", "Show all commands", ":", ("f1", "ctrl+shift+p"), hint="commands"),
    Action("view.keys", "Show all keys", "?", ("f3",), hint="keys"),
    Action("view.quit", "Quit (runs go on)", "q", ("ctrl+q",)),
)

BY_ID = {action.id: action for action in ACTIONS}


def available(action: Action, place: Place | None) -> bool:
    """Whether an action makes sense on a tab of kind `place` (None: no tab). A replay is a run that nobody steers."""
    return action.where in ("anywhere", place) or place in GROUPS.get(action.where, ())


def needs(action: Action) -> str:
    """The kind of tab that an action needs, for a person."""
    return NEEDS.get(action.where, action.where)


@dataclass(frozen=True)
class Local:
    """A key that counts where the focus is: in a list of layers, in a field, on a chart."""

    where: str
    """The kind of widget, a key of `WHERE`."""
    keys: str
    """Names of keys as Textual has them, with commas."""
    action: str
    """The widget's action."""
    title: str = ""
    """What the help screen says; "" for a variant of the one before."""
    shown: str = ""
    """How the help screen writes the keys."""


WHERE = {
    "panel": "In a room of the side bar",
    "layers": "In a list of layers or augmentations",
    "columns": "In the list of columns",
    "field": "In a field",
    "choice": "On a choice of words",
    "trials": "In the list of trials",
    "space": "In the list of searched settings",
    "chart": "On a chart",
    "log": "In Output and Events",
    "editor": "In the recipe's text",
}
"""The kinds of widgets with keys of their own, and what the help screen calls them."""

LOCALS: tuple[Local, ...] = (
    Local("panel", "down", "app.focus_next", "The next setting", "↓"),
    Local("panel", "up", "app.focus_previous", "The setting before", "↑"),
    Local("layers", "plus,insert", "add", "Add one below the cursor", "+"),
    Local("layers", "i", "add_inside", "Add one inside a Residual", "i"),
    Local("layers", "d,delete,backspace", "delete", "Delete it", "d"),
    Local("layers", "D", "copy", "Copy it", "D"),
    Local("layers", "K,alt+up", "move(-1)", "Move it up", "K"),
    Local("layers", "J,alt+down", "move(1)", "Move it down", "J"),
    Local("columns", "d,delete,backspace", "automatic", "Leave the type to the reader", "d"),
    Local("field", "pageup,shift+up", "step(1)", "A larger number", "PgUp"),
    Local("field", "pagedown,shift+down", "step(-1)", "A smaller number", "PgDn"),
    Local("field", "escape", "restore", "Take back what is not applied", "esc"),
    Local("choice", "left", "step(-1)", "The word before", "←"),
    Local("choice", "right", "step(1)", "The next word", "→"),
    Local("choice", "enter", "enter", "Apply it", "enter"),
    Local("choice", "space", "open", "List all words", "space"),
    Local("choice", "escape", "restore"),
    Local("choice", "backspace,delete", "clear", "Leave it out of the recipe", "del"),
    Local("trials", "up", "move(-1)", "The trial above", "↑"),
    Local("trials", "down", "move(1)", "The trial below", "↓"),
    Local("trials", "pageup", "page(-1)", "A page up", "PgUp"),
    Local("trials", "pagedown", "page(1)", "A page down", "PgDn"),
    Local("trials", "home", "move(-1000000)", "The first one", "Home"),
    Local("trials", "end", "move(1000000)", "The last one", "End"),
    Local("trials", "left", "columns(-1)", "Columns to the left", "←"),
    Local("trials", "right", "columns(1)", "Columns to the right", "→"),
    Local("trials", "enter", "app.do('search.open')", "Open its own run", "enter"),
    Local("trials", "escape", "follow", "Follow the best trial", "esc"),
    Local("space", "plus,insert", "add", "Search one more setting", "+"),
    Local("space", "enter", "edit", "Change its range", "enter"),
    Local("space", "d,delete,backspace", "delete", "Do not search it", "d"),
    Local("chart", "left", "cursor(-1)", "Read values: to the left", "←"),
    Local("chart", "right", "cursor(1)", "Read values: to the right", "→"),
    Local("chart", "shift+left", "cursor(-10)"),
    Local("chart", "shift+right", "cursor(10)"),
    Local("chart", "home", "cursor(-100000)"),
    Local("chart", "end", "cursor(100000)"),
    Local("chart", "escape", "hide_cursor", "No values", "esc"),
    Local("log", "up", "scroll(-1)", "One line up; the end is not followed there", "↑"),
    Local("log", "down", "scroll(1)", "One line down", "↓"),
    Local("log", "pageup", "page(-1)", "A page up", "PgUp"),
    Local("log", "pagedown", "page(1)", "A page down", "PgDn"),
    Local("log", "home", "scroll(-100000)", "The first line", "Home"),
    Local("log", "end", "scroll(100000)", "The end, and follow it", "End"),
    Local("editor", "enter", "write", "Edit the text", "enter"),
)
"""Keys of single widgets, which make their bindings from here."""


def bindings(where: str) -> list[BindingType]:
    """The bindings of one kind of widget."""
    return [
        Binding(local.keys, local.action, local.title or local.action, show=False)
        for local in LOCALS
        if local.where == where
    ]


def chords() -> dict[str, dict[str, Action]]:
    """Actions with two letters: first letter to second letter to action."""
    found: dict[str, dict[str, Action]] = {}
    for action in ACTIONS:
        if " " in action.letter:
            first, second = action.letter.split()
            found.setdefault(first, {})[second] = action
    return found


NAMES = {
    ":": "colon",
    "?": "question_mark",
    ">": "greater_than_sign",
    "<": "less_than_sign",
    "$": "dollar_sign",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
}
"""What Textual calls the keys whose letter is not their name."""


def letter_key(letter: str) -> str:
    """The name of a letter's key: `:` is `colon`; a capital keeps its case."""
    return NAMES.get(letter, letter)


def action_of(key: str, place: Place | None) -> Action | None:
    """What a key means on a tab of kind `place`; where it means nothing there, what it means elsewhere."""
    elsewhere = None
    for action in ACTIONS:
        if key in action.keys or (" " not in action.letter and key == letter_key(action.letter)):
            if available(action, place):
                return action
            elsewhere = elsewhere or action
    return elsewhere


def every_key() -> list[str]:
    """The keys of all actions, once each; a pair of letters has none."""
    letters = [letter_key(action.letter) for action in ACTIONS if " " not in action.letter]
    return list(dict.fromkeys([key for action in ACTIONS for key in action.keys] + letters))


def lookup(key: str, place: Place | None, typing: bool = False) -> Action | None:
    """The action of one key press, or None. `typing`: a text field has the focus, so that letters are text."""
    for action in ACTIONS:
        if not available(action, place):
            continue
        if key in action.keys or (not typing and " " not in action.letter and key == letter_key(action.letter)):
            return action
    return None
