"""Rows of the doctor about GPUs."""

from __future__ import annotations

from engine.machine.nvidia import Gpu, Process
from engine.train import doctor

GIB = 1 << 30


def test_a_gpu_tells_its_room_its_heat_and_who_uses_it() -> None:
    seen = Gpu(0, "GPU-0", "H100", 80 * GIB, 10 * GIB, 70 * GIB, 3.0, 34.0, (Process(9, 9 * GIB, "python", "alice"),))
    words = doctor.gpu_words("NVIDIA H100", 70 * GIB, 80 * GIB, seen)
    assert words == "NVIDIA H100, 70 of 80 GiB free, 34°, used by alice (pid 9, 9.0 GiB)"
    assert doctor.gpu_words("Tesla", 70 * GIB, 80 * GIB, None) == "Tesla, 70 of 80 GiB free"


def test_rows_on_any_machine() -> None:
    rows = list(doctor.work([]))
    names = [row["name"] for row in rows]
    assert names[:2] == ["torch import", "torch on the CPU"]
    assert any(name == "GPU" or str(name).startswith("cuda:") for name in names)
