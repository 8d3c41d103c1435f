"""Device use beside the training: at the start, now and then, never after the end, never in the way."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import torch

from engine.history.history import History
from engine.machine.nvidia import parse_gpus
from engine.runs.journal import effective, read
from engine.runs.json_schema import check_record
from engine.runs.records import DeviceUse
from engine.runs.storage import StorageError
from engine.train import telemetry
from engine.train.telemetry import CudaSampler, Telemetry
from tests.engine.train.conftest import DIGITS

CPU = torch.device("cpu")


def eventually(true: Any, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_first_record_is_there_at_once_and_others_follow() -> None:
    seen: list[DeviceUse] = []
    watcher = Telemetry(CPU, seen.append, interval=0.01)
    watcher.begin()
    assert len(seen) == 1 and seen[0].device == "cpu"
    eventually(lambda: len(seen) > 3)
    watcher.end()
    count = len(seen)
    eventually(lambda: not any(thread.name == "telemetry" for thread in threading.enumerate()))
    assert len(seen) == count


def test_nothing_is_written_while_the_run_rests() -> None:
    seen: list[DeviceUse] = []
    asked = threading.Event()
    resting = True

    def rests() -> bool:
        asked.set()
        return resting

    watcher = Telemetry(CPU, seen.append, rests, interval=0.005)
    watcher.begin()
    assert asked.wait(20)
    assert len(seen) == 1
    resting = False
    eventually(lambda: len(seen) > 1)
    watcher.end()


def test_a_disk_that_refuses_is_no_matter() -> None:
    tries = []

    def refuse(use: DeviceUse) -> None:
        tries.append(use)
        raise StorageError("no room", "make some")

    watcher = Telemetry(CPU, refuse, interval=0.005)
    watcher.begin()
    eventually(lambda: len(tries) > 2)
    watcher.end()


def test_a_gpu_that_answers_slowly_holds_nobody_up(monkeypatch: Any) -> None:
    answer = threading.Event()
    seen: list[DeviceUse] = []

    def slow() -> DeviceUse:
        answer.wait(20)
        return DeviceUse(
            device="cuda:0", memory_own=1, memory_used=2, memory_total=3, utilization=None, temperature=None
        )

    monkeypatch.setattr(telemetry, "sampler", lambda *given: slow)
    watcher = Telemetry(torch.device("cuda:0"), seen.append, interval=0.005)
    watcher.begin()
    assert seen == []
    watcher.end()
    answer.set()
    eventually(lambda: not any(thread.name == "telemetry" for thread in threading.enumerate()))
    assert seen == [], "an answer after the end is not written"


def test_a_gpu_as_nvidia_smi_and_the_allocator_tell(monkeypatch: Any) -> None:
    text = "3, GPU-7, 81559, 62504, 18562, 97, 71, H100\n"
    monkeypatch.setattr(telemetry, "uuid_of", lambda number: "GPU-7")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: type("P", (), {"total_memory": 8 << 30}))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 123)
    monkeypatch.setattr(telemetry.nvidia, "look", lambda **kind: parse_gpus(text))
    use = CudaSampler(torch.device("cuda:1"))()
    assert (use.device, use.memory_own, use.memory_used) == ("cuda:1", 123, 62504 << 20)
    assert (use.memory_total, use.utilization, use.temperature) == (81559 << 20, 97.0, 71.0)
    monkeypatch.setattr(telemetry.nvidia, "look", lambda **kind: [])
    use = CudaSampler(torch.device("cuda:1"))()
    assert (use.memory_own, use.memory_used, use.memory_total, use.temperature) == (123, None, 8 << 30, None)


@pytest.mark.parametrize("superseded", [False, True])
def test_a_run_tells_its_device_use_after_its_plan_and_readers_show_the_latest(superseded: bool, nursery: Any) -> None:
    run_dir = nursery.train(DIGITS)
    if superseded:
        process = nursery.start(run_dir)
        nursery.finish(run_dir, process)
    records = read(run_dir)
    kinds = [record["type"] for record in records]
    assert kinds.count("device_use") == kinds.count("finished")
    assert kinds.index("plan") < kinds.index("device_use") < kinds.index("steps")
    assert kinds[-1] == "finished"
    uses = [record for record in records if record["type"] == "device_use"]
    assert [problem for use in uses for problem in check_record(use)] == []
    assert uses[0]["device"] == "cpu" and uses[0]["memory_own"] > 0
    assert [record for record in effective(records) if record["type"] == "device_use"] == uses
    history = History()
    history.feed(records)
    assert history.device_use == uses[-1]
    assert history.state == "completed"
