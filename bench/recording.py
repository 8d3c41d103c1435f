"""What it costs that a run is recorded: `python -m bench.recording [--rounds N] [--epochs N]`.

A run is trained as shipped: every loss seen, `steps` and `epoch` rows written to a journal with their checksums and
syncs, commands looked for. The CPU time that goes into folding, writing and looking is taken on the spot and set
against all the rest; two whole runs, one of them unrecorded, differ by more than that from one moment to the next.
Rows and looks come so many a second: seconds of CPU time here, as on a machine that nobody else uses. The goal is 1 %.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from engine.runs.commands import Inbox
from engine.runs.directory import create
from engine.runs.journal import Journal
from engine.runs.lock import Lock
from engine.runs.records import Record
from engine.train import desk, loop, rows
from engine.train.desk import Flags, LiveDesk
from engine.train.position import Position
from engine.train.rows import TimedRows
from engine.train.session import Session, open_session

RECIPE = """\
seed: 0
data: {{source: {{type: Builtin, name: digits}}, batch_size: 32, split: {{validation: 0.15}}}}
model:
  layers: [{{type: Linear, out_features: 64}}, ReLU, {{type: Linear, out_features: 32}}, ReLU,
           {{type: Linear, out_features: outputs}}]
optimizer: {{type: Adam, lr: 1e-3}}
train: {{epochs: {epochs}, executor: {executor}}}
"""
GOAL = 0.01


class Stopwatch:
    """CPU seconds spent in what it is asked to call."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def gives(self, generator: Any) -> Any:
        """The same function of records; its records are made at once."""

        def timed(*arguments: Any) -> Iterator[Record]:
            began = time.process_time()
            found = list(generator(*arguments))
            self.seconds += time.process_time() - began
            return iter(found)

        return timed


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--epochs", type=int, default=60)
    asked = parser.parse_args(arguments)
    own = SimpleNamespace(monotonic=time.process_time, sleep=time.sleep)
    for module in (rows, desk, loop):
        module.time = own  # type: ignore[attr-defined]
    for executor in ("dense", "autograd"):
        text = RECIPE.format(epochs=asked.epochs, executor=executor)
        found = []
        for _ in range(asked.rounds):
            with tempfile.TemporaryDirectory(prefix="goodfit-bench-") as folder:
                found.append(measure(open_session(text, Path(folder)), Path(folder), text))
        shares = [recording / rest for recording, rest in found]
        print(
            f"{executor:9} recording costs {statistics.median(shares):.2%} ({min(shares):.2%} to {max(shares):.2%}) of "
            f"a fit of {statistics.median(rest for _, rest in found):.2f} s, {asked.rounds} rounds; goal {GOAL:.0%}"
        )
    return 0


def measure(session: Session, folder: Path, text: str) -> tuple[float, float]:
    """CPU seconds of recording, and of all else in the loop."""
    watch = Stopwatch()
    run_dir = create(folder, "bench", "train", text, {})
    with Lock.acquire(run_dir) as lock:
        journal = Journal.open(run_dir, lock)
        hears = LiveDesk(Inbox(run_dir, lock.holder.token), Flags(), None)
        folds = TimedRows()
        for thing, name in ((hears, "listen"), (folds, "add"), (folds, "flush"), (folds, "end")):
            setattr(thing, name, watch.gives(getattr(type(thing), name).__get__(thing)))
        trained = session.loop(position=Position(), desk=hears, rows=folds)
        began = time.process_time()
        for record in trained.run():
            before = time.process_time()
            journal.append(record)
            watch.seconds += time.process_time() - before
        whole = time.process_time() - began
        journal.close()
    return watch.seconds, whole - watch.seconds


if __name__ == "__main__":
    sys.exit(main())
