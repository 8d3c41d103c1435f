"""The graph executor: on a CUDA GPU, whole steps captured once and replayed, many at a time.

A replay does everything of a step on the device: choosing the batch, scaling, forward and backward pass, clipping,
update, keeping the loss. The host launches one graph where it launched dozens of kernels a step; augmentation is
launched once for a block of batches. The step is a plain function over fixed buffers, which does the same work
uncaptured: on the first step, and wherever there is no recorder.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from engine.data.prepared import Prepared
from engine.recipe.schema import Recipe
from engine.runs import live
from engine.train.executors.autograd import AutogradExecutor
from engine.train.executors.choice import Uncovered
from engine.train.executors.executor import Ran, Rate
from engine.train.executors.graph.blocks import Blocks
from engine.train.executors.graph.buffers import WINDOW, Buffers
from engine.train.executors.graph.capture import Addresses, Captures, CudaRecorder, Recorder
from engine.train.executors.mark import Mark
from engine.train.feed.feed import Feed
from engine.train.feed.resident import resident

STRIDES = (WINDOW, 8, 1)
"""How many steps a replay does, longest first."""
FREE = ("optimizer.lr", "train.epochs", "train.early_stopping")
"""Live edits that no recording knows of."""


class GraphExecutor(AutogradExecutor):
    """Autograd's arithmetic, phase by phase, over fixed buffers."""

    def __init__(
        self,
        recipe: Recipe,
        prepared: Prepared,
        feed: Feed,
        *,
        device: torch.device,
        recorder: Recorder | None = None,
        **choice: Any,
    ) -> None:
        """Without a CUDA device and without `recorder`, steps are done one by one, uncaptured."""
        if recorder is None and device.type == "cuda":
            recorder = CudaRecorder(device)
        self.captures = Captures(recorder) if recorder is not None else None
        self.trouble = ""
        """Why a capture failed, if one did: since then steps are done uncaptured."""
        self._cramped = False
        """Whether memory ran out, so that the rows are not on the device and steps are the plain executor's."""
        self._held: Recipe | None = None
        self._broken_flag = torch.zeros((), dtype=torch.bool, device=device)
        super().__init__(recipe, prepared, feed, device=device, **choice)
        x, y = tensors_on(feed, prepared, device)
        data = recipe.data
        self.buffers = Buffers(
            prepared.train, x, y, seed=recipe.seed, batch_size=data.batch_size, shuffle=data.shuffle, device=device
        )
        self.blocks = None
        if self._augment is not None:
            self.blocks = Blocks(self._augment, self.buffers, self._to_unit, x[0].numel())
        for group in self.optimizer.param_groups:
            # torch asks for it in a capture, of optimizers too that have no such switch
            group["capturable"] = device.type == "cuda"
        # and it would warn of the first step, which is meant to be outside of one
        vars(self.optimizer)["_warned_capturable_if_run_uncaptured"] = True

    # One step

    def _one(self, slot: int, size: int) -> None:
        """The step of a slot of the windows: everything that a capture records."""
        buffers = self.buffers
        chosen = buffers.chosen(slot, size)
        if self.blocks is None:
            x = self._to_unit(buffers.x.index_select(0, chosen))
        else:
            x = self.blocks.inputs(slot, size)
        loss = self._loss(self._forward(self._normalize(x)), buffers.y.index_select(0, chosen))
        self._backward(loss)
        self._clip()
        for group in self.optimizer.param_groups:
            group["lr"] = buffers.rate(slot)
        self._make_update()
        buffers.put_loss(slot, loss.detach())

    def _forward(self, x: torch.Tensor) -> torch.Tensor:
        if self._precision == "bf16":
            # torch's cache of cast weights must not outlive a capture
            with torch.autocast(self._device.type, dtype=torch.bfloat16, cache_enabled=False):
                wide: torch.Tensor = self._network(x.contiguous(memory_format=self._layout)).float()
                return wide
        return super()._forward(x)

    def _update(self, rate: Rate) -> None:
        self._rate = None  # the captured steps set the rate past it
        super()._update(rate)

    # Chunks of steps

    def run(self, epoch: int, index: int, rates: Sequence[Rate]) -> Ran:
        if self._cramped:
            return super().run(epoch, index, rates)
        self.model.train()
        buffers = self.buffers
        buffers.turn_to(epoch)
        buffers.begin([rate.lr for rate in rates])
        self._broken_flag.zero_()
        if self.captures is not None:
            self.captures.check(self._addresses())
        done = 0
        while done < len(rates):
            size = buffers.size(index + done)
            most = min(len(rates) - done, buffers.whole_batches(index + done))
            if self.blocks is not None:
                most = min(most, self.blocks.left(index + done))
            count = next(stride for stride in STRIDES if stride <= max(most, 1))
            buffers.fill(index + done, done, count)
            if self.blocks is not None:
                self.blocks.fill(index + done, count)
            self._advance(count, size)
            buffers.keep(done, count)
            done += count
        return Ran(buffers.losses(len(rates)), self._denominators(epoch, index, len(rates)))

    def _advance(self, count: int, size: int) -> None:
        """`count` steps of `size` rows, captured where that is possible."""
        captures = self.captures
        if captures is not None and not captures.cold and not captures.has(count, size):
            self._capture(captures, count, size)
            captures = self.captures
        if captures is not None and not captures.cold:
            captures.replay(count, size)
            return
        self._steps(count, size)
        if captures is not None:
            captures.settle(self._addresses())

    def _steps(self, count: int, size: int) -> None:
        for slot in range(count):
            self._one(slot, size)

    def _capture(self, captures: Captures, count: int, size: int) -> None:
        """Record steps without doing any. Where that fails, steps are done uncaptured from now on."""
        mark = Mark(self.model, self.optimizer, self._device)
        broken = self._broken_flag.clone()
        mark.take()
        try:
            captures.warm(size, lambda: self._one(0, size))
            mark.restore()
            self.optimizer.zero_grad(set_to_none=True)
            captures.record(count, size, lambda: self._steps(count, size))
        except BaseException as error:
            mark.restore()
            captures.drop()
            if not isinstance(error, RuntimeError) or isinstance(error, torch.OutOfMemoryError):
                raise
            self.trouble = str(error).splitlines()[0] if str(error) else type(error).__name__
            self.captures = None
            print(f"steps are not captured any more: {error}", file=sys.stderr, flush=True)  # noqa: T201
        finally:
            self.optimizer.zero_grad(set_to_none=True)  # what a capture leaves here lies in its private memory
            self._broken_flag.copy_(broken)

    def _addresses(self) -> Addresses:
        """Where everything lies that recordings hold on to and that others than this class could replace."""
        held = [*self.model.parameters(), *self.model.buffers()]
        for parameter in self._parameters:
            held += [value for value in self.optimizer.state.get(parameter, {}).values() if torch.is_tensor(value)]
        return tuple(tensor.data_ptr() for tensor in held)

    def _denominators(self, epoch: int, index: int, count: int) -> Any:
        if self._class_weights is None:
            return np.array([self.buffers.size(index + offset) for offset in range(count)], np.float64)
        batches = [self._feed.positions(epoch, index + offset) for offset in range(count)]
        return np.array([self._denominator(self._targets[batch]) for batch in batches], np.float64)

    # Changes from outside

    def make_room(self) -> str:
        nothing = torch.zeros(0, device=self._device)
        self.buffers.x = self.buffers.y = nothing
        self.blocks, self._cramped = None, True
        if self.captures is not None:
            self.captures.drop()
            self.captures = None
        said = super().make_room()
        return f"{said}, and steps are not captured any more" if said else ""

    def set(self, recipe: Recipe) -> None:
        super().set(recipe)
        if self._clip_norm is None and self._clip_value is not None:
            self._gradients_broken = self._broken_flag
        if self.captures is not None and self._held is not None and felt(self._held, recipe):
            self.captures.drop()
        self._held = recipe


def felt(before: Recipe, after: Recipe) -> bool:
    """Whether what is recorded of one recipe is wrong for the other: kernels took the numbers as they were."""
    return any(not path.startswith(FREE) for path, _ in live.differences(before, after))


def tensors_on(feed: Feed, prepared: Prepared, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The training part on the device: the feed's own tensors where they lie there. Raises Uncovered."""
    held = getattr(feed, "tensors", None)
    if held is not None and held[0].device.type == held[1].device.type == device.type:
        return held[0], held[1]
    if isinstance(prepared.train.x, np.ndarray) and device.type == "cpu":
        return resident(prepared.train.x, device), resident(prepared.train.y, device)
    raise Uncovered("the training rows do not fit into the device's free memory")
