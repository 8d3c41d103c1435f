"""The generators that dropout draws from, as arrays that a checkpoint can hold."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch


def generator_state(device: torch.device) -> dict[str, npt.NDArray[Any]]:
    """State of the CPU's and of the device's default generator, uint8 by name."""
    states = {"generator/cpu": torch.get_rng_state().numpy()}
    if device.type == "cuda":
        states["generator/cuda"] = torch.cuda.get_rng_state(device).numpy()
    elif device.type == "mps":
        states["generator/mps"] = torch.mps.get_rng_state().numpy()
    return states


def set_generator_state(states: dict[str, npt.NDArray[Any]], device: torch.device) -> None:
    """Put the generators where they were; a device that the states do not name keeps its own."""
    torch.set_rng_state(torch.tensor(states["generator/cpu"]))
    if device.type == "cuda" and "generator/cuda" in states:
        torch.cuda.set_rng_state(torch.tensor(states["generator/cuda"]), device)
    elif device.type == "mps" and "generator/mps" in states:
        torch.mps.set_rng_state(torch.tensor(states["generator/mps"]))
