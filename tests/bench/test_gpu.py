"""The measurement for GPUs, where there is none: that it says so, and that all its pieces work."""

from __future__ import annotations

from typing import Any

import torch

from bench import gpu


def test_without_a_gpu_it_says_so_and_ends_well(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 0
    assert capsys.readouterr().out == "no CUDA GPU here: nothing to measure\n"


def test_every_piece_works(capsys: Any) -> None:
    assert gpu.main(["--dry", "--only", "MLP"]) == 0
    out = capsys.readouterr().out
    assert "failed" not in out
    for name in ("plain loop", "goodfit autograd", "goodfit graph", "floor", "stack of 3", "graph against autograd"):
        assert name in out
