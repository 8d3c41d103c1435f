"""The small process that stands between the shell and the workbench.

It starts the UI as a child process behind the skeleton, and gives the terminal back in order whatever ends that child,
also SIGKILL: cooked, main screen, mouse and paste modes off, cursor on. It imports nothing heavy. Both processes
are in the shell's foreground group, so keys, ^Z and resizes reach the child as if the guardian were not there. Workers
have sessions of their own and are not touched.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import termios
import time
from collections.abc import Sequence
from typing import Any

GRACE = 3.0
"""Seconds that the UI has to end after SIGTERM or SIGHUP before it is killed."""
TICK = 1.0
"""Seconds between looks at whether the terminal is still there."""

# CAN and ST end a sequence that the child did not finish. Then: synchronised output, every mouse mode, focus events,
# bracketed paste, in-band resize off; line wrap and cursor on; colours and character set as they were.
_MODES_OFF = (
    "\x18\x1b\\\x1b[?2026l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?1004l"
    "\x1b[?2004l\x1b[?2048l\x1b[?7h\x1b[0m\x1b(B"
)
# The keyboard protocol is a stack for each screen, so ours is popped before the alternate screen is left.
_LEAVE = "\x1b[<u\x1b[?1049l"
_CURSOR = "\x1b[?25h"

Attributes = list[Any]


def guard(command: Sequence[str]) -> int:
    """Run `command` as the UI on this terminal and return the exit code, 128 + n where signal n ended it.

    `command` gets the option `--life FD`: a pipe that ends when the guardian does. Raises OSError where standard
    input is no terminal.
    """
    terminal = 0
    before = termios.tcgetattr(terminal)
    wake, wake_write = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH):
        signal.signal(number, lambda *_: None)
    quiet(terminal, before)
    life, life_write = os.pipe()
    os.set_inheritable(life, True)
    clean_end = False
    try:
        child = spawn([*command, "--life", str(life)])
        os.close(life)
        status, asked = attend(child, terminal, before, wake)
        code = os.waitstatus_to_exitcode(status)
        clean_end = code == 0
    finally:
        restore(terminal, before, left=clean_end)
        os.close(life_write)
    if asked:
        return 128 + asked
    return 128 - code if code < 0 else code


def spawn(command: Sequence[str]) -> int:
    """Start the UI in our own process group; handlers do not survive the exec."""
    return os.posix_spawn(command[0], list(command), os.environ)


def attend(child: int, terminal: int, before: Attributes, wake: int) -> tuple[int, int]:
    """Wait for the child's end, pass signals on, and follow it into and out of ^Z.

    Returns the child's wait status and the number of the signal that asked us to end, or 0.
    """
    asked = 0
    deadline: float | None = None
    while True:
        pid, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if pid == child and not os.WIFSTOPPED(status):
            return status, asked
        if pid == child:
            follow_stop(child, terminal, before)
        now = time.monotonic()
        if deadline is None and gone(terminal):
            asked, deadline = signal.SIGHUP, now + GRACE
            os.kill(child, signal.SIGHUP)
        if deadline is not None and now >= deadline:
            os.kill(child, signal.SIGKILL)
        select.select([wake], [], [], TICK if deadline is None else max(0.05, min(TICK, deadline - now)))
        for number in pending(wake):
            if number in (signal.SIGTERM, signal.SIGHUP):
                os.kill(child, number)
                asked = asked or number
                deadline = deadline or time.monotonic() + GRACE
            elif number == signal.SIGWINCH:
                os.kill(child, signal.SIGWINCH)


def pending(wake: int) -> bytes:
    """The numbers of the signals that came since the last call."""
    try:
        return bytes(dict.fromkeys(os.read(wake, 4096)))
    except BlockingIOError:
        return b""


def follow_stop(child: int, terminal: int, before: Attributes) -> None:
    """The UI was suspended: give the shell its terminal, stop too, and start the UI again when we are continued."""
    restore(terminal, before, left=True)
    if os.getsid(0) != os.getpid():  # a session's leader has no shell that could continue it
        os.kill(os.getpid(), signal.SIGSTOP)
    quiet(terminal, before)
    # `fg` continues the whole group; a second SIGCONT would start the UI's reader twice.
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        pid, _ = os.waitpid(child, os.WNOHANG | os.WCONTINUED)
        if pid == child:
            return
        time.sleep(0.02)
    os.kill(child, signal.SIGCONT)


def gone(terminal: int) -> bool:
    """Whether the terminal has hung up."""
    try:
        termios.tcgetattr(terminal)
    except (termios.error, OSError):
        return True
    return False


def quiet(terminal: int, before: Attributes) -> None:
    """No echo and no line editing, so that what is typed while the UI starts is not painted over the skeleton."""
    attributes = [*before]
    attributes[3] &= ~(termios.ECHO | termios.ICANON)
    set_attributes(terminal, attributes)


def restore(terminal: int, before: Attributes, *, left: bool) -> None:
    """Give the terminal back. `left`: the UI has left the alternate screen itself, and may have printed since.

    Does nothing from the background: the shell has the terminal then, in its own order.
    """
    try:
        if os.tcgetpgrp(terminal) != os.getpgrp():
            return
    except OSError:
        pass
    put(_MODES_OFF + ("" if left else _LEAVE) + _CURSOR)
    set_attributes(terminal, before)
    with contextlib.suppress(termios.error, OSError):
        termios.tcflush(terminal, termios.TCIFLUSH)  # reports of the mouse and answers of the terminal


def set_attributes(terminal: int, attributes: Attributes) -> None:
    """tcsetattr on a terminal that may be gone."""
    with contextlib.suppress(termios.error, OSError):
        termios.tcsetattr(terminal, termios.TCSADRAIN, attributes)


def orphaned() -> None:
    """In the child, once the guardian is gone: nobody else would give the terminal back."""
    terminal = 0
    put(_MODES_OFF + _LEAVE + _CURSOR)
    try:
        if os.tcgetpgrp(terminal) != os.getpgrp():
            return
        attributes = termios.tcgetattr(terminal)
    except (termios.error, OSError):
        return
    attributes[0] |= termios.ICRNL | termios.IXON
    attributes[3] |= termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN
    set_attributes(terminal, attributes)


def put(text: str) -> None:
    """Write to the terminal, which may be gone. By its number: Textual puts something else in place of sys.stdout."""
    with contextlib.suppress(OSError):
        os.write(1, text.encode())
