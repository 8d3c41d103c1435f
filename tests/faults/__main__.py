"""The long form of the tests against faults: `make faults`, or `python -m tests.faults [--kills N] [--every N]`.

Kills real workers at random moments, with commands coming in, until their runs are done, and compares every bit; then
lets each system call by which journal and checkpoints reach the disk fail once, or kill the writer, by strace.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.context import ForkServerContext
from pathlib import Path

from engine.errors import UserError
from engine.runs import checkpoints
from engine.runs.commands import send
from engine.runs.directory import create
from engine.runs.journal import Tail, effective, read
from engine.runs.launch import Options
from engine.runs.lock import probe
from engine.train import worker

RECIPE = """\
goodfit: 1
name: faults
seed: 3
data: {source: {type: Builtin, name: digits}, limit: 200, batch_size: 16, augment: [{type: GaussianNoise, std: 0.1}]}
model:
  layers:
    - {type: Linear, out_features: 24}
    - BatchNorm1d
    - ReLU
    - {type: Dropout, p: 0.3, name: drop1}
    - {type: Linear, out_features: outputs}
optimizer: {type: Adam, lr: 0.01}
scheduler: {type: CosineAnnealingLR, warmup: {epochs: 2}}
train: {epochs: EPOCHS, early_stopping: {patience: 1000}}
"""
EPOCHS = 150
SYSCALLS = ("openat", "write", "fsync", "rename", "mkdir", "ftruncate", "fchmod", "chmod", "flock", "unlink", "rmdir")
ERRORS = ("ENOSPC", "EIO", "EINTR")


def check(sound: bool, words: str) -> None:
    """Stop with these words unless it is so."""
    if not sound:
        raise SystemExit(f"FAULT: {words}")


# Workers killed at random


def digest(run_dir: Path) -> list[tuple[int, str]]:
    return [(r["epoch"], r["digest"]) for r in effective(read(run_dir)) if r["type"] == "epoch"]


def live(context: ForkServerContext, run_dir: Path, seconds: float, chance: random.Random | None) -> bool:
    """One life, killed after so many seconds; whether it got to its end before. With `chance`, commands come in."""
    process = context.Process(target=worker.main, args=([str(run_dir)],))
    process.start()
    deadline = time.monotonic() + seconds
    while process.is_alive() and time.monotonic() < deadline:
        if chance is not None and chance.random() < 0.3:
            lr = {"op": "set", "path": "optimizer.lr", "value": round(chance.uniform(0.001, 0.01), 4)}
            p = {"op": "set", "path": "model.layers.drop1.p", "value": round(chance.uniform(0, 0.5), 2)}
            verb, fields = chance.choice(
                [("pause", {}), ("resume", {}), ("checkpoint", {}), ("set", {"edits": [lr]}), ("set", {"edits": [p]})]
            )
            with contextlib.suppress(UserError):  # it has gone meanwhile
                send(run_dir, verb, **fields)
                if verb == "pause":
                    time.sleep(chance.uniform(0, 0.05))
                    send(run_dir, "resume")
        process.join(0.01)
    process.kill()
    process.join()
    check(probe(run_dir) == "dead", f"{run_dir}: the lock outlived its holder")
    tail = Tail(run_dir)
    records = tail.poll()
    check(not tail.damage, f"{run_dir}: damage at {tail.damage}")
    return bool(records) and records[-1]["type"] == "finished"


def kills(root: Path, wanted: int) -> Counter[str]:
    """Runs whose workers are killed again and again, until `wanted` have died."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["engine.train.life", "engine.train.session", "engine.train.verify"])
    counts: Counter[str] = Counter()
    chance = random.Random(1)
    options = {**Options(base=str(root)).to_json(), "edits": [], "from": None}

    def new() -> Path:
        return create(root, "faults", "train", RECIPE.replace("EPOCHS", str(EPOCHS)), options)

    plain = new()
    check(live(context, plain, 120, None), "the plain run did not end")
    reference = digest(plain)
    while counts["kills"] < wanted:
        run_dir, edited = new(), counts["runs"] % 2 == 1
        while not live(context, run_dir, chance.uniform(0.02, 1.5), chance if edited else None):
            counts["kills"] += 1
        counts["runs"] += 1
        finished = read(run_dir)[-1]
        check(finished["reason"] == "completed", f"{run_dir}: {finished}")
        check([epoch for epoch, _ in digest(run_dir)] == list(range(1, EPOCHS + 1)), f"{run_dir}: epochs are missing")
        if edited:
            verdict = subprocess.run(
                [sys.executable, "-m", "engine.train.verify", str(run_dir)], capture_output=True, text=True, check=False
            )
            check('"equal":true' in verdict.stdout, f"{run_dir}: {verdict.stdout[-500:]}")
            counts["edits"] += sum(r["type"] == "edited" for r in effective(read(run_dir)))
            counts["verified equal"] += 1
        else:
            check(digest(run_dir) == reference, f"{run_dir}: other bits than the run that nobody killed")
            counts["equal to the run that nobody killed"] += 1
        sys.stdout.write(f"\r{dict(counts)}")
        sys.stdout.flush()
        shutil.rmtree(run_dir)
    sys.stdout.write("\n")
    return counts


