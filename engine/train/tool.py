"""What the tool processes share: results as JSON lines on stdout, bad input as one `error` line."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from engine.errors import UserError
from engine.runs.journal import encode

Rows = Iterator[dict[str, Any]]


def run(work: Callable[[list[str]], Rows], arguments: list[str]) -> int:
    """Print what `work` gives, one object a line; the exit code. Numbers that are not finite become text."""
    try:
        for row in work(arguments):
            _print(row)
    except UserError as error:
        _print({"type": "error", "message": error.message, "hint": error.hint})
        return 2
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _print(row: dict[str, Any]) -> None:
    line = encode(row)[9:].decode("ascii")  # less the journal's checksum
    sys.stdout.write(line)
    sys.stdout.flush()
