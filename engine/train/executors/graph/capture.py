"""Captured steps: recorded once for each length and batch size, replayed until something they hold on to changes.

How torch does it: docs.pytorch.org, notes/cuda, "CUDA Graphs" (whole-network capture, graph memory management), and
docs.nvidia.com/dl-cuda-graph. What matters here: capture on a side stream that has run the same work before, so that
libraries have their handles and workspaces; gradients made inside the capture, in its private memory; one memory pool
for all graphs, which is safe since they hand each other nothing that lives in it and never run at once; the default
generator, whose offset torch moves on at each replay as far as the same steps would have moved it one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

import torch

Work = Callable[[], None]
Addresses = tuple[int, ...]

WARM_UP = 3
"""Steps on the side stream before the first capture of a batch size."""


class Recorder(Protocol):
    """Makes something that can be replayed."""

    def warm(self, step: Work) -> None:
        """Do a step where it will later be recorded."""

    def record(self, steps: Work) -> Work:
        """Record the steps without doing them; calling the result does them."""

    def forget(self) -> None:
        """No recording made so far will be called any more."""


class CudaRecorder:
    """Records with CUDA graphs."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool: Any = None

    def warm(self, step: Work) -> None:
        here = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            step()
        here.wait_stream(self._stream)

    def record(self, steps: Work) -> Work:
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        here = torch.cuda.current_stream(self._device)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                steps()
        finally:
            torch.cuda.set_stream(here)  # a capture that fails leaves its own stream in place
        return graph.replay

    def forget(self) -> None:
        self._pool = None  # a pool all of whose graphs are gone is not to be used again


class Captures:
    """The recordings of one executor, by key."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._recorded: dict[Hashable, Work] = {}
        self._warm: set[int] = set()
        self._addresses: Addresses | None = None

    @property
    def cold(self) -> bool:
        """Whether the next step has to be done uncaptured: optimizers make their state in their first step."""
        return self._addresses is None

    def settle(self, addresses: Addresses) -> None:
        """From now on recordings may hold on to these addresses."""
        self._addresses = addresses

    def check(self, addresses: Addresses) -> None:
        """Drop every recording if something lies elsewhere than it did."""
        if self._addresses is not None and addresses != self._addresses:
            self.drop()

    def drop(self) -> None:
        """Forget every recording."""
        if self._recorded:
            self._recorded.clear()
            self._recorder.forget()
        self._warm.clear()
        self._addresses = None

    def has(self, count: int, size: int) -> bool:
        """Whether these steps are recorded."""
        return (count, size) in self._recorded

    def warm(self, size: int, step: Work) -> None:
        """Do steps of a batch size so that all that is made lazily is there; their effects are the caller's to undo."""
        if size not in self._warm:
            for _ in range(WARM_UP):
                self._recorder.warm(step)
            self._warm.add(size)

    def record(self, count: int, size: int, steps: Work) -> None:
        """Record `count` steps."""
        self._recorded[count, size] = self._recorder.record(steps)

    def replay(self, count: int, size: int) -> None:
        """Do the recorded steps."""
        self._recorded[count, size]()
