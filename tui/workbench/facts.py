"""Facts about a recipe's data, read by a child process, so that no file of the user's is parsed in this one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from engine.data.errors import DataError
from engine.data.facts import Facts
from engine.errors import UserError

LIMIT = 32 * 1024 * 1024
"""Most bytes that a child may answer with."""


@dataclass(frozen=True)
class Answer:
    """What the child said: facts, or why there are none."""

    facts: Facts | None = None
    preview: list[dict[str, Any]] = field(default_factory=list)
    error: UserError | None = None


async def read_facts(text: str, base: Path, data_root: Path | None, parts: tuple[Path, ...] = ()) -> Answer:
    """Read the data that the recipe `text` names; relative paths start at `data_root`, else at `base`.

    Cancelling the call ends the child.
    """
    with tempfile.TemporaryDirectory(prefix="goodfit-") as folder:
        recipe = Path(folder) / "recipe.yaml"
        recipe.write_text(text, encoding="utf-8")
        command = [str(recipe), "--data-root", str(data_root or base)]
        for part in parts:
            command += ["--parts", str(part)]
        output = await child("engine.data.inspect", *command)
    return decode(output)


def decode(output: bytes) -> Answer:
    """The last JSON object that the child printed."""
    try:
        answer = json.loads(output.splitlines()[-1])
    except (ValueError, IndexError):
        return Answer(error=UserError("the data could not be read", "see the Output list for what the reader said"))
    error = answer.get("error")
    if error:
        return Answer(error=DataError(error["message"], error.get("hint", ""), path=error.get("path") or "data.source"))
    known = {entry.name for entry in fields(Facts)}
    given = {name: value for name, value in answer["facts"].items() if name in known}
    given["shape"] = tuple(given["shape"])
    return Answer(facts=Facts(**given), preview=list(answer.get("preview") or []))


async def child(module: str, *arguments: str) -> bytes:
    """Run `python -P -m module arguments` and return its standard output. Raises UserError with its last words where
    it fails without any."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LIMIT,
        start_new_session=True,
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode and not output.strip():
        words = errors.decode("utf-8", "replace").strip().splitlines()
        raise UserError(words[-1] if words else f"{module} ended with code {process.returncode}")
    return output
