"""The generated section of docs/performance.md, between two marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.table import from_json, lines

BEGIN, END = "<!-- table: begin (written by `make bench`) -->", "<!-- table: end -->"


def put_table(path: Path, content: dict[str, Any]) -> None:
    """Replace what stands between the marks."""
    machine = content["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in sorted(content["versions"].items()))
    words = [
        f"Python {machine['python']} on {machine['system']}, {machine['cores']} cores ({machine['cpu']}), one thread.",
        f"Versions: {versions}.",
        "",
    ]
    table = [line for work in content["works"].values() for line in lines(from_json(work))]
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    path.write_text("\n".join([f"{before}{BEGIN}", "", *words, *table, f"{END}{after}"]), encoding="utf-8")
