"""What this process and its machine use: memory, processor time, temperature, from what the kernel tells everybody."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from engine.machine.memory import CGROUPS, PROC, tightest_group

THERMAL = Path("/sys/class/thermal")
PROCESSOR_ZONES = ("x86_pkg_temp", "cpu", "soc", "k10temp", "coretemp")
"""How zones that measure the processor are called, or begin."""


@dataclass(frozen=True)
class Memory:
    """Bytes; None where the system does not say."""

    own: int | None
    used: int | None
    total: int | None


def memory(proc: Path = PROC, cgroups: Path = CGROUPS) -> Memory:
    """Resident memory of this process, and what is used of what this process may use: a container's limit counts.
    Files that the system could drop are not counted as used."""
    total = used = None
    try:
        lines = (proc / "meminfo").read_text().splitlines()
        held = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
        total, used = held["MemTotal"], held["MemTotal"] - held["MemAvailable"]
    except (OSError, ValueError, KeyError, IndexError):
        pass
    group = tightest_group(proc, cgroups)
    if group is not None and (total is None or group.limit < total):
        total, used = group.limit, group.limit - group.left
    return Memory(own(proc), used, total)


def own(proc: Path = PROC) -> int | None:
    """Resident bytes of this process."""
    try:
        return int((proc / "self" / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


class Processor:
    """How busy the cores are that this process may use, between one look and the next."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._last = self._times()

    def utilization(self) -> float | None:
        """Per cent since the last look; None where no time has passed."""
        before, self._last = self._last, self._times()
        if before is None or self._last is None:
            return None
        busy, whole = self._last[0] - before[0], self._last[1] - before[1]
        return min(100.0, max(0.0, 100.0 * busy / whole)) if whole > 0 else None

    def _times(self) -> tuple[int, int] | None:
        """Ticks spent working, and all ticks (proc_stat(5): the fourth and fifth are idle and waiting)."""
        cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
        busy = whole = 0
        try:
            for line in (self._proc / "stat").read_text().splitlines():
                name, *rest = line.split()
                if name.startswith("cpu") and name[3:].isdigit() and (cores is None or int(name[3:]) in cores):
                    ticks = [int(value) for value in rest[:8]]
                    whole += sum(ticks)
                    busy += sum(ticks) - ticks[3] - ticks[4]
        except (OSError, ValueError, IndexError):
            return None
        return (busy, whole) if whole else None


def temperature(thermal: Path = THERMAL) -> float | None:
    """The processor's warmest zone in degrees Celsius; None where none can be read."""
    found = []
    for zone in sorted(thermal.glob("thermal_zone*")):
        try:
            kind = (zone / "type").read_text().strip().lower()
            degrees = int((zone / "temp").read_text()) / 1000
        except (OSError, ValueError):
            continue
        if kind.startswith(PROCESSOR_ZONES) and 0 < degrees < 150:
            found.append(degrees)
    return max(found, default=None)
