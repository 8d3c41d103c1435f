"""The command line as a process of its own, for tests."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.runs.directory import run_dirs
from tui.main import start

RECIPE = """\
goodfit: 1
name: iris
data:
  source: {type: Builtin, name: iris}
  batch_size: 16
model:
  layers:
    - {type: Linear, out_features: 8}
    - ReLU
    - {type: Linear, out_features: outputs}
optimizer: {type: Adam, lr: 1e-2}   # the usual one
train:
  epochs: 3
"""
MAIN = "from tui.main import main; main()"


@dataclass(frozen=True)
class Done:
    """What a call printed, and its exit code."""

    code: int
    stdout: str
    stderr: str


class Goodfit:
    """Runs `goodfit` in a folder of its own: in this process where that shows the same, else in one of its own.

    The folder has packages that are named like ours and break when they are imported.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            "OMP_NUM_THREADS": "1",
            "GOODFIT_CACHE": str(folder / "cache"),
            "GOODFIT_RUNS": str(folder / "runs"),
            "COLUMNS": "100",
        }
        for name in ("engine", "tui", "torch"):
            (folder / name).mkdir()
            (folder / name / "__init__.py").write_text("raise SystemExit('shadowed')")
        (folder / "iris.yaml").write_text(RECIPE)

    def copy(self, folder: Path) -> Goodfit:
        """The same runs in another folder, to be changed."""
        other = Goodfit(folder)
        shutil.copytree(self.folder / "runs", folder / "runs")
        return other

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a process and leave it running."""
        return subprocess.Popen(
            [sys.executable, "-P", "-c", MAIN, *arguments],
            cwd=self.folder,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def process(self, *arguments: str, code: int = 0, program: str = MAIN) -> Done:
        """Call in a process of its own. Fails on another exit code than `code`."""
        done = subprocess.run(
            [sys.executable, "-P", "-c", program, *arguments],
            cwd=self.folder,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return expect(Done(done.returncode, done.stdout, done.stderr), code)

    def __call__(self, *arguments: str, code: int = 0) -> Done:
        """Call in this process. Fails on another exit code than `code`."""
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        before, folder = dict(os.environ), Path.cwd()
        os.environ.update(self.env)
        os.chdir(self.folder)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                found = start(list(arguments))
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(before)
        words = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
        return expect(Done(found, *words), code)

    def json(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        """Call with --json and return the objects; stdout must hold nothing else."""
        return objects(self(*arguments, "--json", code=code).stdout)

    def run_dir(self) -> Path:
        """The newest run."""
        return run_dirs(self.folder / "runs")[-1]


def expect(done: Done, code: int) -> Done:
    """Fail on another exit code, and on any traceback."""
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    assert done.code == code, f"exit {done.code}\n{done.stdout}\n{done.stderr}"
    return done


def objects(text: str) -> list[dict[str, Any]]:
    """JSON lines, each an object with a type, in printable ASCII."""
    assert all(char == "\n" or " " <= char <= "~" for char in text)
    found = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(item, dict) and isinstance(item["type"], str) for item in found)
    return found


def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never happened"
        time.sleep(0.02)


def kinds(records: Sequence[dict[str, Any]]) -> list[str]:
    """The types, in order."""
    return [record["type"] for record in records]
