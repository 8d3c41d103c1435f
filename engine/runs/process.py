"""Who a process is: its number alone is not enough, since numbers are used again."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


def host() -> str:
    """This machine's name."""
    return socket.gethostname()


def start_token(pid: int) -> str | None:
    """What tells this process from a later one with the same number; None where it does not live.

    Linux: boot id and start time in clock ticks from `/proc`; elsewhere what `ps` says. A zombie does not live.
    """
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            return None
        # after the name: state is field 3 of proc(5), start time field 22
        return None if fields[0] in (b"Z", b"X") else f"{_boot()}-{fields[19].decode()}"
    listing = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = listing.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8]
    except OSError:
        return "boot"


@dataclass
class Owner:
    """A process whose death ends another's work: `train` without `--detach` owns its worker."""

    pid: int
    token: str
    every: float = 0.5
    """Seconds between two real looks; asking more often is free."""
    _looked: float = float("-inf")
    _alive: bool = True

    @classmethod
    def current(cls) -> Owner:
        """The calling process."""
        return cls(os.getpid(), start_token(os.getpid()) or "")

    def alive(self) -> bool:
        """Whether the owner still lives. Once dead it stays dead, whoever gets its number next."""
        now = time.monotonic()
        if self._alive and now - self._looked >= self.every:
            self._looked = now
            self._alive = start_token(self.pid) == self.token
        return self._alive
