"""A state to go back to, kept in memory: weights, buffers, optimizer and generator."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from engine.train.generator import generator_state, set_generator_state


class Mark:
    """Copies into memory that is made once, so that taking a mark costs one pass over the weights."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> None:
        self._model, self._optimizer, self._device = model, optimizer, device
        self._live: list[torch.Tensor] = []
        self._copies: list[torch.Tensor] = []
        self._generator: dict[str, npt.NDArray[Any]] = {}

    def take(self) -> None:
        """Remember the present state."""
        live = [*self._model.parameters(), *self._model.buffers(), *self._optimizer_tensors()]
        if len(live) != len(self._live) or any(a is not b for a, b in zip(live, self._live, strict=True)):
            self._live, self._copies = live, [torch.empty_like(tensor) for tensor in live]
        with torch.no_grad():
            torch._foreach_copy_(self._copies, self._live)
        self._generator = generator_state(self._device)

    def restore(self) -> None:
        """Go back to what was remembered; what the optimizer has made since then is forgotten."""
        known = {id(tensor) for tensor in self._live}
        for state in self._optimizer.state.values():
            for key in [key for key, value in state.items() if torch.is_tensor(value) and id(value) not in known]:
                del state[key]
        for parameter in [parameter for parameter, state in self._optimizer.state.items() if not state]:
            del self._optimizer.state[parameter]
        with torch.no_grad():
            torch._foreach_copy_(self._live, self._copies)
        set_generator_state(self._generator, self._device)

    def _optimizer_tensors(self) -> list[torch.Tensor]:
        return [value for state in self._optimizer.state.values() for value in state.values() if torch.is_tensor(value)]
