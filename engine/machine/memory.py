"""How much of this machine's memory is free for this process."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Group:
    """What a container, or another control group with a limit, leaves this process."""

    limit: int
    """Bytes."""
    left: int
    """Bytes, files that could be dropped counted as free."""


def free_memory() -> int | None:
    """Bytes that can be had without pushing anything out: the system's free ones, less where a container has fewer.
    None where nothing says."""
    group = tightest_group()
    known = [found for found in (_available(), group.left if group else None) if found is not None]
    return max(0, min(known)) if known else None


def _available() -> int | None:
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", (PROC / "meminfo").read_text(encoding="ascii"), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        # half of what there is, on systems that do not say what is free
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (OSError, ValueError, AttributeError):
        return None


def tightest_group(proc: Path | None = None, cgroups: Path | None = None) -> Group | None:
    """Of the control groups that this process is in, the one that leaves it least; None where none has a limit."""
    proc, cgroups = proc or PROC, cgroups or CGROUPS
    try:
        lines = (proc / "self" / "cgroup").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    found = []
    for line in lines:
        _, controllers, name = line.split(":", 2)
        second = not controllers
        if not second and "memory" not in controllers.split(","):
            continue
        top = cgroups if second else cgroups / "memory"
        names = ("memory.max", "memory.current") if second else ("memory.limit_in_bytes", "memory.usage_in_bytes")
        inside = Path(name.lstrip("/"))
        # every group above limits it too; inside a container its own group is the top one
        for group in {top / inside, *(top / parent for parent in inside.parents)}:
            if (read := _read(group, *names)) is not None:
                found.append(read)
    return min(found, default=None, key=lambda group: group.left)


def _read(group: Path, limit: str, used: str) -> Group | None:
    try:
        most = int((group / limit).read_text(encoding="ascii"))
        now = int((group / used).read_text(encoding="ascii"))
        stat = (group / "memory.stat").read_text(encoding="ascii")
    except (OSError, ValueError):  # no such group, or no limit: `max`
        return None
    # of this group and those below it, where both are told
    files = re.search(r"^total_inactive_file (\d+)", stat, re.M) or re.search(r"^inactive_file (\d+)", stat, re.M)
    return Group(most, most - now + (int(files[1]) if files else 0))
