"""The first picture: the workbench's outline, painted before anything else is imported."""

from __future__ import annotations

import os
import sys

ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J\x1b[H"
LEAVE = "\x1b[?1049l\x1b[?25h"
NARROW = 100
"""Columns below which the workbench starts without its side bar."""


def paint(path: str | None) -> bool:
    """Enter the alternate screen and paint the outline; False, with nothing done, where there is no terminal."""
    try:
        if not (os.isatty(0) and os.isatty(1)):
            return False
        columns, rows = os.get_terminal_size(1)
    except OSError:
        return False
    title = "".join(char for char in os.path.basename(path or "") if char.isprintable())  # noqa: PTH119
    write(ENTER + outline(title, max(columns, 20), max(rows, 5)))
    return True


def unpaint() -> None:
    """Take it away again, where the workbench cannot be opened after all."""
    write(LEAVE)


def outline(title: str, columns: int, rows: int) -> str:
    """Title bar, activity bar, side bar, editor and status bar, empty."""
    side = 35 if columns >= NARROW else 0
    row = ("   │" + (" " * (side - 1) + "│" if side else ""))[:columns]
    lines = [f" goodfit  {title}"[: columns - 1], *[row] * (rows - 2), " opening ..."[:columns]]
    return "\x1b[2m" + "\r\n".join(lines) + "\x1b[0m"


def write(text: str) -> None:
    """To the terminal, whatever its encoding, past any buffer."""
    sys.stdout.flush()
    os.write(1, text.encode())
