"""The keys screen: every action with both its routes, made from the table."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.keymap import ACTIONS, LOCALS, WHERE, show_key

GROUPS = {
    "run": "Runs and replays",
    "curves": "Curves",
    "search": "A search",
    "recipe": "The recipe",
    "file": "Files and tabs",
    "view": "What is shown",
}
ALIASES = ("f17", "f20")
"""What plain terminals send for shift+F5 and shift+F8."""
NOTES = (
    "Plain letters count when no text field has the focus; esc leaves a text field.",
    "In lists: arrow keys and Enter. tab and shift+tab go from region to region. The mouse works, nothing needs it.",
    "Where a terminal keeps a key for itself (tmux ^B, VS Code F-keys and ^P), the letter does the same.",
)


class KeysScreen(ModalScreen[None]):
    """All keys."""

    DEFAULT_CSS = """
    KeysScreen { align: center middle; background: $background 50%; }
    KeysScreen > Vertical {
        width: 84; max-width: 96%; height: 92%; background: $panel; border: solid $border; padding: 0 2;
    }
    KeysScreen VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
    KeysScreen .foot { height: 1; color: $text-disabled; }
    """
    BINDINGS = [Binding("escape,q,question_mark,f3", "close", show=False)]

    def compose(self) -> ComposeResult:
        """One long text."""
        with Vertical():
            with VerticalScroll():
                yield Static(self._text(), markup=False)
            yield Static("esc closes", classes="foot")

    def on_mount(self) -> None:
        """Arrow keys scroll."""
        self.query_one(VerticalScroll).focus()

    def _text(self) -> Text:
        colours = self.app.theme_variables
        accent, bright, muted = (colours.get(name, "") for name in ("accent", "foreground", "text-muted"))
        text = Text()
        for group, title in GROUPS.items():
            text.append(f"\n{title}\n", f"bold {bright}")
            for action in ACTIONS:
                if action.id.partition(".")[0] == group:
                    keys = "  ".join(show_key(key) for key in action.keys if key not in ALIASES)
                    text.append(f"  {action.letter:<7}", f"bold {accent}")
                    text.append(f"{keys:<18}", muted)
                    text.append(f"{action.title}\n", bright)
        for where, title in WHERE.items():
            text.append(f"\n{title}\n", f"bold {bright}")
            for local in LOCALS:
                if local.where == where and local.title:
                    text.append(f"  {local.shown:<25}", f"bold {accent}")
                    text.append(f"{local.title}\n", bright)
        text.append("\n")
        for note in NOTES:
            text.append(note + "\n", muted)
        return text

    def action_close(self) -> None:
        """Back."""
        self.dismiss(None)
