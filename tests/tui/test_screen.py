"""`goodfit PATH` on a real pseudo-terminal: guardian, UI process, and what is said after the screen is gone."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.commands.goodfit import RECIPE
from tests.tui.terminal import Terminal
from tests.tui.test_guardian import assert_usable, gone

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-P", "-c", "from tui.main import main; main()"]
STUB = """
import sys, time, tty, types
if "tui.ui_process" in sys.orig_argv:
    app = sys.modules["tui.app"] = types.ModuleType("tui.app")
    def run(path, options):
        {body}
    app.run = run
"""
TAKES_THE_TERMINAL = r"\x1b[?1049h\x1b[>25u\x1b[?1000h\x1b[?2004h"
WAITS = f"tty.setraw(0); sys.__stderr__.write('{TAKES_THE_TERMINAL}'); sys.__stderr__.flush(); time.sleep(600)"
BREAKS = r"raise RuntimeError('boiled \x1b]0;over\x07')"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "iris.yaml").write_text(RECIPE)
    return tmp_path


def with_ui(folder: Path, body: str) -> dict[str, str]:
    """An environment in which the UI's process finds another app: it starts in a moment."""
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(STUB.format(body=body))
    return {"PYTHONPATH": f"{site}:{ROOT}", "TMPDIR": str(folder)}


@pytest.fixture
def waiting(folder: Path) -> Iterator[tuple[Terminal, int]]:
    """A UI that has taken the terminal and waits, and its process."""
    with Terminal([*COMMAND, "iris.yaml"], cwd=folder, env=with_ui(folder, WAITS)) as terminal:
        terminal.until(lambda: terminal.private_mode(2004))
        yield terminal, child(terminal.pid)


def child(pid: int) -> int:
    """The first child of a process."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def test_the_outline_is_there_before_the_ui(folder: Path) -> None:
    with Terminal([*COMMAND, "iris.yaml"], cwd=folder, env={"PYTHONPATH": str(ROOT)}) as terminal:
        terminal.until_text("opening ...")
        assert "goodfit  iris.yaml" in terminal.screen.display[0]
        assert b"\x1b[?1000h" not in terminal.written, "the UI has not started to paint"


def test_the_real_workbench_opens_and_ends(folder: Path) -> None:
    with Terminal([*COMMAND, "iris.yaml"], cwd=folder, env={"PYTHONPATH": str(ROOT)}) as terminal:
        terminal.until(lambda: terminal.private_mode(2004), 40)
        terminal.until_text("batch_size: 16", 40)
        ui = child(terminal.pid)
        terminal.type(b"\x11")
        assert terminal.wait() == 0
        assert gone(ui)
        assert_usable(terminal)


def test_the_ui_is_killed(waiting: tuple[Terminal, int]) -> None:
    terminal, ui = waiting
    os.kill(ui, signal.SIGKILL)
    assert terminal.wait() == 137
    assert_usable(terminal)
    terminal.until(lambda: b"signal 9" in terminal.written)


def test_the_guardian_is_killed(folder: Path) -> None:
    command = " ".join(map(shlex.quote, [*COMMAND, "iris.yaml"]))
    shell = ["sh", "-c", f"{command}; echo back in the shell; read line"]
    with Terminal(shell, cwd=folder, env=with_ui(folder, WAITS)) as terminal:
        terminal.until(lambda: terminal.private_mode(2004))
        guardian = child(terminal.pid)
        ui = child(guardian)
        os.kill(guardian, signal.SIGKILL)
        assert gone(ui), "nobody would give the terminal back"
        terminal.until(lambda: b"back in the shell" in terminal.written and not terminal.private_mode(1049))
        assert_usable(terminal)


def test_the_connection_is_lost(waiting: tuple[Terminal, int]) -> None:
    terminal, ui = waiting
    terminal.hang_up()
    assert gone(ui) and gone(terminal.pid)


def test_a_ui_that_breaks_is_one_line_and_a_file(folder: Path) -> None:
    env = with_ui(folder, BREAKS)
    with Terminal([*COMMAND, "iris.yaml"], cwd=folder, env=env, columns=200) as terminal:
        assert terminal.wait() == 1
        terminal.until(lambda: b"details are in" in terminal.written)
        after = terminal.written.rpartition(b"\x1b[?25h")[2].decode()
        assert "RuntimeError: boiled" in after and "Traceback" not in after and "\x1b]" not in after
        details = Path(after.partition("details are in ")[2].split()[0])
        assert "Traceback" in details.read_text()
        assert_usable(terminal)


def test_a_name_that_is_nothing_never_enters_the_screen(folder: Path) -> None:
    with Terminal([*COMMAND, "iirs.yaml"], cwd=folder, env={"PYTHONPATH": str(ROOT)}, columns=200) as terminal:
        assert terminal.wait() == 2
        assert b"did you mean iris.yaml?" in terminal.written and b"\x1b[?1049h" not in terminal.written
