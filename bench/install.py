"""Install the peers of `bench/requirements.txt`, block by block; one that cannot be installed is said and left out."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
CONSTRAINTS = HERE.parent / "constraints.txt"


@dataclass
class Block:
    """Requirements that are installed together."""

    name: str
    options: list[str]
    lines: list[str] = field(default_factory=list)


def blocks(text: str) -> list[Block]:
    """The blocks of a requirements file: each begins with `# [name] --option`."""
    found: list[Block] = []
    for line in text.splitlines():
        if head := re.match(r"# \[(.+?)\]((?: --[a-z-]+)*)", line):
            found.append(Block(head[1], head[2].split()))
        elif line and not line.startswith("#"):
            found[-1].lines.append(line)
    return found


def install(block: Block) -> bool:
    """Whether it went in."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(block.lines))
        file.flush()
        command = [sys.executable, "-m", "pip", "install", "--quiet", *block.options]
        return not subprocess.run([*command, "--constraint", str(CONSTRAINTS), "--requirement", file.name]).returncode


if __name__ == "__main__":
    for block in blocks((HERE / "requirements.txt").read_text(encoding="utf-8")):
        if not install(block):
            print(f"{block.name} could not be installed: it will be missing from the table.", file=sys.stderr)
