"""`goodfit doctor`: what this machine offers, and what could get in a run's way."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from tui.commands.options import json_lines, runs_folder, several

PACKAGES = ("torch", "torchmetrics", "textual", "plotext", "numpy", "polars", "pydantic", "safetensors")


@dataclass(frozen=True)
class Fact:
    """One line of the report."""

    name: str
    value: str
    ok: bool = True
    hint: str = ""


@click.command("doctor")
@several(runs_folder, json_lines)
def command(runs: Path | None, as_json: bool) -> int:
    """Check versions, devices, the terminal, what would kill a detached run, and disk space."""
    from tui.clean import clean
    from tui.commands.output import emit, paint, say, write

    bad = 0
    for fact in report(runs):
        bad += not fact.ok
        if as_json:
            emit("doctor", name=fact.name, value=fact.value, ok=fact.ok, hint=fact.hint)
            continue
        mark = paint("ok", "good") if fact.ok else paint("!!", "warning")
        write(f"{mark}  {clean(fact.name):22} {clean(fact.value)}")
        if fact.hint:
            say(f"      {fact.hint}")
    return 0


def report(runs: Path | None) -> Iterator[Fact]:
    """All facts, the quick ones first."""
    yield from versions()
    yield from terminal()
    yield from detached()
    yield from disk(runs)
    yield from torch_facts()


def versions() -> Iterator[Fact]:
    """goodfit, Python, the system, and the packages that matter."""
    from importlib.metadata import PackageNotFoundError, version

    ok = sys.version_info >= (3, 11)
    yield Fact("python", platform.python_version(), ok, "" if ok else "goodfit needs 3.11 or later")
    yield Fact("system", platform.platform())
    for package in ("goodfit", *PACKAGES):
        try:
            yield Fact(package, version(package))
        except PackageNotFoundError:
            yield Fact(package, "not installed", False, f"pip install {package}")


def terminal() -> Iterator[Fact]:
    """What the terminal can show."""
    term, colours = os.environ.get("TERM", ""), os.environ.get("COLORTERM", "")
    columns, rows = shutil.get_terminal_size()
    here = sys.stdout.isatty()
    yield Fact(
        "terminal", f"{term or 'unknown'}{', in tmux' if os.environ.get('TMUX') else ''}" if here else "none here"
    )
    big = columns >= 80 and rows >= 24
    yield Fact("terminal size", f"{columns}x{rows}", big or not here, "" if big else "the workbench wants 80x24")
    if os.environ.get("NO_COLOR"):
        depth = "none (NO_COLOR)"
    elif colours in ("truecolor", "24bit"):
        depth = "16 million"
    else:
        depth = "256" if "256" in term else "16"
    hint = "" if depth.startswith("16 m") else "if your terminal can: export COLORTERM=truecolor"
    yield Fact("colours", depth, True, hint)
    encoding = sys.stdout.encoding or "unknown"
    utf = "utf" in encoding.lower()
    yield Fact("unicode", encoding, utf, "" if utf else "charts fall back to ASCII; export LANG=C.UTF-8")


def detached() -> Iterator[Fact]:
    """What would end a worker when its person logs out."""
    job = next((name for name in ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID") if os.environ.get(name)), None)
    if job is not None:
        words = "the batch system ends every process with the job; train without --detach as the job's own command"
        yield Fact("batch job", f"{job}={os.environ[job]}", False, words)
    cgroup = Path("/proc/self/cgroup")
    scope = cgroup.read_text(encoding="utf-8", errors="replace") if cgroup.exists() else ""
    if not re.search(r"/session-[^/]+\.scope", scope):
        yield Fact("logging out", "this shell is in no login session of systemd: detached runs go on")
        return
    kills = kill_user_processes()
    linger = Path("/var/lib/systemd/linger", os.environ.get("USER", "")).is_file()
    if kills is False:
        yield Fact("logging out", "systemd leaves processes alone (KillUserProcesses=no): detached runs go on")
        return
    value = (
        "systemd ends all processes of a session (KillUserProcesses=yes)" if kills else "KillUserProcesses is unknown"
    )
    hint = "" if linger else "loginctl enable-linger, and "
    yield Fact("logging out", value, not kills, f"{hint}systemd-run --user --scope goodfit train RECIPE --detach")


def kill_user_processes() -> bool | None:
    """logind's own answer, else what its configuration says; None where neither can be had."""
    path = "/org/freedesktop/login1"
    call = ["busctl", "get-property", "org.freedesktop.login1", path, "org.freedesktop.login1.Manager"]
    try:
        answer = subprocess.run([*call, "KillUserProcesses"], capture_output=True, text=True, timeout=3, check=False)
        if answer.returncode == 0:
            return answer.stdout.split()[-1] == "true"
    except (OSError, subprocess.TimeoutExpired, IndexError):
        pass
    found: bool | None = None
    places = [Path("/usr/lib/systemd/logind.conf"), Path("/etc/systemd/logind.conf")]
    places += [*sorted(Path("/usr/lib/systemd/logind.conf.d").glob("*.conf"))]
    places += [*sorted(Path("/etc/systemd/logind.conf.d").glob("*.conf"))]
    for place in places:
        try:
            words = place.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for value in re.findall(r"^\s*KillUserProcesses\s*=\s*(\w+)", words, re.MULTILINE):
            found = value.lower() in ("yes", "true", "1", "on")
    return found


def disk(runs: Path | None) -> Iterator[Fact]:
    """Room for runs and checkpoints, and what the cache takes."""
    from engine.data.cache import cache_folder
    from engine.runs.directory import runs_root

    root = runs_root(runs)
    place = next(folder for folder in (root, *root.parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    enough = free > 2 << 30
    writable = os.access(place, os.W_OK)
    yield Fact(
        "runs folder", str(root), writable, "" if writable else f"{place} cannot be written: --runs names another"
    )
    yield Fact(
        "disk space", size(free), enough, "" if enough else "a run's checkpoints may take 1 GB (train.checkpoints)"
    )
    cache = cache_folder()
    images, used = bytes_in(cache / "images"), bytes_in(cache)
    decoded = f", {size(images)} of it decoded images" if images else ""
    full = used > 10 << 30
    yield Fact("cache", f"{cache}, {size(used)}{decoded}", True, f"rm -r {cache} frees it; runs go on" if full else "")


def bytes_in(folder: Path) -> int:
    """What the files in a folder take; files may come and go meanwhile."""
    found = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                found += Path(place, name).stat().st_size
    return found


def size(amount: float) -> str:
    """`1.2 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"


def torch_facts() -> Iterator[Fact]:
    """Devices, and the driver against torch: looked at in a process of its own."""
    from engine.errors import UserError
    from tui.commands.child import ToolFailed, run_tool

    try:
        for row in run_tool("doctor", ()):
            if "name" in row:
                yield Fact(
                    str(row["name"]), str(row.get("value")), bool(row.get("ok", True)), str(row.get("hint") or "")
                )
    except (ToolFailed, UserError) as error:
        yield Fact("torch", str(error).splitlines()[0], False, "pip install torch; until then nothing can be trained")
