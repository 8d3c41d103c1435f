"""How much of this machine's memory is free for this process."""

from __future__ import annotations

import os
import re
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


def free_memory() -> int | None:
    """Bytes that can be had without pushing anything out: the system's free ones, less where a container has fewer.
    None where nothing says."""
    known = [found for found in (_available(), _container()) if found is not None]
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


def _container() -> int | None:
    """What the control groups that this process is in leave it, files that could be dropped counted as free."""
    try:
        lines = (PROC / "self" / "cgroup").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    found = []
    for line in lines:
        _, controllers, name = line.split(":", 2)
        second = not controllers
        if not second and "memory" not in controllers.split(","):
            continue
        top = CGROUPS if second else CGROUPS / "memory"
        names = ("memory.max", "memory.current") if second else ("memory.limit_in_bytes", "memory.usage_in_bytes")
        inside = Path(name.lstrip("/"))
        # every group above limits it too; inside a container its own group is the top one
        for group in {top / inside, *(top / parent for parent in inside.parents)}:
            left = _left(group, *names)
            if left is not None:
                found.append(left)
    return min(found, default=None)


def _left(group: Path, limit: str, used: str) -> int | None:
    try:
        most = int((group / limit).read_text(encoding="ascii"))
        now = int((group / used).read_text(encoding="ascii"))
        stat = (group / "memory.stat").read_text(encoding="ascii")
    except (OSError, ValueError):  # no such group, or no limit: `max`
        return None
    # of this group and those below it, where both are told
    files = re.search(r"^total_inactive_file (\d+)", stat, re.M) or re.search(r"^inactive_file (\d+)", stat, re.M)
    return most - now + (int(files[1]) if files else 0)
