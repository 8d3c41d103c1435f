"""CPU time of augmentation as a share of a training step: `python -m bench.augment [--rounds N] [--write]`.

A small convolutional network on batches of 64 images, one thread. Each augmentation, and lists of them, are called by
turns with steps of a network without any; the share is the call's time, less that of scaling bytes to floats which any
step does, over the step's. Sessions with the two lists that there are goals for are held against one without as well.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from engine.train.build.augmentation import Augmenter
from engine.train.executors.executor import Executor, Rate
from engine.train.session import Session, open_session

RESULT = Path(__file__).parent / "results" / "augment.json"
SHAPES = ((1, 28, 28), (3, 32, 32))
ROWS, BATCH = 4000, 64
TURNED = ["RandomRotation", "RandomHorizontalFlip"]
NORMALIZE = "{type: Normalize, mean: [0.5], std: [0.25]}"
COLOURS = "{type: ColorJitter, brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.1}"
EVERY = [
    *TURNED,
    "RandomVerticalFlip",
    "RandomResizedCrop",
    "{type: RandomCrop, padding: 4}",
    "RandomErasing",
    NORMALIZE,
    "GaussianNoise",
    "Mixup",
]


@dataclass(frozen=True)
class Line:
    """A list of augmentations, and the largest share of a step that it may take."""

    title: str
    parts: list[str]
    goal: float | None = None


LINES = (
    Line("rotation and flip", TURNED, 0.02),
    Line("the whole list but ColorJitter", EVERY, 0.15),
    Line("RandomRotation", ["RandomRotation"]),
    Line("RandomRotation, bilinear", ["{type: RandomRotation, interpolation: bilinear}"]),
    Line("RandomHorizontalFlip", ["RandomHorizontalFlip"]),
    Line("RandomVerticalFlip", ["RandomVerticalFlip"]),
    Line("RandomResizedCrop", ["RandomResizedCrop"]),
    Line("RandomResizedCrop, nearest", ["{type: RandomResizedCrop, interpolation: nearest}"]),
    Line("RandomCrop", ["{type: RandomCrop, padding: 4}"]),
    Line("RandomErasing", ["RandomErasing"]),
    Line("Normalize", [NORMALIZE]),
    Line("GaussianNoise", ["GaussianNoise"]),
    Line("Mixup", ["Mixup"]),
    Line("ColorJitter", [COLOURS]),
)


def recipe(file: Path, parts: list[str]) -> str:
    """The network with a list of augmentations."""
    return f"""
data: {{source: {{type: NPZ, path: {file}}}, batch_size: {BATCH}, augment: [{", ".join(parts)}]}}
model:
  layers:
    - {{type: Conv2d, out_channels: 16, kernel_size: 3, padding: 1}}
    - ReLU
    - {{type: MaxPool2d, kernel_size: 2}}
    - {{type: Conv2d, out_channels: 32, kernel_size: 3, padding: 1}}
    - ReLU
    - {{type: MaxPool2d, kernel_size: 2}}
    - Flatten
    - {{type: Linear, out_features: outputs}}
optimizer: {{type: Adam, lr: 0.001}}
train: {{executor: autograd, threads: 1, device: cpu}}
"""


def seconds(work: Callable[[], object], times: int) -> float:
    """CPU time of one call, the mean of several."""
    begun = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - begun) / times


def measure(shape: tuple[int, int, int], folder: Path, rounds: int) -> dict[str, Any]:
    """Shares round by round, by the title of the list."""
    rng = np.random.default_rng(0)
    file = folder / f"{shape[1]}.npz"
    np.savez(file, x=rng.integers(0, 256, (ROWS, *shape), dtype=np.uint8), y=rng.integers(0, 10, ROWS))
    plain = open_session(recipe(file, []), folder)
    calls = {line.title: call_of(open_session(recipe(file, line.parts), folder)) for line in LINES}
    raw = torch.zeros((BATCH, *shape), dtype=torch.uint8)
    steps = {"": steps_of(plain)}
    for line in LINES:
        if line.goal is not None:
            steps[line.title] = steps_of(open_session(recipe(file, line.parts), folder))
    shares: dict[str, list[float]] = {title: [] for title in calls}
    felt: dict[str, list[float]] = {title: [] for title in steps if title}
    step_seconds: list[float] = []
    for round_ in range(rounds + 1):
        spent = {title: seconds(work, 8) for title, work in steps.items()}
        scaling = seconds(lambda: raw.float() * (1 / 255), 10)
        called = {title: seconds(call, 10) for title, call in calls.items()}
        if round_ == 0:  # tables are made, memory is taken
            continue
        step_seconds.append(spent[""])
        for title, each in called.items():
            shares[title].append((each - scaling) / spent[""])
        for title in felt:
            felt[title].append(spent[title] / spent[""] - 1)
    return {"step_ms": 1e3 * median(step_seconds), "shares": shares, "felt": felt}


def call_of(session: Session) -> Callable[[], object]:
    """Augments one batch, as a step does."""
    augmenter = Augmenter(session.recipe.data.augment, 0, "cpu")
    positions = torch.randperm(ROWS // 2)[:BATCH]
    raw = torch.from_numpy(np.asarray(session.prepared.train.x[:BATCH])).clone()
    return lambda: augmenter(raw, positions, 0, 0, lambda x: x.float() * (1 / 255))


def steps_of(session: Session) -> Callable[[], object]:
    """Runs a step of the executor, then the next one."""
    executor: Executor = session.executor
    executor.set(session.recipe)
    done = [0]

    def step() -> None:
        epoch, index = divmod(done[0], session.steps_per_epoch)
        executor.run(epoch, index, [Rate(0.001)])
        done[0] += 1

    return step


def lines(shape: tuple[int, int, int], found: dict[str, Any]) -> list[str]:
    """A Markdown table."""
    said = [f"### {' x '.join(map(str, shape))}, batch {BATCH}: a step takes {found['step_ms']:.1f} ms of CPU time", ""]
    said += ["| augmentation | share of a step, median [min-max] | steps with it, against without | goal |"]
    said += ["| --- | ---: | ---: | --- |"]
    for line in LINES:
        shares, goal = found["shares"][line.title], ""
        if line.goal is not None:
            goal = f"{line.goal:.0%}: {'reached' if median(shares) <= line.goal else 'missed'}"
        felt = found["felt"].get(line.title)
        said.append(f"| {line.title} | {spread(shares)} | {spread(felt) if felt else ''} | {goal} |")
    return [*said, ""]


def spread(shares: list[float]) -> str:
    """Median and range, in per cent."""
    return f"{median(shares):.1%} [{min(shares):.1%} to {max(shares):.1%}]"


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; the exit code says nothing about goals."""
    parser = argparse.ArgumentParser(prog="python -m bench.augment", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true", help=f"keep the results in {RESULT.parent.name}/{RESULT.name}")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    results = {}
    with tempfile.TemporaryDirectory(prefix="goodfit-augment-") as folder:
        for shape in SHAPES:
            found = measure(shape, Path(folder), asked.rounds)
            print("\n".join(lines(shape, found)), flush=True)
            results["x".join(map(str, shape))] = found
    if asked.write:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(rounded(results), indent=1) + "\n")
    return 0


def rounded(value: Any) -> Any:
    """Numbers with as many digits as they are worth."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else round(value, 4)


if __name__ == "__main__":
    raise SystemExit(main())
