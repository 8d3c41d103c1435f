"""Opening the workbench on this terminal, under the guardian."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tui.options import Options
from tui.skeleton import paint, unpaint


def open_workbench(path: str | None, options: Options, *, painted: bool = False) -> int:
    """Open the workbench on a recipe, a run, data, or nothing yet; returns the exit code.

    `painted`: the outline is on the screen already.
    """
    from tui.commands.output import prepare_streams

    prepare_streams()
    if path is not None and not os.path.lexists(path):
        found = resolve(path, options)
        if isinstance(found, int):
            return found
        path = found
    if not painted and not paint(path):
        return refuse("the workbench needs a terminal", "without one, `goodfit train RECIPE` trains")
    from tui.guardian import guard
    from tui.ui_process import encode, new_log

    log = new_log()
    command = [sys.executable, "-P", "-m", "tui.ui_process", encode(path, options, log)]
    try:
        code = guard(command)
    except OSError as error:
        unpaint()
        return refuse(f"the workbench could not start: {error.strerror or error}", "")
    report(code, Path(log))
    return code


def resolve(word: str, options: Options) -> str | int:
    """A run's name or a bundled recipe's as a path; an exit code where there is nothing of that name."""
    from engine.bundled.find import bundled
    from engine.errors import UserError
    from engine.runs.directory import find, runs_root
    from tui.commands.cli import unknown
    from tui.commands.run_target import SUFFIXES, near_recipes

    recipe = bundled(word)
    if recipe is not None:
        return str(recipe)
    try:
        return str(find(runs_root(options.runs), word))
    except UserError as error:
        if not error.message.startswith(("no run", "there are no runs")):
            return refuse(error.message, error.hint)
    if word.endswith(SUFFIXES) or "/" in word:
        return refuse(f"there is no {word}", near_recipes(word))
    problem = unknown(word)
    return refuse(problem.message, problem.hint)


def refuse(message: str, hint: str) -> int:
    """Say why there is no workbench."""
    from tui.commands.output import complain

    complain("error", message, hint)
    return 2


def report(code: int, log: Path) -> None:
    """After the screen is gone: one line about an end that was not the person's wish."""
    from tui.commands.output import complain

    words = log.read_text(encoding="utf-8", errors="replace").strip() if log.exists() else ""
    if code == 0 or not words:
        log.unlink(missing_ok=True)
    if code in (0, 129, 130, 143):
        return
    last = words.splitlines()[-1] if words else ""
    why = f"killed by signal {code - 128}" if code > 128 else last or f"exit code {code}"
    where = f"; the details are in {log}" if words else ""
    complain("error", f"the workbench ended: {why}", f"runs go on; `goodfit` opens it again{where}")
