"""Work that needs torch: a child process of `engine.train` that prints JSON lines."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from engine.errors import UserError
from engine.runs.launch import worker_environment


def run_tool(module: str, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Run `python -P -m engine.train.MODULE` and yield the objects it prints, as they come.

    Its stderr is kept back. Raises UserError where it prints an `error {message, hint}` or ends badly; the child ends
    with us in any case.
    """
    with tempfile.TemporaryFile() as kept:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", f"engine.train.{module}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=kept,
            env=worker_environment(),
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        try:
            yield from _objects(child)
            if child.wait() != 0:
                kept.seek(0)
                words = kept.read().decode(errors="replace").strip()
                last = words.splitlines()[-1] if words else f"exit code {child.returncode}"
                raise ToolFailed(f"engine.train.{module}: {last}\n{words}")
        finally:
            child.kill()
            child.wait()


def _objects(child: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            try:
                value = json.loads(line)
            except ValueError:
                continue  # a library's print
            if not isinstance(value, dict):
                continue
            if value.get("type") == "error":
                raise UserError(str(value.get("message")), str(value.get("hint") or ""))
            yield value


class ToolFailed(Exception):
    """A child ended in a way that is nobody's input."""
