"""The entry point: a verb of the command line, or the workbench."""

from __future__ import annotations

import os
import sys

VALUED = ("--runs", "--data-root", "--parts")


def main() -> None:
    """`goodfit ...`: a verb where the first word is one, else the workbench."""
    open_closed_streams()
    sys.exit(start(sys.argv[1:]))


def open_closed_streams() -> None:
    """Where we were started without stdin, stdout or stderr, put nothing in their place.

    Else the next file that is opened, such as a run's lock, would be taken for the stream.
    """
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
            setattr(sys, name, open(fd, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def start(argv: list[str]) -> int:
    """Run `goodfit` with these arguments and return the exit code."""
    from tui.commands.verbs import VERBS

    # Only the screen needs to be there at once: what is not plainly `goodfit [OPTIONS] [PATH]` goes to click.
    words = [word for i, word in enumerate(argv) if not word.startswith("-") and (i == 0 or argv[i - 1] not in VALUED)]
    options = [word.partition("=")[0] for word in argv if word.startswith("-")]
    if (words and words[0] in VERBS) or len(words) > 1 or set(options) - set(VALUED):
        from tui.commands.cli import run

        return run(argv)
    return workbench(argv, words[0] if words else None)


def workbench(argv: list[str], path: str | None) -> int:
    """`goodfit [PATH]`: open the workbench, its outline first."""
    from tui.skeleton import paint, unpaint

    painted = (path is None or os.path.lexists(path)) and paint(path)
    try:
        return open_behind(argv, path, painted)
    except BaseException:
        if painted:
            unpaint()
        raise


def open_behind(argv: list[str], path: str | None, painted: bool) -> int:
    """Import the rest behind the outline and go on."""
    from pathlib import Path

    from tui.options import Options

    given: dict[str, list[str]] = {name: [] for name in VALUED}
    for i, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if name in given:
            given[name].append(value if equals else argv[i + 1] if i + 1 < len(argv) else "")
    runs, data_root = given["--runs"], given["--data-root"] or [os.environ.get("GOODFIT_DATA", "")]
    options = Options(
        runs=Path(runs[-1]) if runs and runs[-1] else None,
        data_root=Path(data_root[-1]) if data_root[-1] else None,
        parts=tuple(Path(file) for file in given["--parts"]),
    )
    from tui.screen import open_workbench

    return open_workbench(path, options, painted=painted)


if __name__ == "__main__":
    main()
