"""The command line as a process of its own, for tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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
NO_TORCH = (
    "import sys; sys.modules['torch'] = None; sys.modules['torchmetrics'] = None; from tui.main import main; main()"
)


class Goodfit:
    """Runs `goodfit` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "GOODFIT_CACHE": str(folder / "cache"),
            "GOODFIT_RUNS": str(folder / "runs"),
        }
        self.env.pop("GOODFIT_DATA", None)
        (folder / "iris.yaml").write_text(RECIPE)

    def command(self, *arguments: str, torch: bool = True) -> list[str]:
        """The command line of a call."""
        return [sys.executable, "-P", "-c", NO_TORCH if not torch else "from tui.main import main; main()", *arguments]

    def start(self, *arguments: str, torch: bool = True) -> subprocess.Popen[str]:
        """Start a call and leave it running."""
        return subprocess.Popen(
            self.command(*arguments, torch=torch),
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, torch: bool = True, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Call and wait; fails on another exit code than `code` (None: any)."""
        done = subprocess.run(
            self.command(*arguments, torch=torch),
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        if code is not None:
            assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str, torch: bool = True, code: int | None = 0) -> list[dict[str, Any]]:
        """Call with --json and return the objects; stdout must hold nothing else."""
        return objects(self(*arguments, "--json", torch=torch, code=code).stdout)

    def run_dir(self) -> Path:
        """The newest run."""
        return max((self.folder / "runs").iterdir(), key=lambda path: path.stat().st_mtime_ns)


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
