"""The functions of torch that are not promised to stay: all in one place, so that a torch without them is refused."""

from __future__ import annotations

from typing import Any

import torch

_BACKWARD = {
    "threshold_backward": "grad_input",
    "leaky_relu_backward": "grad_input",
    "gelu_backward": "grad_input",
    "silu_backward": "grad_input",
    "tanh_backward": "grad_input",
    "sigmoid_backward": "grad_input",
    "huber_loss_backward": "out",
    "smooth_l1_loss_backward": "grad_input",
}
"""Derivatives that write into memory that is there, by the name of their overload."""
_PLAIN = (
    "_log_softmax_backward_data",
    "_fused_sgd_",
    "_fused_adam_",
    "_fused_adamw_",
    "_fused_adagrad_",
    "_foreach_copy_",
)


def missing() -> list[str]:
    """What this torch lacks."""
    names = [name for name, overload in _BACKWARD.items() if _find(name, overload) is None]
    return names + [name for name in _PLAIN if not hasattr(torch, name)]


def backward(name: str) -> Any:
    """The derivative of that name: (grad, ..., grad_input=memory)."""
    found = _find(name, _BACKWARD[name])
    # below the overload lies the operator itself: half a microsecond less a call
    return getattr(found, "_op", found)


def _find(name: str, overload: str) -> Any:
    packet = getattr(torch.ops.aten, name, None)
    return getattr(packet, overload, None)
