"""Training a run again and comparing its bits, as a tool process that prints JSON lines.

`python -P -m engine.train.verify RUN_DIR [--epochs N]` gives `progress` lines and `verified {equal, first_difference,
comparable, why}`. The run's recipe is trained headless with its recorded plan and the same edits at the same steps; its
losses are folded at the recorded rows, so that the first row that differs can be named. Nothing is written.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.runs.directory import RECIPE
from engine.runs.journal import effective, number, read
from engine.runs.records import Epoch, Json, Steps
from engine.runs.summary import launch_options
from engine.train import origin, plan, tool
from engine.train.checkpoint import read as read_checkpoint
from engine.train.desk import Change, Script
from engine.train.position import Position
from engine.train.restored import load_parts
from engine.train.rows import RecordedRows
from engine.train.session import Session, open_session


class NotComparable(Exception):
    """Why the bits of a run cannot be expected here."""


def work(arguments: list[str]) -> tool.Rows:
    """What the arguments ask for."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    match arguments:
        case [run]:
            epochs = None
        case [run, "--epochs", text] if text.isdigit():
            epochs = int(text)
        case _:
            raise UserError("engine.train.verify does not know what to do", "verify RUN_DIR [--epochs N]")
    try:
        yield from verify(Path(run), epochs)
    except NotComparable as why:
        yield _verdict(None, why=str(why), comparable=False)


def verify(run_dir: Path, epochs: int | None = None) -> tool.Rows:
    """Train again and compare, up to its first `epochs` epochs where given. Raises NotComparable, UserError."""
    records = effective(read(run_dir))
    choice = _recorded_plan(records, run_dir)
    session = _session(run_dir, records, choice)
    recorded = [r for r in records if r["type"] in ("steps", "epoch")]
    if epochs is not None:
        start = _start(run_dir, session)
        last = start.step - start.index + session.steps_per_epoch * epochs
        recorded = [r for r in recorded if r["step"] <= last]
    if not recorded:
        raise NotComparable("the run has no steps yet")
    checked = 0
    for row in _again(run_dir, records, session, max(r["step"] for r in recorded), recorded):
        if isinstance(row, str):
            yield _verdict(False, first=row)
            return
        checked = row
        yield {"type": "progress", "stage": "epoch", "done": checked, "total": session.recipe.train.epochs}
    rows = sum(r["type"] == "steps" for r in recorded)
    yield _verdict(True, why=f"every bit of {rows} rows of losses and of {checked} epochs")


def _again(
    run_dir: Path, records: list[Json], session: Session, last: int, recorded: list[Json]
) -> Iterator[str | int]:
    """Epochs that turned out equal; at the end, if need be, the name of the first row that did not."""
    changes = [(int(r["step"]), Change(None, r["edits"])) for r in records if r["type"] == "edited"]
    steps = {int(r["first"]): r for r in recorded if r["type"] == "steps"}
    epochs = {int(r["epoch"]): r for r in recorded if r["type"] == "epoch"}
    loop = session.loop(
        position=_start(run_dir, session),
        desk=Script(changes, last, whole=max(epochs, default=0)),
        rows=RecordedRows([(first, int(r["count"])) for first, r in steps.items()]),
    )
    for record in loop.run():
        if isinstance(record, Steps) and record.first in steps:
            known = steps.pop(record.first)
            if known["crc"] != record.crc:
                yield f"steps {record.first} to {record.first + record.count - 1} (epoch {known.get('epoch')})"
                return
        elif isinstance(record, Epoch) and record.epoch in epochs:
            known = epochs.pop(record.epoch)
            if known["digest"] != record.digest or not _same(known["val_loss"], record.val_loss):
                yield f"epoch {record.epoch}"
                return
            yield record.epoch
    if steps or epochs:
        missing = f"steps from {min(steps)}" if steps else f"epoch {min(epochs)}"
        yield f"{missing}: trained again, the run ends at step {loop.position.step}"


def _same(a: Any, b: float | None) -> bool:
    if a is None or b is None:
        return a is None and b is None
    return number(a) == b or (number(a) != number(a) and b != b)


def _start(run_dir: Path, session: Session) -> Position:
    """Step 0, or the checkpoint that a fork began with."""
    source = launch_options(run_dir).get("from")
    if not source:
        return Position()
    try:
        saved = read_checkpoint(run_dir, source)
    except UserError as error:
        raise NotComparable(f"the checkpoint that the run was forked from is gone: {error.message}") from None
    session.executor.load(saved.state)
    return saved.position.forked()


def _recorded_plan(records: list[Json], run_dir: Path) -> plan.Choice:
    plans = [r for r in records if r["type"] == "plan"]
    if not plans:
        raise NotComparable("the run has no plan yet")
    for record in records:
        if record["type"] == "replanned":
            raise NotComparable(f"the run changed its plan on the way: {record['reason']}")
    options = launch_options(run_dir)
    if options.get("kind") == "search":
        raise NotComparable("a search is not trained itself; its trials are: verify one of them")
    if options.get("stack", 1) > 1:
        others = options["stack"] - 1
        raise NotComparable(f"it was trained together with {others} other trials of a search, which rounds differently")
    choice = plan.recorded(plans[0])
    if different := plan.differences(choice):
        raise NotComparable("; ".join(different))
    started = next(r for r in records if r["type"] == "started")
    parts = options.get("parts") or []
    if started["versions"].get("parts", {}) != origin.parts_versions(parts):
        raise NotComparable("own parts that the recipe can name have changed since")
    return choice


def _session(run_dir: Path, records: list[Json], choice: plan.Choice) -> Session:
    load_parts(run_dir)
    text = (run_dir / RECIPE).read_text(encoding="utf-8")
    base = Path(launch_options(run_dir).get("base") or run_dir)
    try:
        session = open_session(text, base, choice=choice)
    except UserError as error:
        raise NotComparable(f"the run cannot be prepared again: {error.message}") from None
    if not session.recipe.train.deterministic:
        raise NotComparable("train.deterministic is false")
    known = next((r for r in records if r["type"] == "data"), None)
    facts = session.prepared.facts
    if known and (known["data_sha256"], known["split_sha256"]) != (facts.data_sha256, facts.split_sha256):
        raise NotComparable("the data is not what the run was trained on")
    return session


def _verdict(equal: bool | None, *, first: str | None = None, why: str = "", comparable: bool = True) -> Json:
    return {"type": "verified", "equal": equal, "first_difference": first, "comparable": comparable, "why": why}


if __name__ == "__main__":
    sys.exit(tool.run(work, sys.argv[1:]))
