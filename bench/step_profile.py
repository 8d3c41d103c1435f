"""CPU time of one training step: `python -m bench.step_profile [WORK...] [--rounds N] [--calls]`.

Held against each other, turn by turn in one process and on one thread: the plain PyTorch loop, goodfit's executors, and
the floor, which is the step's matrix products alone. `--calls` lists what the calls of a dense step take one by one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from engine.train.executors.executor import Rate
from engine.train.session import Session, open_session


@dataclass(frozen=True)
class Work:
    """A network and the rows that it learns from."""

    features: int
    widths: tuple[int, ...]
    classes: int
    batch: int
    rows: int
    dropout: float = 0.0
    image: bool = False


WORKS = {
    "tabular_b32": Work(30, (64, 32), 2, 32, 20_000),
    "tabular_b256": Work(30, (64, 32), 2, 256, 20_000),
    "digits": Work(64, (64,), 10, 32, 1_400),
    "images_b64": Work(784, (256, 128), 10, 64, 6_000, dropout=0.2, image=True),
}


def recipe(work: Work, file: Path, executor: str) -> str:
    """The work as a recipe."""
    layers = ["Flatten"] if work.image else []
    for width in work.widths:
        layers += [f"{{type: Linear, out_features: {width}}}", "ReLU"]
        layers += [f"{{type: Dropout, p: {work.dropout}}}"] if work.dropout else []
    return f"""
data: {{source: {{type: NPZ, path: {file}}}, batch_size: {work.batch}}}
model: {{layers: [{", ".join(layers)}, {{type: Linear, out_features: outputs}}]}}
optimizer: {{type: Adam, lr: 0.001}}
train: {{executor: {executor}, threads: 1, device: cpu}}
"""


def write(work: Work, file: Path) -> None:
    """Random rows."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, work.classes, work.rows) if work.classes > 2 else rng.integers(0, 3, work.rows)
    shape = (work.rows, 28, 28) if work.image else (work.rows, work.features)
    x = rng.integers(0, 256, shape, dtype=np.uint8) if work.image else rng.normal(size=shape).astype(np.float32)
    np.savez(file, x=x, y=y)


def of_executor(session: Session, index: list[int]) -> Callable[[int], None]:
    """Runs so many steps as the loop would."""
    executor = session.executor
    executor.set(session.recipe)

    def run(count: int) -> None:
        while count:
            here = min(count, session.steps_per_epoch - index[1])
            executor.mark()
            assert executor.finite(executor.run(index[0], index[1], [Rate(0.001)] * here).losses)
            index[1] += here
            count -= here
            if index[1] == session.steps_per_epoch:
                index[0], index[1] = index[0] + 1, 0

    return run


def network(work: Work, outputs: int) -> nn.Sequential:
    """The network as a person would write it."""
    layers: list[nn.Module] = []
    before = work.features
    for width in work.widths:
        layers += [nn.Linear(before, width), nn.ReLU()] + ([nn.Dropout(work.dropout)] if work.dropout else [])
        before = width
    return nn.Sequential(*layers, nn.Linear(before, outputs))


def plain(work: Work, session: Session) -> Callable[[int], None]:
    """The textbook's loop."""
    data = session.prepared.train
    x = torch.tensor(np.asarray(data.x)).float().view(len(data.rows), -1)
    loader = DataLoader(TensorDataset(x, torch.tensor(data.y)), batch_size=work.batch, shuffle=True)
    model = network(work, session.prepared.facts.outputs)
    optimizer, criterion = torch.optim.Adam(model.parameters(), lr=0.001), nn.CrossEntropyLoss()

    def batches() -> Iterator[Any]:
        while True:
            yield from loader

    stream = batches()

    def run(count: int) -> None:
        total = 0.0
        for _ in range(count):
            rows, targets = next(stream)
            optimizer.zero_grad()
            loss = criterion(model(rows), targets)
            loss.backward()
            optimizer.step()
            total += loss.item()

    return run


def floor(work: Work, outputs: int) -> Callable[[int], None]:
    """The matrix products of a step and nothing else."""
    sizes = [work.features, *work.widths, outputs]
    calls: list[tuple[Any, Any, Any]] = []
    with torch.inference_mode():
        for number, (before, after) in enumerate(pairwise(sizes)):
            x, w, slope = torch.randn(before, work.batch), torch.randn(after, before), torch.randn(after, work.batch)
            calls.append((w, x, torch.empty(after, work.batch)))
            calls.append((slope, x.t(), torch.empty(after, before)))
            if number:
                calls.append((w.t(), slope, torch.empty(before, work.batch)))

    def run(count: int) -> None:
        with torch.inference_mode():
            for _ in range(count):
                for a, b, out in calls:
                    torch.mm(a, b, out=out)

    return run


def measure(work: Work, rounds: int) -> dict[str, list[float]]:
    """Microseconds of CPU time a step, round by round."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.npz"
        write(work, file)
        sessions = {name: open_session(recipe(work, file, name), Path(folder)) for name in ("autograd", "dense")}
    torch.set_num_threads(1)
    runs = {"plain": plain(work, sessions["dense"]), "floor": floor(work, sessions["dense"].prepared.facts.outputs)}
    runs |= {name: of_executor(session, [0, 0]) for name, session in sessions.items()}
    counts = {name: 300 if name in ("dense", "floor") else 60 for name in runs}
    if work.image:
        counts = {name: count // 3 for name, count in counts.items()}
    found: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            began = time.process_time()
            run(counts[name])
            if number:
                found[name].append((time.process_time() - began) / counts[name] * 1e6)
    return found


def calls(work: Work) -> None:
    """What each call of a dense step takes, run over and over by itself."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.npz"
        write(work, file)
        session = open_session(recipe(work, file, "dense"), Path(folder))
    torch.set_num_threads(1)
    executor: Any = session.executor
    executor.run(0, 0, [Rate(0.001)] * 2)
    stack = executor._stack
    with torch.inference_mode():
        program = next(iter(stack._programs.values()))
        stack._update.begin(1)
        listed = [*(program.calls[0] or []), lambda: stack._update.step(0, (Rate(0.001),))]
        for call in listed:
            best = []
            for _ in range(7):
                began = time.process_time()
                for _ in range(300):
                    call()
                best.append((time.process_time() - began) / 300 * 1e6)
            arguments = [tuple(a.shape) for a in getattr(call, "args", ()) if isinstance(a, torch.Tensor)]
            function = getattr(call, "func", call)
            print(f"  {getattr(function, '__name__', '') or 'backward':28} {min(best):8.2f} us  {arguments}")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", nargs="*", default=list(WORKS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", action="store_true")
    options = parser.parse_args()
    for name in options.work:
        found = measure(WORKS[name], options.rounds)
        middle = {way: median(values) for way, values in found.items()}
        ratios = {
            way: median(a / b for a, b in zip(found["plain"], values, strict=True)) for way, values in found.items()
        }
        shown = "  ".join(f"{way} {middle[way]:.1f} us ({ratios[way]:.1f}x)" for way in found)
        print(f"{name:14} {shown}")
        if options.calls:
            calls(WORKS[name])


if __name__ == "__main__":
    main()
