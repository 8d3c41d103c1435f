"""The time before the first step, which may be one long call that reads data: somebody must hear meanwhile.

Signal handlers run between two instructions of Python, on the main thread; a call into a library can hold them up for
minutes. So a thread listens: to commands, to the owner's death, and to signals by the file that Python writes each of
them to at once.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator

from engine.runs.records import Paused, Reason, Record, Resumed
from engine.runs.storage import StorageError
from engine.train.desk import POLL, REASONS, Flags, LiveDesk, StopReason

PATIENCE = 2.0
"""Seconds that reading data may take to notice that a stop was asked for; then the worker leaves without it."""


class Halt(Exception):
    """A stop was asked for before there was anything to stop."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class Vigil:
    """Listens from its own thread until the loop takes over."""

    def __init__(
        self, desk: LiveDesk, flags: Flags, write: Callable[[Record], None], leave: Callable[[StopReason], None]
    ) -> None:
        """`leave` ends the process; it is called with nobody else listening."""
        self._desk, self._flags, self._write, self._leave = desk, flags, write, leave
        self._listening = threading.Lock()
        self._over = False
        self._asked: float | None = None
        self._wake, self._bell = -1, -1

    def begin(self) -> None:
        """Start to listen."""
        self._wake, self._bell = os.pipe()
        for fd in (self._wake, self._bell):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._bell, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="vigil", daemon=True).start()

    def obey(self, step: int) -> None:
        """For the thread that prepares the run, now and then: hold while the run is paused. Raises Halt."""
        wishes = self._desk.wishes
        if wishes.pause:
            self._write(Paused(step=step))
            while wishes.pause and wishes.stop is None:
                time.sleep(POLL)
            if wishes.stop is None:
                self._write(Resumed(from_step=step, step=step))
        if wishes.stop is not None:
            raise Halt(wishes.stop)

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """A block after which the thread hears nothing any more, and before whose end it does nothing."""
        with self._listening:
            yield
            self._over = True
            if self._bell >= 0:
                signal.set_wakeup_fd(-1)
                os.close(self._bell)
                self._bell = -1

    def _watch(self) -> None:
        while True:
            select.select([self._wake], [], [], POLL)
            with self._listening:
                if self._over:
                    os.close(self._wake)
                    return
                with contextlib.suppress(OSError):
                    for number in os.read(self._wake, 64):
                        if number in REASONS:
                            self._flags.ask(REASONS[number])
                with contextlib.suppress(StorageError):
                    self._hear()

    def _hear(self) -> None:
        for answer in self._desk.listen(0):
            self._write(answer)
        stop = self._desk.wishes.stop
        if stop is None:
            return
        self._asked = self._asked or time.monotonic()
        if time.monotonic() - self._asked > PATIENCE:
            self._leave(stop)
