"""What torch finds on this machine, as a tool process that prints JSON lines `{name, value, ok, hint}`."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from engine.train import tool


def work(arguments: list[str]) -> tool.Rows:
    """One row a fact."""
    began = time.perf_counter()
    import torch

    yield _fact("torch import", f"{time.perf_counter() - began:.1f} s")
    capability = torch.backends.cpu.get_cpu_capability()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield _fact("torch on the CPU", f"{cores} cores, {capability}")
    driver = _driver()
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            yield _gpu(index)
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


def _gpu(index: int) -> dict[str, object]:
    import torch

    try:
        free, total = torch.cuda.mem_get_info(index)
        torch.ones(1, device=f"cuda:{index}").add_(1).item()
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        return _fact(f"cuda:{index}", first, False, "see nvidia-smi: is the GPU in use, or the driver too old?")
    name = torch.cuda.get_device_name(index)
    return _fact(f"cuda:{index}", f"{name}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free")


def _driver() -> str | None:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout.strip() else None


def _fact(name: str, value: str, ok: bool = True, hint: str = "") -> dict[str, object]:
    return {"type": "doctor", "name": name, "value": value, "ok": ok, "hint": hint}


if __name__ == "__main__":
    sys.exit(tool.run(work, sys.argv[1:]))
