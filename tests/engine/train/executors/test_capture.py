"""The order of calls into CUDA when steps are recorded, with torch.cuda stood in for; and what a plan makes of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.errors import UserError
from engine.train.executors import choice as executors
from engine.train.executors.graph.capture import Captures, CudaRecorder
from engine.train.session import open_session

IRIS = """
seed: 1
data: {source: {type: Builtin, name: iris}, batch_size: 16}
model: {layers: [{type: Linear, out_features: 4}, Tanh, {type: Linear, out_features: outputs}]}
optimizer: Adam
train: {epochs: 1}
"""


@pytest.fixture
def calls(monkeypatch: Any) -> list[str]:
    """What is asked of CUDA, in order."""
    said: list[str] = []
    current = ["default"]

    class Stream:
        def __init__(self, device: Any, name: str = "side") -> None:
            self.name = name

        def wait_stream(self, other: Any) -> None:
            said.append(f"{self.name} waits for {other.name}")

    class CUDAGraph:
        def replay(self) -> None:
            said.append("replay")

    @contextlib.contextmanager
    def stream(which: Any) -> Iterator[None]:
        before, current[0] = current[0], which.name
        yield
        current[0] = before

    @contextlib.contextmanager
    def graph(graph: Any, pool: Any, stream: Any) -> Iterator[None]:
        said.append(f"capture on {stream.name} into {pool}")
        current[0] = stream.name
        yield  # as torch's, which leaves its stream in place after an error
        current[0] = "default"

    pools = iter(range(100))
    for name, value in {
        "Stream": Stream,
        "CUDAGraph": CUDAGraph,
        "stream": stream,
        "graph": graph,
        "graph_pool_handle": lambda: f"pool {next(pools)}",
        "current_stream": lambda device: Stream(device, current[0]),
        "set_stream": lambda stream: (said.append(f"back to {stream.name}"), current.__setitem__(0, stream.name)),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(Captures, "on", lambda self: current[0], raising=False)
    return said


def test_steps_warm_up_and_are_recorded_on_one_stream_into_one_pool(calls: list[str]) -> None:
    captures = Captures(CudaRecorder(torch.device("cuda:0")))
    assert captures.cold
    captures.settle((1, 2))
    captures.warm(16, lambda: calls.append(f"step on {captures.on()}"))  # type: ignore[attr-defined]
    captures.warm(16, lambda: calls.append("never"))
    assert calls == ["side waits for default", "step on side", "default waits for side"] * 3
    calls.clear()
    captures.record(8, 16, lambda: calls.append("steps"))
    captures.record(1, 16, lambda: calls.append("step"))
    assert calls == [
        "capture on side into pool 0", "steps", "back to default",
        "capture on side into pool 0", "step", "back to default",
    ]  # fmt: skip
    calls.clear()
    captures.replay(8, 16)
    assert calls == ["replay"]


def test_what_moved_is_forgotten_with_its_pool(calls: list[str]) -> None:
    captures = Captures(CudaRecorder(torch.device("cuda:0")))
    captures.settle((1, 2))
    captures.record(1, 16, lambda: None)
    captures.check((1, 2))
    assert captures.has(1, 16)
    captures.check((1, 3))
    assert not captures.has(1, 16) and captures.cold
    captures.settle((1, 3))
    captures.record(1, 16, lambda: None)
    assert "capture on side into pool 1" in calls


def test_a_capture_that_fails_puts_the_stream_back(calls: list[str]) -> None:
    captures = Captures(CudaRecorder(torch.device("cuda:0")))

    def fail() -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="not permitted"):
        captures.record(1, 16, fail)
    assert captures.on() == "default"  # type: ignore[attr-defined]
    assert not captures.has(1, 16)


def test_an_executor_that_finds_itself_unable_makes_way(tmp_path: Path, monkeypatch: Any) -> None:
    made = executors.build

    def build(name: str, *given: Any, **choice: Any) -> Any:
        if name != "autograd":
            raise executors.Uncovered("the training rows do not fit")
        return made(name, *given, **choice)

    monkeypatch.setattr(executors, "pick", lambda *given: executors.Picked("graph", "graph covers every layer"))
    monkeypatch.setattr(executors, "build", build)
    session = open_session(IRIS, tmp_path)
    assert session.choice.executor == "autograd"
    assert "graph was tried and does not work here (the training rows do not fit), so autograd" in session.choice.reason
    monkeypatch.setattr(executors, "pick", lambda *given: pytest.fail("a settled plan is not made again"))
    with pytest.raises(UserError, match="the plan's executor is graph"):
        open_session(IRIS, tmp_path, choice=replace(session.choice, executor="graph"))
