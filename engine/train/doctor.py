"""What torch finds on this machine, as a tool process that prints JSON lines `{name, value, ok, hint}`."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from engine.machine import nvidia
from engine.train import tool

if TYPE_CHECKING:
    from engine.machine.nvidia import Gpu


def work(arguments: list[str]) -> tool.Rows:
    """One row a fact."""
    began = time.perf_counter()
    import torch

    from engine.train import devices

    yield _fact("torch import", f"{time.perf_counter() - began:.1f} s")
    capability = torch.backends.cpu.get_cpu_capability()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield _fact("torch on the CPU", f"{cores} cores, {capability}")
    driver = _driver()
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        yield _fact("CUDA_VISIBLE_DEVICES", os.environ["CUDA_VISIBLE_DEVICES"] or "empty: every GPU is hidden")
    if torch.cuda.is_available():
        for index, seen in enumerate(devices.gpus_of_torch()):
            yield _gpu(index, seen)
        if torch.cuda.device_count() > 1:
            yield _fact("device: auto", devices.find().reason)
        yield _fact("CUDA", f"torch {torch.version.cuda}, driver {driver or 'unknown'}")
        yield _fact("cuDNN", str(torch.backends.cudnn.version()))  # type: ignore[no-untyped-call]
    elif torch.backends.mps.is_available():
        yield _fact("GPU", "Apple GPU (mps)")
    elif torch.version.cuda is None and driver:
        hint = "install a torch build for CUDA: see pytorch.org"
        yield _fact("GPU", f"driver {driver} is there, but this torch is built for the CPU alone", False, hint)
    elif torch.version.cuda is not None:
        hint = "update the driver, or install a torch build for an older CUDA" if driver else "no NVIDIA driver answers"
        yield _fact("GPU", f"torch is built for CUDA {torch.version.cuda} but finds no GPU", not driver, hint)
    else:
        yield _fact("GPU", "none; training runs on the CPU")


def _gpu(index: int, seen: Gpu | None) -> dict[str, object]:
    import torch

    from engine.train import devices

    try:
        torch.ones(1, device=f"cuda:{index}").add_(1).item()
        free, total = torch.cuda.mem_get_info(index)
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        held = devices.holders(seen) if seen is not None else ""
        hint = f"it is held by {held}" if held else "see nvidia-smi: is the GPU in use, or the driver too old?"
        return _fact(f"cuda:{index}", first, False, hint)
    return _fact(f"cuda:{index}", gpu_words(torch.cuda.get_device_name(index), free, total, seen))


def gpu_words(name: str, free: int, total: int, seen: Gpu | None) -> str:
    """`NVIDIA H100, 70 of 80 GiB free, 34°, used by alice (pid 123, 9 GiB)`."""
    from engine.train import devices

    words = [name, f"{devices.room(free, total)} free"]
    if seen is not None and seen.temperature is not None:
        words.append(f"{seen.temperature:.0f}°")
    if seen is not None and (held := devices.holders(seen)):
        words.append(f"used by {held}")
    return ", ".join(words)


def _driver() -> str | None:
    answer = nvidia.ask(["--query-gpu=driver_version"], patience=10) or ""
    return next((line.strip() for line in answer.splitlines() if line.strip()), None)


def _fact(name: str, value: str, ok: bool = True, hint: str = "") -> dict[str, object]:
    return {"type": "doctor", "name": name, "value": value, "ok": ok, "hint": hint}


if __name__ == "__main__":
    sys.exit(tool.run(work, sys.argv[1:]))
