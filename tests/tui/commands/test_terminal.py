"""`train` on a terminal: the bar, the curves, and the keys that end it."""

from __future__ import annotations

import sys

from engine.runs.summary import state_of
from tests.tui.commands.goodfit import MAIN, Goodfit
from tests.tui.terminal import Terminal


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-c", MAIN, *arguments]


def test_the_bar_moves_and_control_c_saves(goodfit: Goodfit) -> None:
    train = command("train", "iris.yaml", "--set", "train.epochs=1000000")
    with Terminal(train, cwd=goodfit.folder, env={**goodfit.env, "LANG": "C.UTF-8"}, columns=100) as terminal:
        terminal.until_text("eta ", 60)
        assert "━" in terminal.text or "─" in terminal.text
        assert "/1000000" in terminal.text
        terminal.type(b"\x03")
        assert terminal.wait(60) == 130
        lines = [line.rstrip() for line in terminal.screen.display]
        assert "saving and stopping; once more kills" in lines, "on a line of its own"
        assert "┤" in terminal.text and "stopped" in terminal.text
        assert "eta " not in terminal.text, "the bar is gone"
    assert state_of(goodfit.run_dir()) == "stopped"


def test_a_recorded_run_on_a_terminal(trained: Goodfit) -> None:
    watch = command("watch", "last")
    with Terminal(watch, cwd=trained.folder, env=trained.env, columns=60) as terminal:
        assert terminal.wait() == 0
        assert b"\x1b[38;5;" in terminal.written and "completed" in terminal.text
    with Terminal(watch, cwd=trained.folder, env={**trained.env, "NO_COLOR": "1"}, columns=60) as terminal:
        assert terminal.wait() == 0
        assert b"\x1b[3" not in terminal.written
    with Terminal(watch, cwd=trained.folder, env={**trained.env, "PYTHONIOENCODING": "ascii"}, columns=60) as terminal:
        assert terminal.wait() == 0
        assert terminal.written.isascii() and b"+---" in terminal.written
