"""NVIDIA GPUs as `nvidia-smi` tells of them: how full they are, how busy, how warm, and whose processes hold them.

No torch and no driver library: a question to a program of its own, which neither takes memory on a GPU nor disturbs a
capture. What the program does not say, or says in a form that nobody has seen, is None.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 5.0
"""Seconds that an answer may take: a GPU that sleeps takes a second or two to wake."""
GPU_FIELDS = "index,uuid,memory.total,memory.used,memory.free,utilization.gpu,temperature.gpu,name"
PROCESS_FIELDS = "gpu_uuid,pid,used_memory,process_name"
MIB = 1 << 20


@dataclass(frozen=True)
class Process:
    """Somebody's work on a GPU."""

    pid: int
    memory: int | None
    """Bytes."""
    name: str
    user: str | None = None
    """None where the process cannot be seen from here, as from within a container."""
    command: str | None = None


@dataclass(frozen=True)
class Gpu:
    """A GPU at this moment."""

    index: int
    """By nvidia-smi's count, which is that of the bus and not always torch's."""
    uuid: str
    name: str
    total: int | None
    used: int | None
    free: int | None
    """Bytes."""
    utilization: float | None
    """Per cent."""
    temperature: float | None
    """Degrees Celsius."""
    processes: tuple[Process, ...] = ()


def look(patience: float = PATIENCE, *, processes: bool = True) -> list[Gpu]:
    """All GPUs of this machine, whether torch may use them or not; none where nvidia-smi does not answer."""
    answer = ask(["--query-gpu=" + GPU_FIELDS], patience)
    if answer is None:
        return []
    held: dict[str, list[Process]] = {}
    if processes:
        held = parse_processes(ask(["--query-compute-apps=" + PROCESS_FIELDS], patience) or "")
    return parse_gpus(answer, held)


def ask(arguments: Sequence[str], patience: float = PATIENCE) -> str | None:
    """What nvidia-smi prints as plain CSV; None where it is missing, fails, or takes too long."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *arguments, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=patience,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def parse_gpus(text: str, held: Mapping[str, Sequence[Process]] | None = None) -> list[Gpu]:
    """GPUs of an answer to `GPU_FIELDS`; lines of another form are passed over."""
    found = []
    for row in _rows(text, 8):
        index = _number(row[0])
        if index is None:
            continue
        total, used, free = (_bytes(value) for value in row[2:5])
        if free is None and total is not None and used is not None:
            free = total - used
        mine = tuple((held or {}).get(row[1], ()))
        found.append(Gpu(int(index), row[1], row[7], total, used, free, _number(row[5]), _number(row[6]), mine))
    return found


def parse_processes(text: str) -> dict[str, list[Process]]:
    """Processes of an answer to `PROCESS_FIELDS`, by the UUID of their GPU."""
    found: dict[str, list[Process]] = {}
    for row in _rows(text, 4):
        pid = _number(row[1])
        if pid is not None and pid > 0:
            found.setdefault(row[0], []).append(known(Process(int(pid), _bytes(row[2]), row[3])))
    return found


def known(process: Process, proc: Path = Path("/proc")) -> Process:
    """The same with its user and command line, where `proc` has a process of that number and that name.

    From within a container the numbers are another namespace's: whoever bears the number here is somebody else.
    """
    place = proc / str(process.pid)
    try:
        arguments = (place / "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace").split("\0")
        names = {Path(arguments[0]).name, (place / "comm").read_text(errors="replace").strip()}
        owner = place.stat().st_uid
    except OSError:
        return process
    wanted = Path(process.name.split(" ")[0]).name
    if not wanted.startswith("[") and not any(name and (name == wanted or wanted.startswith(name)) for name in names):
        return process
    command = " ".join([Path(arguments[0]).name, *arguments[1:]]).strip()
    return Process(process.pid, process.memory, process.name, user_name(owner), command or None)


def user_name(uid: int) -> str:
    """The user's name, else the number."""
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return f"user {uid}"


def visible(gpus: Sequence[Gpu], environment: Mapping[str, str]) -> list[Gpu | None]:
    """GPUs in the order in which CUDA counts them under CUDA_VISIBLE_DEVICES; None where one cannot be told.

    Numbers are the bus's where CUDA_DEVICE_ORDER says so, or where all GPUs are of one kind; else CUDA counts the
    fastest first, and nobody but CUDA knows. UUIDs may be cut short. The list ends at the first entry that names no
    GPU, as it does for CUDA.
    """
    asked = environment.get("CUDA_VISIBLE_DEVICES")
    ordered = environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" or len({gpu.name for gpu in gpus}) <= 1
    by_number = {gpu.index: gpu if ordered else None for gpu in gpus}
    if asked is None:
        return [by_number[index] for index in sorted(by_number)]
    found: list[Gpu | None] = []
    for entry in (part.strip() for part in asked.split(",")):
        if entry.isdigit() and int(entry) in by_number:
            found.append(by_number[int(entry)])
        elif entry.upper().startswith("GPU-"):
            fits = [gpu for gpu in gpus if gpu.uuid.upper().startswith(entry.upper())]
            if len(fits) != 1:
                break
            found.append(fits[0])
        elif entry.upper().startswith("MIG-"):
            found.append(None)  # a slice of a GPU, of which the figures above say nothing
        else:
            break
    return found


def surely_none(environment: Mapping[str, str] | None = None) -> str:
    """Why torch can have no CUDA GPU here, told without loading torch; "" where that is not certain."""
    environment = os.environ if environment is None else environment
    if sys.platform == "darwin":
        return "a Mac has no CUDA GPU"
    if environment.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides every GPU"
    if torch_is_for_cpus():
        return "this torch is built for the CPU alone"
    traces = ("/proc/driver/nvidia", "/dev/nvidia0", "/dev/nvidiactl", "/dev/nvhost-ctrl", "/dev/dxg", "/dev/kfd")
    if sys.platform == "linux" and not any(map(os.path.exists, traces)) and shutil.which("nvidia-smi") is None:
        return "this machine has no NVIDIA driver"
    return ""


def torch_is_for_cpus() -> bool:
    """Whether the installed torch has neither CUDA nor ROCm, as its version file says."""
    from importlib.util import find_spec

    try:
        spec = find_spec("torch")
    except (ImportError, ValueError):
        return False
    if spec is None or not spec.submodule_search_locations:
        return False
    try:
        text = Path(next(iter(spec.submodule_search_locations)), "version.py").read_text(encoding="utf-8")
    except (OSError, StopIteration):
        return False
    values = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            values[name.partition(":")[0].strip()] = value.strip()
    return values.get("cuda") == "None" and values.get("hip", "None") == "None"


def _rows(text: str, width: int) -> list[list[str]]:
    """Lines of so many fields; what is too much belongs to the last, which is a name."""
    rows = []
    for row in csv.reader(text.splitlines(), skipinitialspace=True, quoting=csv.QUOTE_NONE):
        if len(row) >= width:
            rows.append([*(value.strip() for value in row[: width - 1]), ", ".join(row[width - 1 :]).strip()])
    return rows


def _number(text: str) -> float | None:
    try:
        return float(text.split(" ")[0])
    except ValueError:
        return None  # [N/A], [Not Supported], [Insufficient Permissions], [Unknown Error]


def _bytes(text: str) -> int | None:
    number = _number(text)
    return None if number is None else int(number * MIB)
