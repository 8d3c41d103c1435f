"""Which device to work on: on a shared machine the GPU with the most free memory, and who holds the others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from engine.machine import nvidia
from engine.machine.nvidia import Gpu, Process

GIB = 1 << 30
BRIEFLY = 1.0
"""Seconds for an answer that changes nothing but words."""
SMALL = 256 << 20
"""A process with less than this is not worth a word."""


@dataclass(frozen=True)
class Found:
    """A device and why it was taken; no reason where there was nothing to choose from."""

    device: torch.device
    reason: str = ""


def find() -> Found:
    """The best device of this machine: a CUDA GPU, else Apple's, else the CPU. CUDA_VISIBLE_DEVICES is respected."""
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        if count == 1:
            return Found(torch.device("cuda:0"), alone(gpus_of_torch(BRIEFLY)))
        gpus = gpus_of_torch()
        free = [_free(number, gpu) for number, gpu in enumerate(gpus)]
        return Found(torch.device(f"cuda:{emptiest(free)}"), reason(gpus, free))
    if torch.backends.mps.is_available():
        return Found(torch.device("mps"))
    return Found(torch.device("cpu"))


def gpus_of_torch(patience: float = nvidia.PATIENCE) -> list[Gpu | None]:
    """What nvidia-smi says of each GPU that torch may use, in torch's order; None of one that it does not know."""
    gpus = nvidia.look(patience)
    uuids = [uuid_of(number) for number in range(torch.cuda.device_count())]
    return match(gpus, uuids, nvidia.visible(gpus, os.environ))


def uuid_of(number: int) -> str | None:
    """`GPU-...` of torch's GPU of that number, where torch tells."""
    try:
        uuid = str(getattr(torch.cuda.get_device_properties(number), "uuid", "") or "")
    except (RuntimeError, AssertionError):
        return None
    return (uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}") if uuid else None


def match(gpus: Sequence[Gpu], uuids: Sequence[str | None], visible: Sequence[Gpu | None]) -> list[Gpu | None]:
    """The GPU of each UUID; where a UUID is unknown, what the environment lets torch see in that place."""
    by_uuid = {gpu.uuid.lower(): gpu for gpu in gpus}
    return [
        by_uuid.get(uuid.lower()) if uuid is not None else visible[place] if place < len(visible) else None
        for place, uuid in enumerate(uuids)
    ]


def emptiest(free: Sequence[int | None]) -> int:
    """Number of the GPU with the most free memory; the first on a tie, and where nothing is known."""
    return max(range(len(free)), key=lambda number: (free[number] if free[number] is not None else -1, -number))


def reason(gpus: Sequence[Gpu | None], free: Sequence[int | None]) -> str:
    """`cuda:1 has the most free memory (70 of 80 GiB); cuda:0 is held by alice (pid 123, 61 GiB)`."""
    best = emptiest(free)
    if free[best] is None:
        return f"cuda:{best}, since no GPU tells how full it is"
    gpu = gpus[best]
    said = [f"cuda:{best} has the most free memory ({room(free[best], gpu.total if gpu else None)})"]
    for number, other in enumerate(gpus):
        if number != best and other is not None and (held := holders(other)):
            said.append(f"cuda:{number} is held by {held}")
    return "; ".join(said)


def alone(gpus: Sequence[Gpu | None]) -> str:
    """Who else works on the only GPU, or ""."""
    held = holders(gpus[0]) if gpus and gpus[0] is not None else ""
    return f"cuda:0 is shared with {held}" if held else ""


def holders(gpu: Gpu, most: int = 3) -> str:
    """`alice (pid 123, 61 GiB) and bob (pid 4, 2 GiB)`: who is on a GPU, this process left out; "" for nobody."""
    own = os.getpid()
    others = [each for each in gpu.processes if each.pid != own and (each.memory is None or each.memory >= SMALL)]
    others.sort(key=lambda each: -(each.memory or 0))
    if not others and gpu.used is not None and gpu.total and gpu.used > max(gpu.total // 10, SMALL):
        return f"somebody who cannot be seen from here ({amount(gpu.used)})"
    said = [holder(each) for each in others[:most]]
    if len(others) > most:
        said.append(f"{len(others) - most} more")
    return " and ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else "".join(said)


def holder(process: Process) -> str:
    """`alice (pid 123, 61 GiB)`."""
    what = [f"pid {process.pid}"]
    if process.memory is not None:
        what.append(amount(process.memory))
    return f"{process.user or process.name or 'somebody'} ({', '.join(what)})"


def amount(size: int) -> str:
    """`61 GiB`, `0.4 GiB`."""
    gib = size / GIB
    return f"{gib:.0f} GiB" if gib >= 9.95 else f"{gib:.1f} GiB"


def room(free: int | None, total: int | None) -> str:
    """`70 of 80 GiB`."""
    if free is None:
        return "unknown"
    return amount(free) if total is None else f"{amount(free).removesuffix(' GiB')} of {amount(total)}"


def _free(number: int, gpu: Gpu | None) -> int | None:
    """Free bytes. Asking CUDA itself takes some memory on that GPU, so it is asked last."""
    if gpu is not None and gpu.free is not None:
        return gpu.free
    try:
        free, _ = torch.cuda.mem_get_info(number)
    except RuntimeError:
        return None
    return int(free)