# Every system call fails once, or is the last


def calls(root: Path) -> dict[str, list[int]]:
    """Which calls of each kind, counted from 1 over the writer's whole life, touch the run's folder."""
    found: dict[str, list[int]] = {}
    for name in SYSCALLS:
        run_dir, log = root / f"dry-{name}", root / "strace.log"
        run_dir.mkdir()
        write(run_dir, "-y", "-e", f"trace={name}", "-o", str(log))
        lines = [line for line in log.read_text(errors="replace").splitlines() if f"{name}(" in line]
        found[name] = [number for number, line in enumerate(lines, 1) if str(run_dir) in line]
    return found


def write(run_dir: Path, *strace: str) -> subprocess.CompletedProcess[str]:
    """A writer under strace."""
    command = ["strace", "-qq", *strace, sys.executable, "-m", "tests.faults.writer", str(run_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def inject(root: Path, every: int) -> Counter[str]:
    """One fault a run; of each `every` one, by chance."""
    counts: Counter[str] = Counter()
    number, chance = 0, random.Random(2)
    for name, places in calls(root).items():
        for at in places:
            for fault in (*(f"error={error}" for error in ERRORS), "signal=KILL"):
                number += 1
                if chance.randrange(every):
                    continue
                run_dir = root / f"run-{number}"
                run_dir.mkdir()
                done = write(
                    run_dir, "-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:{fault}:when={at}"
                )
                judge(run_dir, done, f"{name} number {at}, {fault}", killed="KILL" in fault)
                counts[f"{name} {fault.partition('=')[0]}"] += 1
                shutil.rmtree(run_dir)
        sys.stdout.write(f"\r{dict(counts)}")
        sys.stdout.flush()
    sys.stdout.write("\n")
    return counts


def judge(run_dir: Path, done: subprocess.CompletedProcess[str], what: str, *, killed: bool) -> None:
    """What was promised is there, what is there is whole, and the next life goes on."""
    said = [line.split() for line in done.stdout.splitlines()]
    check(killed or said[-1:] == [["done"]], f"{what}: the writer gave up: {done.stderr[-800:]}")
    records = read(run_dir)
    seqs = {record["seq"] for record in records}
    check(all(int(word[1]) in seqs for word in said if word[0] == "appended"), f"{what}: a record is lost")
    kept = {record["step"] for record in checkpoints.committed(records)}
    check(all(int(word[1]) in kept for word in said if word[0] == "committed"), f"{what}: a checkpoint is lost")
    if kept:
        record, tensors, _, problems = checkpoints.load_latest(run_dir, records)
        check(not problems, f"{what}: {problems}")
        check(bool((tensors["w"] == record["step"]).all()), f"{what}: other numbers than were saved")
    again = subprocess.run(
        [sys.executable, "-m", "tests.faults.writer", str(run_dir)], capture_output=True, text=True, check=False
    )
    check(again.stdout.endswith("done\n"), f"{what}: no next life: {again.stderr[-800:]}")
    tail = Tail(run_dir)
    check([r["seq"] for r in tail.poll()][: len(records)] == sorted(seqs), f"{what}: records changed")
    check(not tail.damage, f"{what}: damage at {tail.damage}")


def main() -> None:
    """Both, with counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="how many workers must die (100)")
    parser.add_argument("--every", type=int, default=1, help="inject one fault of so many (1: all)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="goodfit-faults-") as folder:
        root = Path(folder)
        sys.stdout.write(f"killing workers of runs of {EPOCHS} epochs\n")
        kills(root / "runs", asked.kills)
        if shutil.which("strace") is None:
            sys.stdout.write("strace is not here: faults of system calls are left out (apt install strace)\n")
            return
        sys.stdout.write("letting system calls fail\n")
        inject(root, asked.every)
    sys.stdout.write("nothing was lost\n")


if __name__ == "__main__":
    main()
