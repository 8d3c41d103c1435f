"""Runs on image files: from a file as from memory, and stopped while they are decoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.runs.journal import read
from engine.train.feed import opening
from tests.engine.data.pictures import write_classes

TEXT = """
data: {source: {type: ImageFolder, path: pets, size: 12, channels: 1}, batch_size: 16}
model: {layers: [{type: Conv2d, out_channels: 4, kernel_size: 3}, ReLU, Flatten, {type: Linear, out_features: outputs}]}
optimizer: Adam
train: {epochs: 2}
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOODFIT_CACHE", str(tmp_path / "cache"))


def test_a_file_trains_as_memory_does(
    train: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_classes(tmp_path / "pets", {"cat": 40, "dog": 40})
    found = {}
    for free in (None, 0):
        monkeypatch.setattr(opening, "free_memory", lambda free=free: free)
        trained = train(TEXT)
        kind = trained.session.executor._feed.kind
        found[kind] = (trained.losses, [record.digest for record in trained.of("epoch")])
    assert found["resident"] == found["mapped"]
    assert len(found["mapped"][1]) == 2


def test_a_stop_while_images_are_decoded(nursery: Any, tmp_path: Path) -> None:
    import sys

    support = sys.modules[type(nursery).__module__]
    slope = np.add.outer(np.arange(1400), np.arange(1400)) // 11 % 256
    Image.fromarray(slope.astype(np.uint8)).save(tmp_path / "slow.png")
    content = (tmp_path / "slow.png").read_bytes()
    for number in range(120):
        path = tmp_path / "pets" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content + b"%d" % number)  # what follows the image is nobody's, but makes each file another
    run_dir = nursery.create(TEXT)
    process = nursery.start(run_dir)
    support.await_record(run_dir, lambda r: r.get("stage") == "decoding" and r["done"] >= 3)
    process.terminate()
    assert nursery.finish(run_dir, process)["reason"] == "preempted"
    last = max(r["done"] for r in read(run_dir) if r.get("stage") == "decoding")
    assert last < 120
    again = nursery.start(run_dir)
    assert support.await_record(run_dir, lambda r: r["type"] == "finished", life=2)["reason"] == "completed"
    again.join(30)
    second = [r for r in read(run_dir) if r["life"] == 2]
    assert min(r["done"] for r in second if r.get("stage") == "decoding") > last
    assert [r["rows"]["train"] for r in second if r["type"] == "data"] == [84]
