"""The process of the workbench, as the guardian starts it: `python -P -m tui.ui_process JSON --life FD`."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from tui.options import Options


def encode(path: str | None, options: Options, log: str) -> str:
    """What the child needs, as one argument."""
    return json.dumps(
        {
            "path": path,
            "runs": options.runs and str(options.runs),
            "data_root": options.data_root and str(options.data_root),
            "parts": [str(file) for file in options.parts],
            "replay": options.replay,
            "speed": options.speed,
            "log": log,
        }
    )


def decode(text: str) -> tuple[str | None, Options, str]:
    """The inverse of `encode`."""
    data: dict[str, Any] = json.loads(text)
    options = Options(
        runs=Path(data["runs"]) if data["runs"] else None,
        data_root=Path(data["data_root"]) if data["data_root"] else None,
        parts=tuple(Path(file) for file in data["parts"]),
        replay=data["replay"],
        speed=data["speed"],
    )
    return data["path"], options, data["log"]


def end_with_guardian(life: int) -> None:
    """Wait until the guardian is gone; then nobody would restore the terminal, so do it here and end."""
    while os.read(life, 64):
        pass
    from tui.guardian import orphaned

    orphaned()
    os._exit(1)


def main() -> int:
    """Run the UI. What would be printed as a traceback goes to the log that the guardian named."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    path, options, log = decode(sys.argv[1])
    life = int(sys.argv[sys.argv.index("--life") + 1])
    threading.Thread(target=end_with_guardian, args=(life,), daemon=True).start()
    divert_errors(log)
    try:
        from tui.app import run

        signal.signal(signal.SIGINT, signal.default_int_handler)
        return run(path, options)
    except KeyboardInterrupt:
        return 130
    except Exception:
        import traceback

        traceback.print_exc()
        return 1


def divert_errors(log: str) -> None:
    """Send whatever prints to standard error to the log, and let the screen be drawn on standard output.

    Textual draws on standard error, which the person may have sent to a file; standard output is the terminal, else
    there is no workbench.
    """
    screen = os.dup(1)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 2)
    os.close(file)
    sys.__stderr__ = os.fdopen(screen, "w", encoding="utf-8", errors="replace")  # type: ignore[misc]
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)


def new_log() -> str:
    """A file of our own for the UI's standard error."""
    handle, name = tempfile.mkstemp(prefix="goodfit-", suffix=".txt")
    os.close(handle)
    return name


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
