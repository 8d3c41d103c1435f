"""Memory, load and temperature from files as kernels write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.machine.usage import Processor, memory, temperature

MEMINFO = "MemTotal:       16384000 kB\nMemFree:  100 kB\nMemAvailable:    4096000 kB\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    proc = tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(MEMINFO)
    (proc / "self" / "statm").write_text("5000 1000 300 1 0 900 0\n")
    return proc


def test_memory_of_the_machine(proc: Path, tmp_path: Path) -> None:
    found = memory(proc, tmp_path)
    assert (found.total, found.used) == (16384000 * 1024, 12288000 * 1024)
    assert found.own is not None and found.own % 1000 == 0


@pytest.mark.parametrize(("limit", "counts"), [("max", False), ("1000000", True), ("99999999999999", False)])
def test_a_containers_limit_counts_where_it_is_less(limit: str, counts: bool, proc: Path, tmp_path: Path) -> None:
    (proc / "self" / "cgroup").write_text("0::/\n")
    (tmp_path / "memory.max").write_text(limit + "\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 400000\ninactive_file 500000\n")  # read files are no use of it
    found = memory(proc, tmp_path)
    assert (found.total, found.used) == ((1000000, 400000) if counts else (16384000 * 1024, 12288000 * 1024))


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    found = memory(tmp_path, tmp_path)
    assert (found.own, found.used, found.total) == (None, None, None)
    assert Processor(tmp_path).utilization() is None
    assert temperature(tmp_path) is None


def test_load_is_that_of_our_cores_between_two_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {1}, raising=False)

    def write(busy: int, idle: int) -> None:
        lines = [
            f"cpu {9 * busy} 0 0 0 0 0 0 0 0 0",
            "cpu0 777 0 0 0 0 0 0 0 0 0",
            f"cpu1 {busy} 0 0 {idle} 0 0 0 0 5 0",
        ]
        (tmp_path / "stat").write_text("\n".join([*lines, "intr 1 2 3"]) + "\n")

    write(100, 100)
    processor = Processor(tmp_path)
    assert processor.utilization() is None
    write(130, 110)
    assert processor.utilization() == 75.0
    write(130, 210)
    assert processor.utilization() == 0.0
    (tmp_path / "stat").unlink()
    assert processor.utilization() is None


def test_the_warmest_zone_of_the_processor(tmp_path: Path) -> None:
    zones = [("acpitz", "27800"), ("x86_pkg_temp", "61000"), ("iwlwifi_1", "90000"), ("cpu-thermal", "63500")]
    zones += [("cpu_odd", "words"), ("cpu_broken", "-274000")]
    for number, (kind, temp) in enumerate(zones):
        zone = tmp_path / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "type").write_text(kind + "\n")
        (zone / "temp").write_text(temp + "\n")
    (tmp_path / "thermal_zone99").mkdir()
    assert temperature(tmp_path) == 63.5


def test_this_very_process_can_be_measured() -> None:
    found = memory()
    if Path("/proc/self/statm").exists():
        assert found.own and found.total and found.used and found.own < found.total
