"""A real pseudo-terminal with pyte as its screen, for tests of whole processes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte


class Terminal:
    """A process on a pty of its own; what it writes is read when the test waits for something."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.written = b""
        self.code: int | None = None
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                if cwd is not None:
                    os.chdir(cwd)
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                os.execvpe(command[0], list(command), {**os.environ, "TERM": "xterm-256color", **(env or {})})
            finally:
                os._exit(127)
        os.set_blocking(self.master, False)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.master >= 0:
            os.close(self.master)

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(self.screen.display)

    def pump(self, seconds: float = 0.05) -> bool:
        """Read what has been written, waiting at most `seconds` for the first byte; whether there was any."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other side is closed
            data = b""
        self.written += data
        self.stream.feed(data)
        return bool(data)

    def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        """Read until `condition` holds. Fails with the screen's text after `seconds`."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"never happened; the screen:\n{self.text}"
            self.pump()

    def until_text(self, words: str, seconds: float = 20.0) -> None:
        """Read until the screen shows `words`."""
        self.until(lambda: words in self.text, seconds)

    def wait(self, seconds: float = 20.0) -> int:
        """Read until the process has ended, and return its exit code (negative: signal)."""

        def ended() -> bool:
            if self.code is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.code = os.waitstatus_to_exitcode(status)
            return self.code is not None

        self.until(ended, seconds)
        while self.pump(0):
            pass
        assert self.code is not None
        return self.code

    def type(self, keys: bytes) -> None:
        """Send keys."""
        os.write(self.master, keys)

    def attributes(self) -> list[object]:
        """The terminal's modes, as tcgetattr gives them."""
        return list(termios.tcgetattr(self.master))

    def hang_up(self) -> None:
        """The connection is lost."""
        os.close(self.master)
        self.master = -1

    def private_mode(self, number: int) -> bool:
        """Whether a DEC private mode is on, as the last sequence left it."""
        on, off = self.written.rfind(b"\x1b[?%dh" % number), self.written.rfind(b"\x1b[?%dl" % number)
        return on > off
