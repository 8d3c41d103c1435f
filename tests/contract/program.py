"""The installed program, driven as a script from outside would drive it: nothing of it is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Program:
    """Runs `goodfit` as a process in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a process and leave it running."""
        own = {"OMP_NUM_THREADS": "1", "GOODFIT_CACHE": str(self.folder / "cache")}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GOODFIT_")}
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("goodfit")), *arguments],
            cwd=self.folder,
            env={**kept, **own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Its stdout. Fails on another exit code than `code`, and on a traceback."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, f"{arguments}: exit {process.returncode}\n{out[-2000:]}\n{err[-2000:]}"
        assert "Traceback" not in out + err
        return out

    def json(self, *arguments: str, code: int = 0) -> list[Record]:
        """The objects that it prints; with --json stdout holds nothing else, and each has its type."""
        records = [json.loads(line) for line in self(*arguments, "--json", code=code).splitlines()]
        assert all(isinstance(record["type"], str) for record in records)
        return records

    def write(self, name: str, text: str) -> str:
        """Write a file and hand its name back."""
        (self.folder / name).write_text(text)
        return name


def journal(run: Path) -> list[Record]:
    """events.log as the contract has it: `crc32 json`, 8 lower-case hex digits over the JSON's bytes."""
    records = []
    for line in (run / "events.log").read_bytes().splitlines():
        crc, space, text = line[:8], line[8:9], line[9:]
        assert space == b" " and crc == f"{zlib.crc32(text):08x}".encode()
        records.append(json.loads(text))
    return records


def tampered(record: Record) -> bytes:
    """A line of events.log whose checksum is right, whatever it says."""
    text = json.dumps(record).encode()
    return f"{zlib.crc32(text):08x} ".encode() + text + b"\n"


def kinds(records: list[Record]) -> list[str]:
    """The types, in order."""
    return [record["type"] for record in records]


def of(records: list[Record], kind: str) -> list[Record]:
    """Records of one type."""
    return [record for record in records if record["type"] == kind]
