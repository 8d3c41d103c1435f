"""How long it takes from the train key to the first loss on the screen: the real workbench on a terminal of its own.

`python -m bench.start [--rounds N] [RECIPE...]` prints medians of the seconds with a worker in waiting and without one,
interleaved, and how the time is shared out: until the run's folder is there, until the worker has announced the run,
until the first losses are in the journal, until the first loss is painted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from engine.runs.directory import run_dirs
from engine.runs.journal import read
from engine.runs.launch import kill_worker
from engine.runs.standby import SWITCH
from tests.tui.terminal import Terminal

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("folder", "announced", "first losses", "painted")
SHOWN = re.compile(r"│ \d+\.\d{4} ")
"""The line of figures, which begins with the train loss, once there is one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", type=Path, default=[ROOT / "recipes/digits.yaml"])
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args(arguments)
    for recipe in asked.recipes:
        found: dict[bool, list[list[float]]] = {True: [], False: []}
        for _ in range(asked.rounds):
            for waiting in found:
                found[waiting].append(once(recipe, waiting))
        print(f"{recipe.stem}: seconds from the train key, medians of {asked.rounds}")
        for waiting, rounds in found.items():
            who = "with a worker in waiting" if waiting else "without one"
            medians = [statistics.median(times) for times in zip(*rounds, strict=True)]
            spread = f"{min(r[-1] for r in rounds):.2f} to {max(r[-1] for r in rounds):.2f}"
            stages = ", ".join(f"{stage} {seconds:.3f}" for stage, seconds in zip(STAGES, medians, strict=True))
            print(f"  {who:25} {medians[-1]:.3f} ({spread}): {stages}")
    return 0


def once(recipe: Path, waiting: bool) -> list[float]:
    """Seconds from the key until each of `STAGES`."""
    with tempfile.TemporaryDirectory(prefix="goodfit-bench-") as folder:
        home = Path(folder)
        shutil.copytree(recipe.parent, home / "recipes")
        environment = {
            "GOODFIT_RUNS": str(home / "runs"),
            "GOODFIT_CACHE": str(home / "cache"),
            "PYTHONPATH": str(ROOT),
            SWITCH: str(int(waiting)),
        }
        command = [sys.executable, "-P", "-m", "tui.main", f"recipes/{recipe.name}"]
        try:
            with Terminal(command, columns=100, rows=30, cwd=home, env=environment) as screen:
                return measure(screen, home / "runs", waiting)
        finally:
            for run_dir in run_dirs(home / "runs"):
                with contextlib.suppress(Exception):
                    kill_worker(run_dir)


def measure(screen: Terminal, runs: Path, waiting: bool) -> list[float]:
    """Press the key when the workbench has come to rest, and wait for the loss."""
    screen.until_text("rows")
    at_rest(screen, waiting)
    pressed = time.time()
    screen.type(b"t")
    screen.until(lambda: any(SHOWN.search(line) for line in screen.screen.display), 60)
    painted = time.time()
    (run_dir,) = run_dirs(runs)
    records = read(run_dir)
    announced, losses = (next(r for r in records if r["type"] == kind) for kind in ("started", "steps"))
    made = datetime.fromisoformat(json.loads((run_dir / "launch.json").read_text())["created"]).timestamp()
    wall = datetime.fromisoformat(announced["wall"]).timestamp()
    return [made - pressed, wall - pressed, wall + losses["time"] - announced["time"] - pressed, painted - pressed]


def at_rest(screen: Terminal, waiting: bool) -> None:
    """Wait until the workbench and, where there is to be one, the worker in waiting have nothing to do any more."""
    busy, since = -1, time.monotonic()
    while time.monotonic() - since < 1.0:
        screen.pump()
        here = [number for number in descendants(screen.pid) if not waiting or b"--standby" in told(number, "cmdline")]
        spent = sum(int(ticks) for number in here for ticks in told(number, "stat").rpartition(b")")[2].split()[11:13])
        if not here or spent - busy > 1:
            busy, since = spent, time.monotonic()


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on."""
    threads = [path.name for path in Path(f"/proc/{pid}/task").glob("*")]
    found = [int(number) for thread in threads for number in told(pid, f"task/{thread}/children").split()]
    return found + [further for number in found for further in descendants(number)]


def told(pid: int, what: str) -> bytes:
    """What the process table says of a process; nothing where it has gone."""
    try:
        return Path("/proc", str(pid), what).read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    sys.exit(main())
