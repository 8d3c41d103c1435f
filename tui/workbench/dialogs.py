"""Questions: a title, a few lines of text, and answers that each have a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.clean import clean, clean_block


@dataclass(frozen=True)
class Answer:
    """One way to answer."""

    value: str
    key: str
    """A single letter."""
    label: str
    note: str = ""


class Question(ModalScreen[str | None]):
    """Answers with the `value` chosen, or None for escape. Arrow keys and Enter, or the answer's own letter."""

    DEFAULT_CSS = """
    Question { align: center middle; background: $background 50%; }
    Question > Vertical {
        width: 72; max-width: 94%; height: auto; max-height: 90%;
        background: $panel; border: solid $border; padding: 1 2;
    }
    Question .title { text-style: bold; color: $foreground; height: auto; }
    Question .text { color: $text-muted; margin-top: 1; height: auto; }
    Question VerticalScroll { height: auto; max-height: 12; scrollbar-size-vertical: 1; }
    Question OptionList { height: auto; margin-top: 1; background: $panel; }
    """
    BINDINGS = [Binding("escape", "close", show=False)]

    def __init__(self, title: str, text: str | Text, answers: Sequence[Answer]) -> None:
        super().__init__()
        self._title = title
        self._text = text if isinstance(text, Text) else clean_block(text)
        self._answers = list(answers)

    def compose(self) -> ComposeResult:
        """Title, text, answers."""
        with Vertical():
            yield Static(clean(self._title), classes="title", markup=False)
            if self._text:
                with VerticalScroll(can_focus=False):
                    yield Static(self._text, classes="text", markup=False)
            yield OptionList(*(Option(self._line(answer)) for answer in self._answers), markup=False)

    def _line(self, answer: Answer) -> Text:
        colours = self.app.theme_variables
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"{answer.key}  ", f"bold {colours.get('accent', 'blue')}")
        line.append(clean(answer.label), colours.get("foreground", ""))
        if answer.note:
            line.append(f"  {clean(answer.note)}", colours.get("text-muted", ""))
        return line

    def on_mount(self) -> None:
        """Arrow keys work at once."""
        self.query_one(OptionList).focus()

    def on_key(self, event: events.Key) -> None:
        """An answer's letter."""
        for answer in self._answers:
            if event.character is not None and event.character.lower() == answer.key:
                event.stop()
                self.dismiss(answer.value)
                return

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click."""
        self.dismiss(self._answers[event.option_index].value)

    def action_close(self) -> None:
        """No answer."""
        self.dismiss(None)


class Ask(ModalScreen[str | None]):
    """Asks for one line of text; answers with it, or None."""

    DEFAULT_CSS = """
    Ask { align: center middle; background: $background 50%; }
    Ask > Vertical {
        width: 66; max-width: 94%; height: auto; background: $panel; border: solid $border; padding: 1 2;
    }
    Ask .title { text-style: bold; height: auto; }
    Ask .text { color: $text-muted; height: auto; margin-top: 1; }
    Ask Input { border: none; height: 1; padding: 0 1; margin-top: 1; background: $boost; }
    Ask Input:focus { border: none; background-tint: transparent; }
    """
    BINDINGS = [Binding("escape", "close", show=False)]

    def __init__(self, title: str, text: str = "", value: str = "", placeholder: str = "") -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._value = value
        self._placeholder = placeholder

    def compose(self) -> ComposeResult:
        """Title, text, line."""
        with Vertical():
            yield Static(clean(self._title), classes="title", markup=False)
            if self._text:
                yield Static(clean_block(self._text), classes="text", markup=False)
            yield Input(self._value, placeholder=self._placeholder, select_on_focus=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        self.dismiss(event.value.strip() or None)

    def action_close(self) -> None:
        """No answer."""
        self.dismiss(None)


class Chord(ModalScreen[str | None]):
    """The second key of a pair such as `g m`: shows what may follow at the foot of the screen, and takes it."""

    DEFAULT_CSS = """
    Chord { align: center bottom; background: transparent; }
    Chord > Static {
        width: 100%; height: auto; background: $panel; border-top: solid $border; padding: 0 2; margin-bottom: 1;
    }
    """

    def __init__(self, first: str, follow: dict[str, tuple[str, str]]) -> None:
        super().__init__()
        self._first = first
        self._follow = follow
        """Second letter to (answer, words)."""

    def compose(self) -> ComposeResult:
        """One cell a follower, in as many columns as fit."""
        colours = self.app.theme_variables
        width = max(len(words) for _, words in self._follow.values()) + 8
        columns = max(1, (self.app.size.width - 4) // width)
        line = Text()
        for at, (letter, (_, words)) in enumerate(self._follow.items()):
            if at and at % columns == 0:
                line.append("\n")
            line.append(f"{self._first} {letter}  ", f"bold {colours.get('accent', 'blue')}")
            line.append(words.ljust(width - 5), colours.get("text-muted", ""))
        yield Static(line)

    def on_key(self, event: events.Key) -> None:
        """Any key ends it."""
        event.stop()
        found = self._follow.get(event.character or "")
        self.dismiss(found[0] if found else None)

    def on_click(self) -> None:
        """A click ends it too."""
        self.dismiss(None)
