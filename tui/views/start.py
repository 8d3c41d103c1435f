"""What stands where no tab is open: what goodfit is for, and the first keys."""

from __future__ import annotations

from rich.text import Text
from textual.app import RenderResult
from textual.widget import Widget

from tui.keymap import BY_ID

LINES: tuple[tuple[str, str], ...] = (
    ("file.quick_open", "open a recipe, a run or a data file"),
    ("file.new", "write a first recipe for a data file: CSV, Parquet, NPZ, NPY"),
    ("view.explorer", "recipes and runs: Enter opens one"),
    ("view.palette", "every command"),
    ("view.keys", "every key"),
    ("view.quit", "quit; runs go on without the screen"),
)


class StartView(Widget):
    """The start page."""

    DEFAULT_CSS = """
    StartView { align: center middle; content-align: center middle; background: $surface; color: $text-muted; }
    """

    def render(self) -> RenderResult:
        """A few lines."""
        colours = self.app.theme_variables
        accent, bright = colours.get("accent", "blue"), colours.get("foreground", "")
        text = Text(justify="left")
        text.append("goodfit", f"bold {bright}")
        text.append("   train neural networks well\n\n")
        text.append("A recipe is one YAML file that describes a run.\n")
        text.append("Open one, press ")
        text.append("t", f"bold {accent}")
        text.append(" to train it, and watch.\n\n")
        for action, words in LINES:
            letter = BY_ID[action].letter
            text.append(f"{letter:>4}  ", f"bold {accent}")
            text.append(words + "\n")
        return text
