"""A choice on one line: arrows step through the words, space opens the list of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.actions import SkipAction
from textual.binding import BindingType
from textual.message import Message
from textual.widget import Widget

from tui.clean import clean
from tui.forms.tones import tone
from tui.keymap import bindings


class Choice(Widget, can_focus=True):
    """One of several words. `value` None is the word of the default, which is shown dimmed."""

    DEFAULT_CSS = """
    Choice {
        height: 1;
        width: 1fr;
        pointer: pointer;
        &:focus { background: $boost; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("choice")

    class Changed(Message):
        """Another word is shown; nothing is applied yet."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

        @property
        def control(self) -> Choice:
            """The choice."""
            return self.choice

    class Chosen(Changed):
        """The person wants the word that is shown."""

    class Restored(Changed):
        """The person took the change back."""

    class Cleared(Changed):
        """The person wants the recipe to leave the value out."""

    def __init__(self, options: Sequence[tuple[Any, str]], default: str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.options = list(options)
        self.default = default
        self.index: int | None = None

    @property
    def value(self) -> Any:
        """The value shown; None where it is the default's word."""
        return None if self.index is None else self.options[self.index][0]

    @property
    def word(self) -> str:
        """The word shown."""
        return self.default if self.index is None else self.options[self.index][1]

    def show(self, index: int | None) -> None:
        """Show one of the options, or the default."""
        if index != self.index:
            self.index = index
            self.refresh()

    def render(self) -> Text:
        """The word, with arrows while it has the focus."""
        muted = self.index is None or self.disabled
        text = Text(clean(self.word), tone(self, "text-muted" if muted else "foreground"), no_wrap=True)
        if self.has_focus and len(self.options) > 1:
            arrow = tone(self, "accent")
            text = Text.assemble(("◂ ", arrow), text, (" ▸", arrow), no_wrap=True)
        text.truncate(max(1, self.content_size.width), overflow="ellipsis")
        return text

    def action_step(self, by: int) -> None:
        """Show the next word."""
        if not self.options:
            return
        start = self.index
        if start is None:
            words = [word for _, word in self.options]
            start = words.index(self.default) if self.default in words else (-1 if by > 0 else 0)
        self.index = (start + by) % len(self.options)
        self.refresh()
        self.post_message(self.Changed(self))

    def action_enter(self) -> None:
        """Apply what is shown."""
        self.post_message(self.Chosen(self))

    def action_restore(self) -> None:
        """Take the change back; where there is none, leave the field."""
        if not any(node.has_class("-pending") for node in self.ancestors):
            raise SkipAction
        self.post_message(self.Restored(self))

    def action_clear(self) -> None:
        """Leave the value out."""
        self.post_message(self.Cleared(self))

    def action_open(self) -> None:
        """All words in a list; the picked one is applied."""
        from tui.workbench.picker import Picker, Row

        rows = [Row(str(i), clean(word)) for i, (_, word) in enumerate(self.options)]

        def picked(answer: str | None) -> None:
            if answer is not None:
                self.show(int(answer))
                self.post_message(self.Chosen(self))

        self.app.push_screen(Picker(lambda: rows), picked)

    def on_click(self, event: events.Click) -> None:
        """A click opens the list."""
        event.stop()
        self.action_open()
