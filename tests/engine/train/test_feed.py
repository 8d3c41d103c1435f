"""Feeds: the same order and the same bits, wherever the rows are gathered."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.data.prepared import Part
from engine.train.feed.loader import LoaderFeed
from engine.train.feed.order import order, steps_per_epoch
from engine.train.feed.resident import ResidentFeed

CPU = torch.device("cpu")


@given(st.integers(0, 2**32), st.integers(0, 1000), st.integers(1, 200))
def test_an_epoch_visits_every_row_once(seed: int, epoch: int, rows: int) -> None:
    visited = order(seed, epoch, rows)
    assert sorted(visited.tolist()) == list(range(rows))
    assert np.array_equal(visited, np.random.default_rng([seed, epoch]).permutation(rows))
    assert np.array_equal(order(seed, epoch, rows, shuffle=False), np.arange(rows))


@given(st.integers(1, 500), st.integers(1, 80))
def test_steps_per_epoch(rows: int, size: int) -> None:
    starts = list(range(0, rows, size))
    assert steps_per_epoch(rows, size, False) == len(starts)
    assert steps_per_epoch(rows, size, True) == sum(start + size <= rows for start in starts)


@pytest.fixture
def part() -> Part:
    rng = np.random.default_rng(5)
    return Part(rng.normal(size=(23, 3)).astype(np.float32), rng.integers(0, 4, 23), np.arange(100, 123))


def test_the_loader_gives_what_the_resident_feed_gives(part: Part) -> None:
    resident = ResidentFeed(part, seed=8, batch_size=5, shuffle=True, device=CPU, home=CPU)
    loader = LoaderFeed(
        part, seed=8, batch_size=5, shuffle=True, drop_last=False, device=CPU, workers=2, pin_memory=True
    )
    generator = torch.get_rng_state()
    try:
        # in order, then back to the start of a chunk, then into the middle of another epoch
        for epoch, index in [(0, 0), (0, 1), (0, 2), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (1, 1), (7, 3), (7, 4)]:
            a, b = resident.batch(epoch, index), loader.batch(epoch, index)
            assert torch.equal(a.x, b.x) and torch.equal(a.y, b.y) and torch.equal(a.positions, b.positions)
            assert np.array_equal(resident.positions(epoch, index), loader.positions(epoch, index))
        assert len(b.y) == 3
    finally:
        loader.close()
    assert torch.equal(torch.get_rng_state(), generator)


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_run_with_loader_workers_has_the_same_bits_and_leaves_none_behind(
    nursery: Any, request: pytest.FixtureRequest
) -> None:
    import sys

    from engine.runs.journal import read

    support = sys.modules[type(nursery).__module__]
    text = support.DIGITS
    loaded = text.replace("batch_size: 32", "batch_size: 32\n  num_workers: 1")
    resident = nursery.train(text)
    run_dir = nursery.create(loaded.replace("epochs: 3", "epochs: 100000"))
    process = nursery.start(run_dir)
    support.await_record(run_dir, lambda r: r.get("epoch") == 4)
    digests = [[r["digest"] for r in read(run) if r["type"] == "epoch"][:3] for run in (resident, run_dir)]
    assert digests[0] == digests[1] and len(digests[0]) == 3
    loaders = [pid for pid in children(process.pid) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(loaders) == 1
    process.kill()
    process.join()
    deadline = time.monotonic() + 5
    while any(alive(pid) for pid in loaders) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(alive(pid) for pid in loaders)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    except (OSError, FileNotFoundError):
        return False
