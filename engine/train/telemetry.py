"""How much of the device a run uses, written down every few seconds beside the training and never in its way.

A GPU is asked through nvidia-smi, in a thread of its own: it may take a second, and no call into CUDA disturbs a
capture. The processor is asked through files of the kernel, which takes less than a millisecond.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import torch

from engine.machine import nvidia
from engine.machine.usage import Processor, memory, own, temperature
from engine.runs.records import DeviceUse
from engine.runs.storage import StorageError
from engine.train.devices import match, uuid_of

INTERVAL = 10.0
"""Seconds between two records."""


class Telemetry:
    """Writes `device_use` records from `begin` to `end`."""

    def __init__(
        self,
        device: torch.device,
        write: Callable[[DeviceUse], None],
        resting: Callable[[], bool] = lambda: False,
        interval: float = INTERVAL,
        processor: Processor | None = None,
    ) -> None:
        """`write` may drop a record or raise StorageError; nothing is written while `resting()`. The first load of a
        processor is that since `processor` was made."""
        self._sample = sampler(device, processor)
        self._at_once = device.type != "cuda"
        self._write, self._resting, self._interval = write, resting, interval
        self._over = threading.Event()
        self._writing = threading.Lock()

    def begin(self) -> None:
        """Write the first record, and go on in a thread."""
        if self._at_once:
            self._tell()
        threading.Thread(target=self._watch, name="telemetry", daemon=True).start()

    def end(self) -> None:
        """Nothing is written after this returns."""
        self._over.set()
        with self._writing:
            pass

    def _watch(self) -> None:
        if not self._at_once:
            self._tell()
        while not self._over.wait(self._interval):
            if not self._resting():
                self._tell()

    def _tell(self) -> None:
        use = self._sample()
        with self._writing:
            if not self._over.is_set():
                try:
                    self._write(use)
                except (StorageError, OSError):
                    return  # the next one will do


def sampler(device: torch.device, processor: Processor | None = None) -> Callable[[], DeviceUse]:
    """What looks at the device once."""
    if device.type == "cuda":
        return CudaSampler(device)
    if device.type == "mps":
        return sample_mps
    return CpuSampler(processor)


class CpuSampler:
    """This process on its cores, and the machine's memory."""

    def __init__(self, processor: Processor | None = None) -> None:
        self._processor = processor or Processor()

    def __call__(self) -> DeviceUse:
        held = memory()
        return DeviceUse(
            device="cpu",
            memory_own=held.own,
            memory_used=held.used,
            memory_total=held.total,
            utilization=rounded(self._processor.utilization()),
            temperature=temperature(),
        )


class CudaSampler:
    """One GPU as nvidia-smi sees it; what this process holds as torch's allocator knows it."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._number = device, device.index or 0
        self._uuid = uuid_of(self._number)
        try:
            self._total: int | None = int(torch.cuda.get_device_properties(device).total_memory)
        except (RuntimeError, AssertionError):
            self._total = None

    def __call__(self) -> DeviceUse:
        gpus = nvidia.look(processes=False)
        place = nvidia.visible(gpus, os.environ)[self._number : self._number + 1]
        (gpu,) = match(gpus, [self._uuid], place)
        return DeviceUse(
            device=str(self._device),
            memory_own=self._reserved(),
            memory_used=gpu.used if gpu else None,
            memory_total=gpu.total if gpu and gpu.total is not None else self._total,
            utilization=rounded(gpu.utilization if gpu else None),
            temperature=gpu.temperature if gpu else None,
        )

    def _reserved(self) -> int | None:
        """Counted by torch itself: no call into CUDA."""
        try:
            return int(torch.cuda.memory_reserved(self._device))
        except (RuntimeError, AssertionError):
            return None


def sample_mps() -> DeviceUse:
    """Apple's GPU, whose memory is the machine's."""
    held = memory()
    try:
        mine: int | None = int(torch.mps.driver_allocated_memory())
    except (RuntimeError, AttributeError):
        mine = own()
    return DeviceUse(
        device="mps",
        memory_own=mine,
        memory_used=held.used,
        memory_total=held.total,
        utilization=None,
        temperature=None,
    )


def rounded(value: float | None) -> float | None:
    """To one digit: more is noise."""
    return None if value is None else round(value, 1)
