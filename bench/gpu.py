"""`python -m bench.gpu`: one CUDA GPU. A plain loop, the autograd and the graph executor, one model and a hundred, and
the floor: the matrix products alone, in a graph.

Everything is timed by the wall clock between two synchronisations, in turn, several rounds, medians. Without a CUDA GPU
it says so and ends. `--dry` runs every piece once on the CPU with next to no data: to see that they all still work.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read by CUDA once, before its first use

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from engine.train.executors.executor import Rate
from engine.train.session import Session, open_session

MLP = """\
    - Flatten
    - {type: Linear, out_features: 256}
    - ReLU
    - {type: Dropout, p: 0.2}
    - {type: Linear, out_features: 128}
    - ReLU
    - {type: Dropout, p: 0.2}
    - {type: Linear, out_features: outputs}
"""
CNN = """\
    - {type: Conv2d, out_channels: 16, kernel_size: 3, padding: 1}
    - ReLU
    - {type: MaxPool2d, kernel_size: 2}
    - {type: Conv2d, out_channels: 32, kernel_size: 3, padding: 1}
    - ReLU
    - {type: MaxPool2d, kernel_size: 2}
    - Flatten
    - {type: Linear, out_features: 64}
    - ReLU
    - {type: Linear, out_features: outputs}
"""
RECIPE = """\
seed: 1
data: {{source: {{type: NPZ, path: {path}}}, batch_size: {batch}, reshape: [1, 28, 28]}}
model:
  layers:
{layers}
optimizer: {{type: Adam, lr: 1e-3}}
train: {{epochs: 1, executor: {executor}}}
"""
RATE = Rate(1e-3)


@dataclass(frozen=True)
class Case:
    """A network and a batch size."""

    name: str
    layers: str
    batch: int
    rows: int
    steps: int
    """In one timing; an epoch at most."""


CASES = (
    Case("MLP 784-256-128-10, batch 64", MLP, 64, 60_000, 800),
    Case("MLP 784-256-128-10, batch 1024", MLP, 1024, 60_000, 56),
    Case("CNN 16-32-64, batch 64", CNN, 64, 20_000, 300),
    Case("CNN 16-32-64, batch 1024", CNN, 1024, 20_000, 18),
)
Timed = Callable[[], float]
"""Milliseconds a step of one timing."""


class Contenders:
    """What is timed of a case, by name. Each is built when it is first asked for."""

    def __init__(self, case: Case, folder: Path, device: torch.device) -> None:
        self.case, self.folder, self.device = case, folder, device
        self.path = folder / f"{case.rows}.npz"
        if not self.path.exists():
            make_images(self.path, case.rows)
        held = np.load(self.path)
        self.x, self.y = torch.from_numpy(held["x_train"]), torch.from_numpy(held["y_train"])

    def all(self) -> Iterator[tuple[str, Callable[[], Timed]]]:
        """Names, and what builds them."""
        yield "plain loop", self.plain
        yield "resident tensors, fused", self.resident
        yield "goodfit autograd", lambda: self.goodfit("autograd")
        yield "goodfit graph", lambda: self.goodfit("graph")
        yield "floor", self.floor

    def network(self) -> nn.Module:
        """The network as anybody would write it."""
        torch.manual_seed(1)
        if self.case.layers is MLP:
            layers = [nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 128), nn.ReLU()]
            return nn.Sequential(*layers, nn.Dropout(0.2), nn.Linear(128, 10)).to(self.device)
        first = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        second = [nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        head = [nn.Flatten(), nn.Linear(32 * 49, 64), nn.ReLU(), nn.Linear(64, 10)]
        return nn.Sequential(*first, *second, *head).to(self.device)

    def plain(self) -> Timed:
        """DataLoader, `.to`, default Adam, `.item()` in every step."""
        model, loss_of = self.network(), nn.CrossEntropyLoss()
        optimizer = torch.optim.Adam(model.parameters())
        data = TensorDataset(self.x.unsqueeze(1).float() / 255, self.y)
        pin = self.device.type == "cuda"
        loader = DataLoader(data, batch_size=self.case.batch, shuffle=True, pin_memory=pin)

        def run() -> None:
            total = 0.0
            for number, (x, y) in enumerate(loader):
                if number == self.case.steps:
                    break
                x, y = x.to(self.device, non_blocking=pin), y.to(self.device, non_blocking=pin)
                optimizer.zero_grad()
                loss = loss_of(model(x), y)
                loss.backward()
                optimizer.step()
                total += loss.item()

        return self.timer(run)

    def resident(self) -> Timed:
        """The data on the device, fused Adam, one look at the losses at the end: what a careful person writes."""
        model, loss_of = self.network(), nn.CrossEntropyLoss()
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        x, y = (self.x.unsqueeze(1).to(self.device), self.y.to(self.device))

        def run() -> None:
            order = torch.randperm(len(x), device=self.device)
            losses = []
            for number in range(self.case.steps):
                here = order[number * self.case.batch : (number + 1) * self.case.batch]
                loss = loss_of(model(x[here].float() / 255), y[here])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            torch.stack(losses).cpu()

        return self.timer(run)

    def session(self, executor: str) -> Session:
        """A session of goodfit on the same data."""
        # no executor by name where the recipe's has to be a GPU: a dry run looks at the same step uncaptured
        name = executor if self.device.type == "cuda" or executor != "graph" else "autograd"
        text = RECIPE.format(path=self.path, batch=self.case.batch, layers=self.case.layers, executor=name)
        session = open_session(text, self.folder, device=str(self.device))
        if name != executor:
            from engine.train.executors.graph.executor import GraphExecutor

            feed = session.executor._feed  # type: ignore[attr-defined]
            choice = session.choice
            session.executor = GraphExecutor(
                session.recipe,
                session.prepared,
                feed,
                device=self.device,
                kernel=choice.optimizer_kernel,
                memory_format=choice.memory_format,
            )
        return session

    def goodfit(self, executor: str) -> Timed:
        """An executor as the loop calls it: chunks of some 20 ms."""
        session = self.session(executor)
        chunk = max(1, min(200, self.case.steps // 4))
        epoch = iter(range(1_000_000))

        def run() -> None:
            now = next(epoch)
            for start in range(0, self.case.steps, chunk):
                count = min(chunk, self.case.steps - start)
                session.executor.mark()
                ran = session.executor.run(now, start, [RATE] * count)
                session.executor.finite(ran.losses)

        return self.timer(run)

    def floor(self) -> Timed:
        """The matrix products of a step, forward and backward, of these shapes, in one graph."""
        products = products_of(self.network(), self.case, self.device)

        def work() -> None:
            for product in products:
                product()

        step = captured(work, self.device, times=10)

        def run() -> None:
            for _ in range(max(1, self.case.steps // 10)):
                step()

        return self.timer(run, steps=10 * max(1, self.case.steps // 10))

    def timer(self, run: Callable[[], None], steps: int | None = None) -> Timed:
        """Milliseconds a step of `run`, after one go to warm up."""
        run()

        def timed() -> float:
            synchronize(self.device)
            began = time.perf_counter()
            run()
            synchronize(self.device)
            return 1000 * (time.perf_counter() - began) / (steps or self.case.steps)

        return timed


def products_of(model: nn.Module, case: Case, device: torch.device) -> list[Callable[[], Any]]:
    """What a step multiplies: for each weight the output, its own gradient, and that of its input but for the first."""
    products: list[Callable[[], Any]] = []
    x = torch.rand(case.batch, 1, 28, 28, device=device)
    model.eval()
    with torch.no_grad():
        for layer in model.children():
            y = layer(x)
            if isinstance(layer, nn.Linear | nn.Conv2d):
                products += products_of_layer(layer, x, torch.rand_like(y), first=not products)
            x = y
    return products


def products_of_layer(layer: nn.Module, x: torch.Tensor, g: torch.Tensor, first: bool) -> list[Callable[[], Any]]:
    """The two or three of one layer, input x and output gradient g."""
    assert isinstance(layer, nn.Linear | nn.Conv2d)
    weight = layer.weight.detach()
    if isinstance(layer, nn.Linear):
        found = [lambda: x @ weight.T, lambda: g.T @ x]
        return found if first else [*found, lambda: g @ weight]
    mask = [not first, True, False]
    backward = torch.ops.aten.convolution_backward

    def gradients() -> Any:
        return backward(g, x, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, mask)

    return [lambda: nn.functional.conv2d(x, weight, padding=1), gradients]


def captured(work: Callable[[], None], device: torch.device, times: int) -> Callable[[], None]:
    """`work` so many times in one graph; on a CPU simply so many times."""

    def steps() -> None:
        for _ in range(times):
            work()

    if device.type != "cuda":
        return steps
    from engine.train.executors.graph.capture import CudaRecorder

    recorder = CudaRecorder(device)
    with torch.no_grad():
        for _ in range(3):
            recorder.warm(work)
        return recorder.record(steps)


def hundred_models(case: Case, folder: Path, device: torch.device, models: int) -> Callable[[], float]:
    """Milliseconds a step of so many models in one stack."""
    from engine.train.executors.dense.stack import DenseStack

    contenders = Contenders(case, folder, device)
    session = contenders.session("autograd")
    recipes = [
        session.recipe.model_copy(
            update={"optimizer": session.recipe.optimizer.model_copy(update={"lr": 1e-3 * (1 + number / models)})}
        )
        for number in range(models)
    ]
    stack = DenseStack(recipes, session.prepared, session.executor._feed, device=device)  # type: ignore[attr-defined]
    chunk = max(1, min(50, case.steps // 4))

    def run() -> None:
        for start in range(0, case.steps, chunk):
            count = min(chunk, case.steps - start)
            stack.run(0, start, [[RATE] * models] * count)

    return contenders.timer(run)


def agreement(case: Case, folder: Path, device: torch.device) -> float:
    """Largest relative difference of the losses of an epoch's steps between the graph and the autograd executor."""
    contenders = Contenders(case, folder, device)
    losses = []
    for name in ("autograd", "graph"):
        session = contenders.session(name)
        torch.manual_seed(3)
        losses.append(session.executor.run(0, 0, [RATE] * case.steps).losses)
    return float(np.abs(losses[1] / losses[0] - 1).max())


