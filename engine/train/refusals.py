"""What torch refuses to compute, in words that name the layer and the key to change."""

from __future__ import annotations

import re

import torch
from torch import nn

from engine.train.executors.autograd import AutogradExecutor
from engine.train.feed.opening import size
from engine.train.loop import Loop
from engine.train.session import Session

NO_KERNEL = "does not have a deterministic implementation"
ONE_VALUE = "Expected more than 1 value per channel when training"


def in_words(error: BaseException, session: Session | None) -> str:
    """A sentence for a person, or "" where the error is nothing known."""
    text = str(error)
    if NO_KERNEL in text:
        layer = _guilty(session, NO_KERNEL)
        what = f"layer {layer}" if layer else text.split(" ")[0]
        return (
            f"{what} has no deterministic kernel on {session.choice.device if session else 'this device'}; "
            "set train.deterministic: false, train.device: cpu, or use another layer"
        )
    if ONE_VALUE in text:
        layer = _guilty(session, ONE_VALUE, rows=1)
        return (
            f"{f'layer {layer}' if layer else 'a BatchNorm layer'} met a batch of one row, which has no spread to "
            "normalise by; change data.batch_size, or set data.drop_last: true"
        )
    return ""


def smaller_batch(loop: Loop | None, message: str) -> str:
    """What to do where memory does not suffice; `message` is torch's or Python's, which may be empty."""
    asked = re.search(r"tried to allocate (\d+) bytes", message)
    message = f"the memory ran out: {size(int(asked[1]))} more were asked for" if asked else message
    message = message or "the memory ran out"
    if loop is None or loop.recipe.data.batch_size == 1:
        return f"{message}; try a smaller network, or train.device: cpu"
    rows = loop.recipe.data.batch_size
    return f"{message}; batch_size is {rows}: fork with --set data.batch_size={max(rows // 2, 1)}"


def _guilty(session: Session | None, words: str, rows: int = 2) -> str:
    """The layer that raises an error with these words, found by running them one after another."""
    if session is None or not isinstance(session.executor, AutogradExecutor):
        return ""
    model = session.executor.model.train()
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    x = torch.zeros(rows, *session.prepared.facts.shape, device=device)
    for name, layer in model.named_children():
        try:
            x = _through(layer, x)
        except (RuntimeError, ValueError) as error:
            return name if words in str(error) else ""
    return ""


def _through(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    y: torch.Tensor = layer(x.detach().requires_grad_())
    if y.requires_grad:
        y.sum().backward()  # type: ignore[no-untyped-call]
    return y
