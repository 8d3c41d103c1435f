"""The time before the first step, which may be one long call that reads data: somebody must hear meanwhile.

Signal handlers run between two instructions of Python, on the main thread; a call into a library can hold them up for
minutes. So a thread listens: to commands, to the owner's death, and to signals by the file that Python writes each of
them to at once. It says that the run is paused as soon as that is asked for: whatever is still being read, no step is
taken. And it ends the worker where the main thread does not come round to it: before the first step there is nothing
to save.
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

PATIENCE = 0.05
"""Seconds that the preparing thread has to notice by itself that a stop was asked for."""
SILENT = 0.1
"""Seconds without a word after which that thread is taken to be in a long call, and the worker leaves without it."""


class Halt(Exception):
    """A stop was asked for before there was anything to stop."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class Vigil:
    """Listens from its own thread until the loop takes over."""

    def __init__(
        self,
        desk: LiveDesk,
        flags: Flags,
        write: Callable[[Record], None],
        leave: Callable[[StopReason], None],
        step: Callable[[], int] = lambda: 0,
    ) -> None:
        """`leave` ends the process, unless `at_work` says by then that the other thread has come back; `step` is the
        one that a pause names, and a `resumed` after it: nothing later may be lost by it."""
        self._desk, self._flags, self._write, self._leave, self._step = desk, flags, write, leave, step
        self._listening = threading.Lock()
        self._over = False
        self._announced = False
        self._held = False
        """Whether the last that was said is that the run is paused."""
        self._asked: float | None = None
        self._seen = time.monotonic()
        self._wake, self._bell = -1, -1

    def begin(self) -> None:
        """Start to listen."""
        self._wake, self._bell = os.pipe()
        for fd in (self._wake, self._bell):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._bell, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="vigil", daemon=True).start()

    def announced(self) -> None:
        """The life's first record is written: answers may follow it."""
        self._announced = True

    def sign(self) -> None:
        """A sign of life from the thread that prepares the run."""
        self._seen = time.monotonic()

    def at_work(self) -> bool:
        """Whether there was such a sign lately."""
        return time.monotonic() - self._seen < SILENT

    def obey(self) -> None:
        """For the thread that prepares the run, now and then: hold while the run is paused. Raises Halt."""
        wishes = self._desk.wishes
        self.sign()
        while (wishes.pause or self._held) and wishes.stop is None:
            time.sleep(POLL / 2)
            self.sign()
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
                if self._announced:
                    with contextlib.suppress(StorageError):
                        self._hear()

    def _hear(self) -> None:
        for answer in self._desk.listen(0):
            self._write(answer)
            self._hold()  # before the next answer: a pause and its end may arrive together
        self._hold()
        stop = self._desk.wishes.stop
        if stop is None:
            return
        self._asked = self._asked or time.monotonic()
        if time.monotonic() - self._asked > PATIENCE and not self.at_work():
            self._leave(stop)

    def _hold(self) -> None:
        """Say that the run is paused, or goes on."""
        wishes, step = self._desk.wishes, self._step()
        if wishes.stop is not None or wishes.pause == self._held:
            return
        self._write(Paused(step=step) if wishes.pause else Resumed(from_step=step, step=step))
        self._held = wishes.pause