def make_images(path: Path, rows: int) -> None:
    """Uint8 images of ten classes, noise over a pattern each."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 160, (10, 28, 28))

    def part(count: int) -> tuple[Any, Any]:
        y = rng.integers(0, 10, count)
        return (patterns[y] + rng.integers(0, 96, (count, 28, 28))).astype(np.uint8), y.astype(np.int64)

    held = {}
    for name, count in (("train", rows), ("val", 64), ("test", 64)):
        held[f"x_{name}"], held[f"y_{name}"] = part(count)
    np.savez(path, **held)


def synchronize(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(cases: list[Case], device: torch.device, rounds: int, models: int) -> Iterator[dict[str, Any]]:
    """A row a contender of each case."""
    with tempfile.TemporaryDirectory(prefix="goodfit-gpu-") as folder:
        for case in cases:
            built: dict[str, Timed] = {}
            for name, build in Contenders(case, Path(folder), device).all():
                try:
                    built[name] = build()
                except Exception as error:
                    yield {"case": case.name, "contender": name, "error": f"{type(error).__name__}: {error}"}
            stacked = {f"stack of {count}": count for count in ((1, models) if case.layers is MLP else ())}
            for name, count in stacked.items():
                try:
                    built[name] = hundred_models(case, Path(folder), device, count)
                except Exception as error:
                    yield {"case": case.name, "contender": name, "error": f"{type(error).__name__}: {error}"}
            times: dict[str, list[float]] = {name: [] for name in built}
            for _ in range(rounds):
                for name, timed in built.items():
                    times[name].append(timed())
            for name, values in times.items():
                row = {"case": case.name, "contender": name, "ms": statistics.median(values)}
                row |= {"least": min(values), "most": max(values), "rounds": rounds, "steps": case.steps}
                if "plain loop" in times:
                    row["times_plain"] = statistics.median(
                        plain / own for plain, own in zip(times["plain loop"], values, strict=True)
                    )
                if "floor" in times:
                    row["of_floor"] = statistics.median(
                        floor / own for floor, own in zip(times["floor"], values, strict=True)
                    )
                yield row
            yield {
                "case": case.name,
                "contender": "graph against autograd",
                "apart": agreement(case, Path(folder), device),
            }


def shown(row: dict[str, Any]) -> str:
    """A line of the table."""
    head = f"{row['case']:32} {row['contender']:26}"
    if "error" in row:
        return f"{head} failed: {' '.join(row['error'].split())[:120]}"
    if "apart" in row:
        return f"{head} losses at most {row['apart']:.1e} apart"
    line = f"{head} {row['ms']:9.4f} ms a step [{row['least']:.4f}-{row['most']:.4f}]"
    if "times_plain" in row:
        line += f"  {row['times_plain']:6.2f} x plain"
    return line + (f"  {row['of_floor']:5.0%} of the floor's speed" if "of_floor" in row else "")


def main(arguments: list[str]) -> int:
    """Measure and print; 0 also where there is nothing to measure on."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--json", type=Path, help="keep the rows in this file too")
    parser.add_argument("--dry", action="store_true", help="everything once on the CPU, with next to no data")
    asked = parser.parse_args(arguments)
    if not torch.cuda.is_available() and not asked.dry:
        print("no CUDA GPU here: nothing to measure")
        return 0
    device = torch.device("cpu" if asked.dry else "cuda:0")
    cases = [case for case in CASES if asked.only in case.name]
    if asked.dry:
        cases = [replace(case, batch=16, rows=160, steps=10) for case in cases if case.batch == 64]
    if device.type == "cuda":
        print(f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}, CUDA {torch.version.cuda}")
    rows = []
    for row in measure(cases, device, 1 if asked.dry else asked.rounds, 3 if asked.dry else asked.models):
        print(shown(row), flush=True)
        rows.append(row)
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
