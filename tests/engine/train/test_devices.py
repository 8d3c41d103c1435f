"""Which GPU of several is taken, and what is said of the others."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch

from engine.errors import UserError
from engine.machine.nvidia import Gpu, Process
from engine.train import devices, plan
from engine.train.devices import amount, emptiest, holders, match, reason, room

GIB = 1 << 30


def gpu(index: int, free: int | None, *processes: Process, total: int = 80 * GIB) -> Gpu:
    used = None if free is None else total - free
    return Gpu(index, f"GPU-{index}", "H100", total, used, free, 10.0, 50.0, processes)


def test_the_emptiest_is_taken() -> None:
    assert emptiest([3, 9, 9]) == 1
    assert emptiest([None, 1]) == 1
    assert emptiest([None, None]) == 0
    assert emptiest([0, None]) == 0


def test_the_reason_names_who_holds_the_others() -> None:
    alice = Process(123, 61 * GIB, "python", "alice", "python train.py")
    found = [gpu(0, 18 * GIB, alice), gpu(1, 70 * GIB)]
    assert (
        reason(found, [each.free for each in found])
        == "cuda:1 has the most free memory (70 of 80 GiB); cuda:0 is held by alice (pid 123, 61 GiB)"
    )


def test_holders_in_words() -> None:
    own = Process(os.getpid(), 9 * GIB, "python", "me")
    small = Process(2, 10 << 20, "Xorg", "root")
    assert holders(gpu(0, 79 * GIB, own, small)) == ""
    assert holders(gpu(0, 79 * GIB, Process(5, None, "python"))) == "python (pid 5)"
    many = [Process(pid, pid * GIB, "python", f"user{pid}") for pid in range(1, 6)]
    assert holders(gpu(0, 9 * GIB, *many)) == (
        "user5 (pid 5, 5.0 GiB), user4 (pid 4, 4.0 GiB), user3 (pid 3, 3.0 GiB) and 2 more"
    )
    # in a container: memory is taken, and nobody is to be seen
    assert holders(gpu(0, 20 * GIB)) == "somebody who cannot be seen from here (60 GiB)"
    assert holders(gpu(0, None)) == ""


def test_amounts() -> None:
    assert [amount(size) for size in (GIB // 2, 9 * GIB, 61 * GIB)] == ["0.5 GiB", "9.0 GiB", "61 GiB"]
    assert room(70 * GIB, 80 * GIB) == "70 of 80 GiB"
    assert room(70 * GIB, None) == "70 GiB"
    assert room(None, None) == "unknown"


def test_uuids_find_their_gpu_and_unknown_ones_go_by_their_place() -> None:
    gpus = [gpu(0, GIB), gpu(1, 2 * GIB)]
    assert match(gpus, ["gpu-1", "GPU-0"], gpus) == [gpus[1], gpus[0]]
    assert match(gpus, ["MIG-7"], gpus) == [None]
    assert match(gpus, [None, None, None], [gpus[1], None]) == [gpus[1], None, None]


class Cards:
    """Stands in for torch's GPUs."""

    def __init__(self, monkeypatch: Any, gpus: list[Gpu], uuids: list[str | None], free: dict[int, int]) -> None:
        self.asked: list[int] = []
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(uuids))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(uuids))
        monkeypatch.setattr(devices, "uuid_of", lambda number: uuids[number])
        monkeypatch.setattr(devices.nvidia, "look", lambda *patience, **kind: gpus)
        monkeypatch.setattr(torch.cuda, "mem_get_info", self.mem_get_info)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H100")
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
        self.free = free

    def mem_get_info(self, number: int) -> tuple[int, int]:
        self.asked.append(number)
        if number not in self.free:
            raise RuntimeError("CUDA error: out of memory")
        return self.free[number], 80 * GIB


def test_auto_takes_the_emptiest_and_asks_cuda_only_where_it_must(monkeypatch: Any) -> None:
    gpus = [gpu(0, 5 * GIB, Process(9, 70 * GIB, "python", "bob")), gpu(1, 40 * GIB), gpu(2, 60 * GIB)]
    cards = Cards(monkeypatch, gpus, ["GPU-2", "GPU-0"], {})  # CUDA_VISIBLE_DEVICES=2,0
    found = devices.find()
    assert found.device == torch.device("cuda:0")
    assert found.reason == "cuda:0 has the most free memory (60 of 80 GiB); cuda:1 is held by bob (pid 9, 70 GiB)"
    assert cards.asked == []
    assert plan.find_device("auto") == torch.device("cuda:0")
    assert plan.find_device("cuda:01") == torch.device("cuda:1")  # torch itself refuses to read it
    with pytest.raises(UserError, match="there is no cuda:2"):
        plan.find_device("cuda:2")
    with pytest.raises(UserError, match="is no device"):
        plan.find_device("cuda:²")


def test_without_nvidia_smi_cuda_is_asked(monkeypatch: Any) -> None:
    cards = Cards(monkeypatch, [], [None, None, None], {1: 3 * GIB, 2: 7 * GIB})
    found = devices.find()
    assert found.device == torch.device("cuda:2")
    assert found.reason == "cuda:2 has the most free memory (7.0 GiB)"
    assert cards.asked == [0, 1, 2]


def test_nothing_known_takes_the_first(monkeypatch: Any) -> None:
    Cards(monkeypatch, [], [None, None], {})
    assert devices.find().device == torch.device("cuda:0")
    assert "no GPU tells" in devices.find().reason


def test_one_gpu_is_taken_with_a_word_on_who_shares_it(monkeypatch: Any) -> None:
    cards = Cards(monkeypatch, [gpu(0, 5 * GIB, Process(9, 70 * GIB, "python", "bob"))], ["GPU-0"], {})
    assert devices.find().reason == "cuda:0 is shared with bob (pid 9, 70 GiB)"
    assert cards.asked == []


def test_no_gpu_no_words() -> None:
    if not torch.cuda.is_available() and not torch.backends.mps.is_available():
        assert devices.find() == devices.Found(torch.device("cpu"))


def test_a_next_life_on_auto_keeps_its_gpu(monkeypatch: Any) -> None:
    Cards(monkeypatch, [gpu(0, GIB), gpu(1, 9 * GIB)], ["GPU-0", "GPU-1"], {})
    choice = plan.Choice("autograd", "cuda:0", 1, "fp32", "fused", "contiguous", "", "", None)
    assert plan._is_meant("auto", choice)
    assert plan._is_meant("cuda", choice)
    assert not plan._is_meant("cuda:1", choice)
    assert not plan._is_meant("cpu", choice)
