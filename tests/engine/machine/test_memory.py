"""Free memory: what the system says, less where a container has less."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.machine import memory
from engine.machine.memory import free_memory

MB = 1 << 20


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 1000 MB available; `proc` and `cgroup` below it."""
    monkeypatch.setattr(memory, "PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    1024000 kB\nBuffers: 1 kB\n")
    return tmp_path


def group(folder: Path, names: tuple[str, str], limit: object, used: int, stat: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip((*names, "memory.stat"), (limit, used, stat), strict=True):
        (folder / name).write_text(f"{value}\n")


V2 = ("memory.max", "memory.current")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")


def test_this_machine() -> None:
    free = free_memory()
    assert free is not None and free > 0


def test_a_machine_alone(machine: Path) -> None:
    assert free_memory() == 1000 * MB


@pytest.mark.parametrize(("limit", "expected"), [("max", 1000), (600 * MB, 150), (5000 * MB, 1000), (100 * MB, 0)])
def test_control_groups(machine: Path, limit: object, expected: int) -> None:
    (machine / "proc" / "self" / "cgroup").write_text("0::/user/job\n")
    group(machine / "cgroup" / "user" / "job", V2, "max", 1, "inactive_file 0")
    group(machine / "cgroup" / "user", V2, limit, 500 * MB, f"anon 3\ninactive_file {50 * MB}\n")
    assert free_memory() == expected * MB


def test_control_groups_of_the_first_version(machine: Path) -> None:
    (machine / "proc" / "self" / "cgroup").write_text("5:cpu,memory:/docker/12\n4:cpuset:/x\n0::/\n")
    # inside a container its own group is the top one
    group(machine / "cgroup" / "memory", V1, 700 * MB, 300 * MB, f"inactive_file 7\ntotal_inactive_file {20 * MB}")
    assert free_memory() == 420 * MB


def test_a_machine_that_says_nothing(machine: Path) -> None:
    (machine / "proc" / "meminfo").unlink()
    free = free_memory()
    assert free is None or free > 0
