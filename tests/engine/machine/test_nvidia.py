"""What nvidia-smi has been seen to print, on good days and on odd ones."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from engine.machine import nvidia
from engine.machine.nvidia import Gpu, Process, known, parse_gpus, parse_processes, surely_none, visible

GIB = 1 << 30
MIB = 1 << 20
TWO = """\
0, GPU-8932f937-d72c-4106-c12f-20bd9faed9f6, 81559, 62504, 18562, 97, 71, NVIDIA H100 80GB HBM3
1, GPU-0b1a2c3d-1111-2222-3333-444455556666, 81559, 1024, 80035, 0, 34, NVIDIA H100 80GB HBM3
"""
EIGHT = (8192 * MIB, 192 * MIB, 8000 * MIB)
PROCESSES = """\
GPU-8932f937-d72c-4106-c12f-20bd9faed9f6, 123, 61440, /usr/bin/python3
GPU-8932f937-d72c-4106-c12f-20bd9faed9f6, 124, 512, [Not Found]
GPU-0b1a2c3d-1111-2222-3333-444455556666, 125, [N/A], C:\\tools, new\\python.exe
"""


def test_gpus_and_their_processes() -> None:
    gpus = parse_gpus(TWO, parse_processes(PROCESSES))
    assert [gpu.index for gpu in gpus] == [0, 1]
    first, second = gpus
    assert (first.total, first.used, first.free) == (81559 * MIB, 62504 * MIB, 18562 * MIB)
    assert (first.utilization, first.temperature, first.name) == (97.0, 71.0, "NVIDIA H100 80GB HBM3")
    assert [(each.pid, each.memory) for each in first.processes] == [(123, 61440 * MIB), (124, 512 * MIB)]
    assert second.processes[0].memory is None
    assert second.processes[0].name == "C:\\tools, new\\python.exe"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # MIG: the card itself tells neither memory in use nor load
        ("0, GPU-aa, 81559, [N/A], [N/A], [N/A], 41, NVIDIA A100-SXM4-80GB", (81559 * MIB, None, None, None, 41.0)),
        # a Tegra: memory is the system's
        ("0, GPU-bb, [N/A], [N/A], [N/A], [N/A], [N/A], Orin (nvgpu)", (None, None, None, None, None)),
        ("0, GPU-cc, 8192, 192, 8000, [Not Supported], [Unknown Error], GeForce", (*EIGHT, None, None)),
        # an older driver without memory.free, and units in spite of nounits
        ("0, GPU-dd, 8192 MiB, 192 MiB, [Not Supported], 3 %, 55 C, Old", (*EIGHT, 3.0, 55.0)),
        ("0, GPU-ee, 8192, 192, 8000, 3, 55, Card, with a comma", (*EIGHT, 3.0, 55.0)),
    ],
)  # fmt: skip
def test_odd_figures_are_none(line: str, expected: tuple[object, ...]) -> None:
    (gpu,) = parse_gpus(line)
    assert (gpu.total, gpu.used, gpu.free, gpu.utilization, gpu.temperature) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "No devices were found\n",
        "Unable to determine the device handle for GPU 0000:01:00.0: Unknown Error\n",
        "[Insufficient Permissions], a, b, c, d, e, f, g\n",
        '"0, GPU-x, 1',
        "\x00\x1b[31m, , , , , , , ",
    ],
)
def test_what_is_no_table_is_no_gpu(text: str) -> None:
    assert parse_gpus(text) == []
    assert parse_processes(text) == {}
    assert parse_processes("GPU-x, [Insufficient Permissions], 12, python\nGPU-x, -, 12, python\n") == {}


def make_process(proc: Path, pid: int, *command: str, comm: str = "python3") -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "cmdline").write_bytes(b"\0".join(part.encode() for part in command) + b"\0")
    (proc / str(pid) / "comm").write_text(comm + "\n")


def test_a_process_gets_its_user_and_its_command(tmp_path: Path) -> None:
    make_process(tmp_path, 7, "/opt/bin/python3", "train.py", "--big")
    process = known(Process(7, GIB, "/opt/bin/python3"), tmp_path)
    assert process.command == "python3 train.py --big"
    assert process.user == nvidia.user_name(os.getuid())


def test_somebody_else_with_the_same_number_is_not_named(tmp_path: Path) -> None:
    """A container has numbers of its own, and nvidia-smi tells those of the machine."""
    make_process(tmp_path, 7, "/bin/bash", comm="bash")
    assert known(Process(7, GIB, "/opt/bin/python3"), tmp_path).user is None
    assert known(Process(8, GIB, "/opt/bin/python3"), tmp_path).user is None
    make_process(tmp_path, 9, "", comm="")
    assert known(Process(9, GIB, "/opt/bin/python3"), tmp_path).user is None


def gpus() -> list[Gpu]:
    return parse_gpus(TWO)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, [0, 1]),
        ("0,1", [0, 1]),
        ("1", [1]),
        (" 1 , 0 ", [1, 0]),
        ("", []),
        ("-1", []),
        ("1,-1,0", [1]),
        ("1,7,0", [1]),
        ("GPU-0b1a2c3d-1111-2222-3333-444455556666", [1]),
        ("GPU-0b1a,GPU-8932", [1, 0]),
        ("gpu-0B1A", [1]),
        ("GPU-", []),
        ("GPU-ffff,0", []),
        ("MIG-5c88,1", [None, 1]),
        ("NoDevFiles", []),
    ],
)
def test_the_order_in_which_cuda_counts(asked: str | None, expected: list[int | None]) -> None:
    environment = {} if asked is None else {"CUDA_VISIBLE_DEVICES": asked}
    found = visible(gpus(), environment)
    assert [gpu.index if gpu is not None else None for gpu in found] == expected


def test_numbers_of_different_gpus_are_not_trusted_unless_cuda_counts_by_the_bus() -> None:
    mixed = parse_gpus(TWO.replace("HBM3\n1", "PCIe\n1", 1))
    assert visible(mixed, {}) == [None, None]
    assert visible(mixed, {"CUDA_VISIBLE_DEVICES": "GPU-0b1a"}) == [mixed[1]]
    assert visible(mixed, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}) == mixed


def pretend(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!{sys.executable}\nimport sys, time\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))


def test_the_program_is_asked_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f"sys.stdout.write({PROCESSES!r} if 'compute' in sys.argv[1] else {TWO!r})"
    pretend(tmp_path, script, monkeypatch)
    assert [len(gpu.processes) for gpu in nvidia.look()] == [2, 1]
    assert [len(gpu.processes) for gpu in nvidia.look(processes=False)] == [0, 0]


@pytest.mark.parametrize(
    "script",
    [
        "print('NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'); sys.exit(9)",
        "time.sleep(60)",
        "sys.stdout.buffer.write(bytes(range(256)))",
    ],
)
def test_a_program_that_fails_hangs_or_babbles_gives_no_gpus(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(tmp_path, script, monkeypatch)
    assert nvidia.look(patience=1.0) == []


def test_processes_that_may_not_be_seen_leave_the_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, f"sys.exit(4) if 'compute' in sys.argv[1] else sys.stdout.write({TWO!r})", monkeypatch)
    assert [gpu.processes for gpu in nvidia.look()] == [(), ()]


def test_no_program_no_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert nvidia.look() == []


# Whether there can be a GPU at all


def install(folder: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text("raise ImportError('never loaded')")
    (folder / "torch" / "version.py").write_text(version)
    monkeypatch.setattr(sys, "path", [str(folder)])
    monkeypatch.delitem(sys.modules, "torch", raising=False)


@pytest.mark.parametrize(
    ("version", "sure"),
    [
        ("__version__ = '2.13.0+cpu'\ncuda: Optional[str] = None\nhip: Optional[str] = None\n", True),
        ("cuda = None\n", True),
        ("cuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n", False),
        ("cuda: Optional[str] = None\nhip: Optional[str] = '6.4'\n", False),
        ("nothing known", False),
    ],
)
def test_a_torch_for_cpus_is_told_without_loading_it(
    version: str, sure: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, version, monkeypatch)
    assert nvidia.torch_is_for_cpus() is sure
    assert bool(surely_none({})) >= sure


def test_hidden_gpus_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for value in ("", "-1"):
        assert "hides" in surely_none({"CUDA_VISIBLE_DEVICES": value})
    monkeypatch.setattr(nvidia, "torch_is_for_cpus", lambda: False)
    monkeypatch.setattr(os.path, "exists", lambda path: path == "/dev/nvidia0")
    assert surely_none({"CUDA_VISIBLE_DEVICES": "0"}) == ""
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    monkeypatch.setenv("PATH", "")
    assert "driver" in surely_none({})
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "Mac" in surely_none({})
