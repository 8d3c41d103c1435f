"""`python -m bench`: goodfit against plain loops and libraries, side by side, as ratios of CPU time on one thread."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.rounds import Bench, Measured, to_stderr
from bench.table import lines, machine, to_json, write
from bench.works import BY_NAME, WORKS

ROUNDS, FEW = 5, 3
RESULTS = Path(__file__).parent / "results"
DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"


def main() -> int:
    """Measure and print; the exit code says nothing about goals."""
    asked = arguments()
    works = [BY_NAME[name] for name in asked.works.split(",")] if asked.works else list(WORKS)
    if asked.quick:
        works = [work.smaller(0.1, 1) for work in works]
    rounds = asked.rounds or (2 if asked.quick else ROUNDS)
    every: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="goodfit-bench-") as folder:
        bench = Bench(Path(folder))
        try:
            for work in works:
                names = asked.only.split(",") if asked.only else ["goodfit", "plain", *work.peers]
                measured = bench.measure(work, names, rounds, to_stderr, asked.few)
                every.append(measured)
                print("\n".join(lines(measured)), flush=True)
        finally:
            bench.close()
    content = {"machine": machine(), "versions": bench.versions, "works": {m.work.name: to_json(m) for m in every}}
    if asked.write:
        keep(content, every)
    return 0


def keep(content: dict[str, Any], every: list[Measured]) -> None:
    """Put the table on record: JSON, and the generated section of the document."""
    from bench.document import put_table

    write(RESULTS / "peers.json", content)
    put_table(DOCUMENT, content, every)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, one epoch, two rounds: minutes")
    parser.add_argument("--works", default="", help=f"some of {', '.join(BY_NAME)}, with commas")
    parser.add_argument("--only", default="", help="contenders, with commas, in place of each work's own")
    parser.add_argument("--rounds", type=int, default=0, help=f"left out: {ROUNDS}")
    parser.add_argument("--few", type=int, default=FEW, help="rounds in which the libraries take part")
    parser.add_argument(
        "--write", action="store_true", help="keep the results in bench/results and docs/performance.md"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
