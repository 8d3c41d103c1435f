"""Where words leave the program: every line passes here and is cleaned on the way.

Results go to stdout, narration to stderr. With `--json` stdout holds one object a line and nothing else.
"""

from __future__ import annotations

import json
import os
import sys
from typing import IO, Any

from tui.clean import clean, clean_block

COLOURS = {"error": "31", "warning": "33", "info": "36", "good": "32", "dim": "2", "bold": "1"}


def colourful(stream: IO[str]) -> bool:
    """Whether to send colours: a terminal that can, and nobody who asked for none."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"


def paint(text: str, colour: str, stream: IO[str] | None = None) -> str:
    """`text`, cleaned, in a colour where `stream` (stdout) shows colours."""
    words = clean(text)
    return f"\x1b[{COLOURS[colour]}m{words}\x1b[0m" if colourful(stream or sys.stdout) else words


def write(line: str, stream: IO[str] | None = None) -> None:
    """One line that is clean already."""
    out = stream or sys.stdout
    out.write(line + "\n")
    out.flush()


def say(text: object = "") -> None:
    """One line of a result, to stdout."""
    write(clean(text))


def say_block(text: object) -> None:
    """Several lines of a result, to stdout."""
    write(clean_block(text).rstrip("\n"))


def narrate(text: object) -> None:
    """One line about what goes on, to stderr."""
    write(clean(text), sys.stderr)


def complain(severity: str, message: object, hint: object = "") -> None:
    """An error or a warning that has no place in a file, to stderr."""
    write(
        f"{paint('goodfit', 'bold', sys.stderr)}: {paint(severity, severity, sys.stderr)}: {clean(message)}", sys.stderr
    )
    if hint:
        write(f"  {clean(hint)}", sys.stderr)


def encode(value: dict[str, Any]) -> str:
    """One JSON line in printable ASCII: what stands in strings from outside cannot act on a terminal either."""
    return json.dumps(plain(value), ensure_ascii=True, separators=(",", ":"), allow_nan=False).replace(
        "\x7f", "\\u007f"
    )


def plain(value: Any) -> Any:
    """`value` with non-finite numbers as the contract writes them."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return "nan" if value != value else "inf" if value > 0 else "-inf"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def emit(type: str, **fields: Any) -> None:
    """One object of `--json`."""
    emit_record({"type": type, **fields})


def emit_record(record: dict[str, Any]) -> None:
    """One record as one line of `--json`."""
    write(encode(record))


def prepare_streams() -> None:
    """Never fail on a character that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def unicode(stream: IO[str] | None = None) -> bool:
    """Whether `stream` (stdout) takes more than ASCII."""
    return "utf" in (getattr(stream or sys.stdout, "encoding", None) or "").lower()
