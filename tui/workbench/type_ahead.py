"""Keys one at a time: what is typed faster than the screen changes still means what it says.

Textual hands keys to the widget that has the focus when they arrive. Over a slow line several arrive at once, and in
`:stop` the letters would then reach the workbench as its plain-letter keys before the palette is there to take them.
So a key waits until the one before has been dealt with, and what that opened is on the screen.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable

from textual import events
from textual.app import App
from textual.message import Message
from textual.screen import ModalScreen

PATIENCE = 0.5
"""Seconds after which the next key goes on whatever the one before is doing."""
LOOK = 0.01
OPENING = 5.0
"""Seconds that keys wait at most for the first tab."""


class KeyDone(Message):
    """Follows a key on its way up from widget to widget, and arrives when the key has been dealt with."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class TypeAhead:
    """The line in which keys wait."""

    def __init__(self, app: App[int], hand_over: Callable[[events.Key], Awaitable[None]]) -> None:
        self._app = app
        self._hand_over = hand_over
        self._waiting: deque[events.Key] = deque()
        self._number = 0
        self._since = 0.0
        self._busy = True
        """Also while the workbench opens: keys typed to the shell's prompt count once there is something to act on."""

    def begin(self) -> None:
        """What was asked for is being opened; when it is there, keys go on."""
        self._since = time.monotonic() + OPENING - PATIENCE
        self.done(0)

    async def add(self, key: events.Key) -> None:
        """A key arrived."""
        self._waiting.append(key)
        if not self._busy:
            await self._next()

    async def _next(self) -> None:
        self._busy = True
        self._number += 1
        self._since = time.monotonic()
        number = self._number
        await self._hand_over(self._waiting.popleft())
        target = self._app.focused or self._app.screen
        target.post_message(KeyDone(number))
        # Should the widget go away with the message in its hands, time goes on.
        self._app.set_timer(PATIENCE, lambda: self.done(number))

    def done(self, number: int) -> None:
        """The key has been dealt with; its effect may still be on the way."""
        if self._busy and number == self._number:
            if self._settled() or time.monotonic() - self._since > PATIENCE:
                self._busy = False
                if self._waiting:
                    self._app.call_next(self._next)
            else:
                self._app.set_timer(LOOK, lambda: self.done(number))

    def _settled(self) -> bool:
        """Whether nothing is being opened: no action is at work but those that wait for an answer, and the question
        is there to take it."""
        screen = self._app.screen
        if isinstance(screen, ModalScreen):
            return screen.is_running and (screen.focused is not None or not screen.focus_chain)
        return not any(worker.group == "actions" and not worker.is_finished for worker in self._app.workers)
