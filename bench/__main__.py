"""`python -m bench`: goodfit against plain loops and libraries, side by side, as ratios of CPU time on one thread."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench.document import put_table
from bench.rounds import Bench, Measured, to_stderr
from bench.table import lines, machine, to_json, write
from bench.works import BY_NAME, WORKS, Work

ROUNDS, FEW = 5, 3
RESULTS = Path(__file__).parent / "results"
DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"


def main() -> int:
    """Measure and print; the exit code says nothing about goals."""
    asked = arguments()
    works = [BY_NAME[name] for name in asked.works.split(",")] if asked.works else list(filter(measurable, WORKS))
    if asked.quick:
        works = [work.smaller(0.1, 1) for work in works]
    rounds = asked.rounds or (2 if asked.quick else ROUNDS)
    with tempfile.TemporaryDirectory(prefix="goodfit-bench-") as folder:
        bench = Bench(Path(folder))
        try:
            for work in works:
                names = asked.only.split(",") if asked.only else ["goodfit", "plain", *work.peers]
                measured = bench.measure(work, names, rounds, to_stderr, asked.few)
                print("\n".join(lines(measured)), flush=True)
                if asked.write:
                    keep([measured], bench.versions)
        finally:
            bench.close()
    return 0


def measurable(work: Work) -> bool:
    """Whether the machine has what the work is about: bf16 gains where the CPU multiplies tiles of it."""
    try:
        return work.precision != "bf16" or "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="ascii")
    except OSError:
        return False


def keep(every: list[Measured], versions: dict[str, str]) -> None:
    """Put the results on record, in place of those of the same works: JSON, and the table in the document."""
    path = RESULTS / "peers.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    works = {**before.get("works", {}), **{measured.work.name: to_json(measured) for measured in every}}
    works = {name: works[name] for name in BY_NAME if name in works}
    content = {"machine": machine(), "versions": {**before.get("versions", {}), **versions}, "works": works}
    write(path, content)
    put_table(DOCUMENT, content)


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
