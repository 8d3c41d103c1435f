"""The terminal is usable again after every way in which a workbench can end."""

from __future__ import annotations

import os
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tui.terminal import Terminal

UI = """
import os, sys
from textual.app import App
from textual.widgets import Static
open(sys.argv[1], "w").write(str(os.getpid()))
class Probe(App):
    BINDINGS = [("q", "exit"), ("z", "suspend_process"), ("b", "break")]
    def compose(self):
        yield Static("the UI is up")
    def action_exit(self):
        self.exit()
    def action_break(self):
        os._exit(7)
Probe().run()
"""
GUARD = """
import sys
from tui.guardian import guard
from tui.skeleton import paint
paint("probe.yaml")
sys.exit(guard([sys.executable, "-c", open(sys.argv[1]).read(), sys.argv[2]]))
"""
ROOT = Path(__file__).parents[2]
MODES = (1000, 1003, 1006, 1015, 1004, 1049, 2004)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], tuple[Terminal, int]]]:
    terminals: list[Terminal] = []

    def begin() -> tuple[Terminal, int]:
        (tmp_path / "ui.py").write_text(UI)
        pid_file = tmp_path / "pid"
        terminal = Terminal([sys.executable, "-c", GUARD, str(tmp_path / "ui.py"), str(pid_file)])
        terminals.append(terminal)
        terminal.until_text("opening ...")
        terminal.until_text("the UI is up")
        # The last mode that the UI sets: from here on it reads keys.
        terminal.until(lambda: terminal.private_mode(2004))
        return terminal, int(pid_file.read_text())

    yield begin
    for terminal in terminals:
        terminal.__exit__(None, None, None)


def assert_usable(terminal: Terminal) -> None:
    flags = terminal.attributes()[3]
    assert isinstance(flags, int)
    assert flags & termios.ECHO and flags & termios.ICANON and flags & termios.ISIG
    assert [mode for mode in MODES if terminal.private_mode(mode)] == []
    assert terminal.private_mode(25), "the cursor shows"
    assert terminal.written.rfind(b"\x1b[<u") > terminal.written.rfind(b"\x1b[>"), "the keyboard protocol is off"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_clean_end(start: Callable[[], tuple[Terminal, int]]) -> None:
    terminal, _ = start()
    terminal.type(b"q")
    assert terminal.wait() == 0
    assert_usable(terminal)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_the_ui_is_killed(start: Callable[[], tuple[Terminal, int]], number: signal.Signals) -> None:
    terminal, ui = start()
    os.kill(ui, number)
    assert terminal.wait() == 128 + number
    assert_usable(terminal)


def test_the_ui_breaks(start: Callable[[], tuple[Terminal, int]]) -> None:
    terminal, _ = start()
    terminal.type(b"b")
    assert terminal.wait() == 7
    assert_usable(terminal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_guardian_is_asked_to_end(start: Callable[[], tuple[Terminal, int]], number: signal.Signals) -> None:
    terminal, ui = start()
    os.kill(terminal.pid, number)
    assert terminal.wait() == 128 + number
    assert gone(ui)
    assert_usable(terminal)


def test_a_ui_that_hangs_is_killed_in_the_end(start: Callable[[], tuple[Terminal, int]]) -> None:
    terminal, ui = start()
    os.kill(ui, signal.SIGSTOP)  # a session's leader: the guardian starts it again; then it hangs for good
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.wait() == 128 + signal.SIGTERM
    assert gone(ui)
    assert_usable(terminal)


def test_the_terminal_vanishes(start: Callable[[], tuple[Terminal, int]]) -> None:
    terminal, ui = start()
    terminal.hang_up()
    assert gone(ui) and gone(terminal.pid)


def test_suspended_where_nobody_could_go_on_it_comes_back(start: Callable[[], tuple[Terminal, int]]) -> None:
    terminal, _ = start()
    terminal.type(b"z")
    terminal.until(lambda: terminal.written.count(b"\x1b[?2004h") >= 2)
    terminal.type(b"q")
    assert terminal.wait() == 0
    assert_usable(terminal)


def test_suspended_in_a_shell_it_gives_the_terminal_back_and_returns(tmp_path: Path) -> None:
    for name, words in (("ui.py", UI), ("guard.py", GUARD)):
        (tmp_path / name).write_text(words)
    start = f"{sys.executable} guard.py ui.py pid"
    env = {
        "PS1": "$ ",
        "PYTHONPATH": str(ROOT),
        "HISTFILE": "",
        "INPUTRC": "/dev/null",
        "BASH_SILENCE_DEPRECATION_WARNING": "1",
    }
    with Terminal(["bash", "--norc", "--noprofile", "-i"], cwd=tmp_path, env=env) as terminal:
        terminal.until_text("$ ")
        terminal.type(start.encode() + b"\n")
        terminal.until(lambda: terminal.private_mode(2004) and terminal.private_mode(1049))
        terminal.until_text("the UI is up")
        terminal.type(b"z")
        terminal.until(lambda: not terminal.private_mode(1049) and "Stopped" in terminal.text)
        assert not terminal.private_mode(1000) and terminal.private_mode(25)
        terminal.type(b"stty -a | tr ';' '\\n' | grep -ow -e '-echo' -e '-icanon' -e '-isig'; echo $((6*7))\n")
        terminal.until_text("42")
        assert "\n-echo " not in terminal.text and "\n-icanon " not in terminal.text
        terminal.type(b"fg\n")
        terminal.until(lambda: terminal.private_mode(1049))
        before = len(terminal.written)
        terminal.type(b"q")
        terminal.until(lambda: b"$ " in terminal.written[before:])
        assert not terminal.private_mode(1049)
        terminal.type(b"echo $((7*7))\n")
        terminal.until_text("49")
        terminal.type(b"exit\n")
        assert terminal.wait() == 0
