"""Processes that may not have as much memory as they ask for, by the kernel's own word."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.runs.journal import read

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, and a limit that holds")

LIMIT = """
import re, resource, sys
from pathlib import Path
def allow(more):
    taken = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10
    resource.setrlimit(resource.RLIMIT_AS, (taken + more, resource.RLIM_INFINITY))
"""

FEED = """
import json
import numpy as np
import torch
from engine.data.prepared import Part, Prepared
from engine.parts import catalog
from engine.recipe.document import Document
from engine.recipe.resolve import recipe_of
from engine.train.feed.opening import open_feed
catalog.load()
text = "{data: {source: {type: Builtin, name: iris}}, model: {layers: [ReLU]}, optimizer: Adam}"
recipe = recipe_of(Document.from_text(text))
rows = 50_000
x = np.random.default_rng(0).integers(0, 256, (rows, 2048), dtype=np.uint8)
part = Part(x, np.zeros(rows, np.int64), np.arange(rows))
found = []
for more in (1 << 40, x.nbytes // 2):
    allow(more)
    feed = open_feed(recipe, Prepared(part, part, None, None, None, None), torch.device("cpu"))
    sums = [int(feed.batch(1, index).x.sum()) for index in range(40)]
    found.append([feed.kind, feed.reason, sums])
    feed = None
print(json.dumps(found))
"""

LIFE = """
import torch
from engine.train import life, session
import engine.train.executors.autograd, engine.train.telemetry, engine.train.refusals, polars
torch.set_num_threads(1)
torch.nn.functional.conv2d(torch.ones(2, 3, 8, 8), torch.ones(4, 3, 3, 3))
allow(700 << 20)
print(life.live(Path(sys.argv[1])))
"""


def run(program: str, *arguments: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", LIMIT + program, *arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_rows_that_do_not_fit_stay_where_they_are() -> None:
    (kind, _, sums), (limited, reason, same) = json.loads(run(FEED)[0])
    assert (kind, limited) == ("resident", "mapped")
    assert sums == same and "ran out" in reason


CONV = "{type: Conv2d, out_channels: 64, kernel_size: 3}, ReLU, Flatten"
WIDE = "Flatten, {type: Linear, out_features: 200000}"


@pytest.mark.parametrize(
    ("layers", "step", "log", "advice"),
    [
        (CONV, 0, "gathered from where they lie from now on", "fork with --set data.batch_size=2000"),
        (WIDE, None, "", "try a smaller network, or train.device: cpu"),
    ],
)
def test_a_run_that_does_not_fit_ends_with_what_to_do(
    layers: str, step: int | None, log: str, advice: str, nursery: Any, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", x=rng.integers(0, 256, (7000, 3, 32, 32), dtype=np.uint8), y=rng.integers(0, 2, 7000))
    run_dir = nursery.create(f"""
data: {{source: {{type: NPZ, path: {tmp_path / "x.npz"}}}, batch_size: 4000}}
model: {{layers: [{layers}, {{type: Linear, out_features: outputs}}]}}
optimizer: SGD
train: {{epochs: 1, device: cpu, threads: 1}}
""")
    out, err = run(LIFE, str(run_dir))
    finished = read(run_dir)[-1]
    assert (out.strip(), finished["reason"], finished.get("step")) == ("out_of_memory", "out_of_memory", step)
    assert finished["message"].startswith("the memory ran out: ") and finished["message"].endswith(advice)
    assert log in err
