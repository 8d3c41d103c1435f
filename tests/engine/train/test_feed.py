"""Feeds: the same order and the same bits, wherever the rows are gathered."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.data.prepared import Part, Prepared
from engine.data.samples import Mapped
from engine.train.feed import opening
from engine.train.feed.feed import Batch, Feed
from engine.train.feed.loader import LoaderFeed
from engine.train.feed.mapped import MappedFeed
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


def on_disk(folder: Path, x: np.ndarray[Any, Any], index: np.ndarray[Any, Any]) -> Mapped:
    file = folder / "pixels"
    file.write_bytes(np.ascontiguousarray(x).tobytes())
    return Mapped(file, len(x), x.shape[1:], x.dtype, index)


def batches(feed: Feed, epoch: int, steps: int) -> list[tuple[bytes, ...]]:
    found = []
    for index in range(steps):
        batch = feed.batch(epoch, index)
        assert torch.equal(batch.positions, torch.from_numpy(feed.positions(epoch, index).copy()))
        assert batch.x.is_contiguous() and batch.x.data_ptr() % 64 == 0
        found.append(plain(batch))
    # and the same of several at once, wherever the first of them is
    for first in range(0, steps, max(1, steps // 3)):
        count = min(5, steps - first)
        assert [plain(batch) for batch in feed.batches(epoch, first, count)] == found[first : first + count]
    return found


def plain(batch: Batch) -> tuple[bytes, ...]:
    return (*(t.numpy().tobytes() for t in (batch.x, batch.y, batch.positions)), str(batch.x.shape).encode())


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**62), st.integers(1, 40), st.booleans(), st.booleans(), st.integers(0, 5), st.booleans())
def test_every_feed_gives_the_same_batches(
    tmp_path: Path, seed: int, size: int, shuffle: bool, drop_last: bool, epoch: int, wide: bool
) -> None:
    rng = np.random.default_rng(seed % 1000)
    stored = rng.integers(0, 256, (37, 2, 3, 3), dtype=np.uint8)
    index = rng.permutation(37)[:29]
    y = rng.normal(size=(29, 2)).astype(np.float32) if wide else rng.integers(0, 4, 29)
    plain, filed = (Part(x, y, index) for x in (stored[index], on_disk(tmp_path, stored, index)))
    settings_ = {"seed": seed, "batch_size": size, "shuffle": shuffle, "device": CPU}
    steps = steps_per_epoch(29, size, drop_last)
    expected = batches(ResidentFeed(plain, home=CPU, **settings_), epoch, steps)
    assert len(expected) == steps
    for feed in (ResidentFeed(filed, home=CPU, **settings_), *(MappedFeed(p, **settings_) for p in (plain, filed))):
        assert batches(feed, epoch, steps) == expected
        assert batches(feed, epoch, steps)[::-1] == expected[::-1]


def test_workers_read_a_file_by_themselves(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (30, 1, 4, 4), dtype=np.uint8)
    part = Part(on_disk(tmp_path, stored, np.arange(29, -1, -1)), np.arange(30), np.arange(30))
    loader = LoaderFeed(
        part, seed=1, batch_size=7, shuffle=True, drop_last=True, device=CPU, workers=1, pin_memory=False
    )
    try:
        expected = batches(ResidentFeed(part, seed=1, batch_size=7, shuffle=True, device=CPU, home=CPU), 2, 4)
        assert batches(loader, 2, 4) == expected
    finally:
        loader.close()


@pytest.fixture
def opened(part: Part, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`opened(free, **broken)`: the feed of a small recipe where so much memory is free."""
    from engine.parts import catalog
    from engine.recipe.document import Document
    from engine.recipe.resolve import recipe_of

    catalog.load()
    text = "{data: {source: {type: Builtin, name: iris}}, model: {layers: [ReLU]}, optimizer: Adam}"
    recipe = recipe_of(Document.from_text(text))

    def open_with(free: int | None) -> Feed:
        monkeypatch.setattr(opening, "free_memory", lambda: free)
        return opening.open_feed(recipe, Prepared(part, part, None, None, None, None), CPU)  # type: ignore[arg-type]

    return open_with


def test_half_of_the_free_memory_is_the_most_that_is_taken(opened: Any, part: Part) -> None:
    needed = part.x.nbytes + part.y.nbytes
    expected = batches(opened(None), 3, 1)
    for free, kind in ((2 * needed, "resident"), (2 * needed - 1, "mapped"), (0, "mapped")):
        feed = opened(free)
        assert (feed.kind, batches(feed, 3, 1)) == (kind, expected)
        assert feed.reason


@pytest.mark.parametrize("where", ["resident", "batch"])
@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 3 GiB")])
def test_no_room_after_all_leaves_the_rows_where_they_are(
    where: str, error: Exception, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise error

    expected = batches(opened(None), 0, 1)
    if where == "resident":
        monkeypatch.setattr("engine.train.feed.resident.resident", fail)
    else:
        monkeypatch.setattr(ResidentFeed, "batch", fail)
    feed = opened(1 << 40)
    assert (feed.kind, batches(feed, 0, 1)) == ("mapped", expected)
    assert "ran out" in feed.reason


def test_other_errors_are_told(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("device-side assert")

    monkeypatch.setattr(ResidentFeed, "batch", fail)
    with pytest.raises(RuntimeError, match="assert"):
        opened(1 << 40)


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
