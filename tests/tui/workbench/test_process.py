"""The workbench as a person has it: a real process on a terminal, a real worker beside it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runs.directory import list_runs
from engine.runs.journal import read
from engine.runs.launch import kill_worker
from tests.tui.terminal import Terminal
from tests.tui.workbench.conftest import RECIPE

GOODFIT = (sys.executable, "-P", "-m", "tui.main")
ROOT = Path(__file__).parents[3]
SLOW = RECIPE.replace("epochs: 10", "epochs: 2000").replace("batch_size: 32", "batch_size: 8")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder with a recipe that trains for long; no worker outlives the test."""
    (tmp_path / "digits.yaml").write_text(SLOW)
    yield tmp_path
    for run in list_runs(tmp_path / "runs"):
        with contextlib.suppress(Exception):
            kill_worker(run.path)


def terminal(home: Path, *arguments: str, **env: str) -> Terminal:
    environment = {
        "GOODFIT_RUNS": str(home / "runs"),
        "GOODFIT_CACHE": str(home / "cache"),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        **env,
    }
    return Terminal([*GOODFIT, *arguments], columns=100, rows=30, cwd=home, env=environment)


def ui_of(guardian: int) -> int:
    """The process that holds the screen: the guardian's child."""
    children = Path(f"/proc/{guardian}/task/{guardian}/children").read_text().split()
    return int(children[0])


def test_start_keys_quit_and_the_terminal_is_as_before(home: Path) -> None:
    with terminal(home, "digits.yaml", NO_COLOR="1") as screen:
        before = screen.attributes()
        screen.until_text("1.8k rows")
        screen.type(b"gm")
        screen.until_text("MODEL · digits.yaml")
        screen.type(b":")
        screen.until_text("What do you want to do?")
        screen.type(b"keys\r")
        screen.until_text("Runs and replays")
        screen.type(b"\x1b")
        screen.until(lambda: "Runs and replays" not in screen.text)
        screen.type(b"q")
        assert screen.wait() == 0
        assert screen.attributes() == before
        for mode in (1000, 1003, 1006, 1049, 2004):
            assert not screen.private_mode(mode), mode


def test_a_run_outlives_the_killed_workbench_and_is_whole_when_it_is_back(home: Path) -> None:
    with terminal(home, "digits.yaml") as screen:
        screen.until_text("1.8k rows")
        screen.type(b"t")
        screen.until(lambda: any("▶ running" in line and "/2000" in line for line in screen.screen.display), 60)
        os.kill(ui_of(screen.pid), signal.SIGKILL)
        assert screen.wait() == 128 + signal.SIGKILL
        assert not screen.private_mode(1049)
    (run,) = list_runs(home / "runs")
    assert run.state == "running"
    seen = len([record for record in read(run.path) if record["type"] == "epoch"])
    with terminal(home, "last") as screen:
        screen.until_text("▶ running", 60)
        screen.until(lambda: len([r for r in read(run.path) if r["type"] == "epoch"]) > seen + 1)
        screen.type(b"p")
        screen.until_text("‖ paused")
        screen.type(b"p")
        screen.until_text("▶ running")
        screen.type(b"x")
        screen.until_text("Save and stop")
        screen.type(b"s")
        screen.until_text("■ stopped", 30)
        screen.type(b"q")
        assert screen.wait() == 0
    records = read(run.path)
    assert records[-1]["type"] == "finished" and records[-1]["reason"] == "stopped"
    assert len([record for record in records if record["type"] == "started"]) == 1
    assert len({record["life"] for record in records}) == 1, "the worker lived through it all"


def test_the_screen_is_there_though_standard_error_goes_elsewhere(home: Path) -> None:
    script = f"exec {' '.join(GOODFIT)} digits.yaml 2>log"
    environment = {"GOODFIT_RUNS": str(home / "runs"), "GOODFIT_CACHE": str(home / "cache"), "PYTHONPATH": str(ROOT)}
    with Terminal(["sh", "-c", script], columns=100, rows=30, cwd=home, env=environment) as screen:
        # What is typed to the prompt meanwhile waits for the recipe that it is meant for.
        screen.type(b"gm")
        screen.until_text("MODEL · digits.yaml")
        screen.type(b"q")
        assert screen.wait() == 0
    assert (home / "log").read_text() == ""
