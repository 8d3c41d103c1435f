"""A real writer, really killed, at moments that nobody chose."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from engine.runs.checkpoints import load_latest
from engine.runs.journal import Tail, effective
from engine.runs.lock import Lock, probe
from engine.runs.summary import inferred_finish, state_of

WRITER = """
import os, sys
from pathlib import Path
import numpy as np
from engine.runs import checkpoints
from engine.runs.journal import Journal, read
from engine.runs.lock import Lock
from engine.runs.records import Checkpoint
run_dir = Path(sys.argv[1])
lock = Lock.acquire(run_dir)
journal = Journal.open(run_dir, lock)
records = read(run_dir)
checkpoints.sweep(run_dir, records)
last = checkpoints.latest(records)
step = last["step"] if last else 0
wall = {"pid": os.getpid(), "host": "h", "wall": "w"}
journal.append({"type": "resumed", "from_step": step, **wall} if records else {"type": "started", **wall})
print("writing", flush=True)
while True:
    step += 1
    losses = {"loss_mean": 1.0, "loss_min": 1.0, "loss_max": 1.0, "lr": 0.1}
    journal.append({"type": "steps", "step": step, "first": step, "count": 1, **losses})
    if step % 3 == 0:
        done = checkpoints.write(run_dir, step, {"w": np.full(5000, step)}, {"step": step})
        journal.append(Checkpoint(step=step, path=done.path, manifest_sha=done.manifest_sha, best=False))
"""


def test_whenever_a_writer_is_killed_nothing_committed_is_lost(run_dir: Path) -> None:
    chance = random.Random(0)
    reached = 0
    for life in range(1, 9):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(run_dir)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        time.sleep(chance.uniform(0, 0.06))  # the moment of death, not a wait for anything
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        assert probe(run_dir) == "dead" and state_of(run_dir) == "failed"
        assert inferred_finish(run_dir) == {"type": "finished", "reason": "killed", "inferred": True}
        tail = Tail(run_dir)
        records = tail.poll()
        assert not tail.damage and [record["seq"] for record in records] == list(range(1, len(records) + 1))
        assert records[-1]["life"] == life
        times = [record["time"] for record in records]
        assert times == sorted(times)
        line = [record["step"] for record in effective(records) if record["type"] == "steps"]
        assert line == list(range(1, len(line) + 1))
        if any(record["type"] == "checkpoint" for record in records):
            record, tensors, state, problems = load_latest(run_dir, records)
            assert not problems and state == {"step": record["step"]} and (tensors["w"] == record["step"]).all()
            assert record["step"] >= reached
            reached = record["step"]
    assert reached > 0
    Lock.acquire(run_dir, retry=0).release()
