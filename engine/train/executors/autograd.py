"""The plain executor: PyTorch's own autograd and optimizers, on any device, for any recipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.data.facts import Facts
from engine.data.prepared import Prepared
from engine.data.samples import Samples
from engine.errors import UserError
from engine.recipe.schema import Recipe
from engine.runs import live
from engine.train import layers
from engine.train.build.augmentation import Mix, build_augmentation
from engine.train.build.loss import build_loss
from engine.train.build.model import build_model, count_parameters
from engine.train.build.optimizer import build_optimizer, set_momentum
from engine.train.executors.executor import Losses, Ran, Rate, Slice, State
from engine.train.executors.lean import spare_compiler, update_of
from engine.train.executors.mark import Mark
from engine.train.executors.quick_order import in_quick_order
from engine.train.feed.feed import Batch, Feed
from engine.train.feed.mapped import MappedFeed
from engine.train.feed.resident import resident
from engine.train.generator import generator_state, set_generator_state


class AutogradExecutor:
    """Forward, loss, backward, clip, update: one method each."""

    def __init__(
        self,
        recipe: Recipe,
        prepared: Prepared,
        feed: Feed,
        *,
        device: torch.device,
        precision: str = "fp32",
        kernel: str | None = None,
        memory_format: str = "contiguous",
    ) -> None:
        """Build network, loss and optimizer; the weights come from `recipe.seed`, drawn on the CPU."""
        torch.manual_seed(recipe.seed)
        layout = FORMATS[memory_format]
        self.model = build_model(recipe, prepared.facts).to(device, memory_format=layout)  # type: ignore[call-overload]
        self._network = in_quick_order(self.model)
        images = len(prepared.facts.shape) == 3
        self._layout = torch.channels_last if images and layout == torch.channels_last else torch.contiguous_format
        self.criterion = build_loss(recipe, prepared.facts).to(device)
        spare_compiler()
        self.optimizer = build_optimizer(recipe, self.model, device, kernel)
        self._make_update = update_of(self.optimizer)
        self._augment = build_augmentation(recipe, device)
        self._device, self._precision, self._feed = device, precision, feed
        data = recipe.data
        self._feed_in_little_room = partial(
            MappedFeed,
            prepared.train,
            seed=recipe.seed,
            batch_size=data.batch_size,
            shuffle=data.shuffle,
            device=device,
            reason="memory ran out with the training rows in it",
        )
        self._named = dict(self.model.named_parameters())
        self._parameters = list(self._named.values())
        self._targets, self._source_rows = prepared.train.y, prepared.train.rows
        self._parts = {"train": prepared.train, "validation": prepared.validation, "test": prepared.test}
        self._scaling = prepared.scaling
        self._mean, self._std = self._channels(prepared)
        self._normalizes = bool((self._mean != 0).any() or (self._std != 1).any())
        self._mark = Mark(self.model, self.optimizer, device)
        self._clip_norm: float | None = None
        self._clip_value: float | None = None
        self._rate: Rate | None = None
        """What the optimizer is set to."""
        self._gradients_broken: torch.Tensor | None = None
        """Whether a gradient was not finite before it was cut, in this chunk."""
        weight = self.criterion.weight
        self._class_weights = None if weight is None else weight.detach().cpu().numpy().astype(np.float64)
        self.set(recipe)

    # The phases of a step

    def _step(self, batch: Batch, epoch: int, index: int, rate: Rate) -> torch.Tensor:
        x, mix = self._enter(batch, epoch, index)
        loss = self._loss(self._forward(x), batch.y, mix)
        self._backward(loss)
        self._clip()
        self._update(rate)
        return loss.detach()

    def _enter(self, batch: Batch, epoch: int, index: int) -> tuple[torch.Tensor, Mix | None]:
        """Scale raw images and change the batch at random, as (B, *shape) float32; how its samples were mixed."""
        if self._augment is None:
            return self._normalize(self._to_unit(batch.x)), None
        x, mix = self._augment(batch.x, batch.positions, epoch, index, self._to_unit)
        return self._normalize(x), mix

    def _settle(self, x: torch.Tensor) -> torch.Tensor:
        """Raw rows as the network sees them outside training."""
        x = self._to_unit(x)
        return self._normalize(x if self._augment is None else self._augment.steady(x))

    def _forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.contiguous(memory_format=self._layout)
        if self._precision == "bf16":
            with torch.autocast(self._device.type, dtype=torch.bfloat16):
                wide: torch.Tensor = self._network(x).float()
                return wide
        outputs: torch.Tensor = self._network(x)
        return outputs

    def _loss(self, outputs: torch.Tensor, targets: torch.Tensor, mix: Mix | None = None) -> torch.Tensor:
        if mix is not None:
            return mix.loss(self.criterion, outputs, targets)
        loss: torch.Tensor = self.criterion(outputs, targets)
        return loss

    def _backward(self, loss: torch.Tensor) -> None:
        for parameter in self._parameters:
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]

    def _clip(self) -> None:
        if self._clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, self._clip_norm)
        elif self._clip_value is not None:
            if self._gradients_broken is not None:
                self._gradients_broken.logical_or_(self._nonfinite_gradient())
            torch.nn.utils.clip_grad_value_(self._parameters, self._clip_value)

    def _update(self, rate: Rate) -> None:
        if rate != self._rate:
            self._rate = rate
            for group in self.optimizer.param_groups:
                group["lr"] = rate.lr
            if rate.momentum is not None:
                set_momentum(self.optimizer, rate.momentum)
        self._make_update()

    # Chunks of steps

    def run(self, epoch: int, index: int, rates: Sequence[Rate]) -> Ran:
        if not self.model.training:  # walking over all modules takes longer than a small layer
            self.model.train()
        on_cpu = self._device.type == "cpu"
        self._gradients_broken = None
        if self._clip_norm is None and self._clip_value is not None:
            self._gradients_broken = torch.zeros((), dtype=torch.bool, device=self._device)
        losses: list[Any] = []
        denominators = np.empty(len(rates), np.float64)
        for offset, rate in enumerate(rates):
            batch = self._feed.batch(epoch, index + offset)
            loss = self._step(batch, epoch, index + offset, rate)
            losses.append(loss.item() if on_cpu else loss)
            weighed = () if self._class_weights is None else self._feed.positions(epoch, index + offset)
            denominators[offset] = self._denominator(self._targets[weighed]) if len(weighed) else len(batch.y)
        if not on_cpu:
            losses = torch.stack(losses).cpu().tolist()
        return Ran(np.array(losses, np.float32), denominators)

    def _denominator(self, targets: npt.NDArray[Any]) -> float:
        if self._class_weights is None:
            return float(len(targets))
        return float(self._class_weights[targets].sum())

    def evaluate(self, part: str) -> Iterator[Slice]:
        data = self._parts[part]
        if data is None:
            raise UserError("the data has no test part", "give data.split.test a share or a file")
        yield from self.evaluate_rows(data.x, data.y)

    def evaluate_rows(self, x: Samples, y: npt.NDArray[Any] | None, slice_rows: int | None = None) -> Iterator[Slice]:
        rows = slice_rows or slice_of(x.shape[1:])
        for start in range(0, len(x), rows):
            with torch.inference_mode():
                if self.model.training:
                    self.model.eval()
                inputs = resident(x[start : start + rows], self._device)
                outputs = self._forward(self._settle(inputs))
                numerator = denominator = 0.0
                if y is not None:
                    targets = resident(y[start : start + rows], self._device)
                    denominator = self._denominator(y[start : start + rows])
                    numerator = float(self._loss(outputs, targets)) * denominator if denominator else 0.0
                slice_ = Slice(numerator, denominator, outputs.cpu().numpy())
            yield slice_

    @property
    def parameters(self) -> int:
        return count_parameters(self.model)

    def score(self, outputs: npt.NDArray[np.float32], y: npt.NDArray[Any]) -> float:
        with torch.inference_mode():
            return float(self._loss(resident(outputs, self._device), resident(y, self._device)))

    def _to_unit(self, x: torch.Tensor) -> torch.Tensor:
        if self._scaling is None:
            return x
        x = x.to(torch.float32)
        return x if self._scaling.scale == 1 else x * self._scaling.scale

    def _normalize(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self._mean) / self._std if self._normalizes else x

    def _channels(self, prepared: Prepared) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation by channel, in the shape that a batch takes them."""
        scaling = prepared.scaling
        shape = (1, -1, *[1] * (len(prepared.facts.shape) - 1))
        mean, std = (scaling.mean, scaling.std) if scaling is not None else ((0.0,), (1.0,))
        return (
            torch.tensor(mean, dtype=torch.float32, device=self._device).view(shape),
            torch.tensor(std, dtype=torch.float32, device=self._device).view(shape),
        )

    # Health

    def finite(self, losses: Losses) -> bool:
        """A weight that is once not finite stays so, and a gradient that is not finite makes its weight so, unless it
        was cut to a value: one look at the end of a chunk is enough."""
        if not np.isfinite(losses).all():
            return False
        if self._gradients_broken is not None and bool(self._gradients_broken):
            return False
        return all_finite(self._parameters)

    def _nonfinite_gradient(self) -> torch.Tensor:
        grads = [p.grad for p in self._parameters if p.grad is not None]
        return torch.stack([~torch.isfinite(g).all() for g in grads]).any()

    def blame(self, epoch: int, index: int, rate: Rate) -> dict[str, Any] | None:
        self.model.train()
        batch = self._feed.batch(epoch, index)
        x, mix = self._enter(batch, epoch, index)
        if not torch.isfinite(x).all():
            return {"what": "input", "layer": None}
        with layers.watch(self.model) as seen:
            outputs = self._forward(x)
        loss = self._loss(outputs, batch.y, mix)
        if not torch.isfinite(loss):
            return {"what": "loss", "layer": seen.first, "loss": float(loss.detach())}
        self._backward(loss)
        for name, parameter in reversed(self._named.items()):
            if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
                return {"what": "gradient", "layer": layers.of_weight(name), "loss": float(loss.detach())}
        self._clip()
        self._update(rate)
        for name, parameter in self._named.items():
            if not torch.isfinite(parameter).all():
                return {"what": "weight", "layer": layers.of_weight(name), "loss": float(loss.detach())}
        return None

    # State

    def mark(self) -> None:
        self._mark.take()

    def rewind(self) -> None:
        self._mark.restore()

    def state(self) -> State:
        tensors = {f"model/{name}": to_numpy(value) for name, value in self.model.state_dict().items()}
        for name, parameter in self._named.items():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                if torch.is_tensor(value):
                    tensors[f"optimizer/{name}/{key}"] = to_numpy(value)
        tensors |= generator_state(self._device)
        return State(tensors, {"optimizer": type(self.optimizer).__name__})

    def load(self, state: State, *, weights_only: bool = False) -> None:
        self._load_weights(state)
        if not weights_only:
            self._load_optimizer(state)
            set_generator_state(state.tensors, self._device)
        self._mark = Mark(self.model, self.optimizer, self._device)

    def _load_weights(self, state: State) -> None:
        found = {k.removeprefix("model/"): v for k, v in state.tensors.items() if k.startswith("model/")}
        own = self.model.state_dict()
        for name, value in own.items():
            if name not in found or tuple(found[name].shape) != tuple(value.shape):
                raise UserError(
                    f"the saved weights do not fit this network: {name} is {tuple(value.shape)} here"
                    + (f" and {tuple(found[name].shape)} there" if name in found else ", and not there at all"),
                    "keep the layers as they were, or start a new run",
                )
        if left := sorted(set(found) - set(own)):
            raise UserError(
                f"the saved weights do not fit this network: it has no {left[0]}",
                "keep the layers as they were, or start a new run",
            )
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(torch.tensor(found[name]))

    def _load_optimizer(self, state: State) -> None:
        """Through torch's own `load_state_dict`, which knows where each kernel wants its numbers.

        Moments lie in memory as their weights do: a fused kernel walks both side by side.
        """
        saved: dict[int, dict[str, torch.Tensor]] = {}
        if state.data.get("optimizer") == type(self.optimizer).__name__:
            for number, name in enumerate(self._named):
                prefix = f"optimizer/{name}/"
                weight = self._named[name]
                entries = {
                    k.removeprefix(prefix): _laid_out_as(weight, torch.tensor(v))
                    for k, v in state.tensors.items()
                    if k.startswith(prefix)
                }
                if entries:
                    saved[number] = entries
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": saved, "param_groups": groups})
        self._complete_state()

    def _complete_state(self) -> None:
        """Torch's RMSprop makes its momentum's memory with the first step alone, and may get momentum later."""
        if isinstance(self.optimizer, torch.optim.RMSprop) and self.optimizer.param_groups[0]["momentum"] > 0:
            for weight, state in self.optimizer.state.items():
                if state and "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(weight)

    def set(self, recipe: Recipe) -> None:
        self._clip_norm = recipe.train.clip_grad_norm
        self._clip_value = recipe.train.clip_grad_value
        self._gradients_broken = None
        self._rate = None
        values = {name: getattr(recipe.optimizer, name) for name in live.fields(recipe.optimizer) if name != "lr"}
        for group in self.optimizer.param_groups:
            for name, value in values.items():
                group[name] = tuple(value) if isinstance(value, list) else value
        layers.set_live(self.model, recipe.model.layers)
        self._complete_state()

    def make_room(self) -> str:
        if self._feed.kind != "resident":
            return ""
        self._feed.close()
        self._feed = self._feed_in_little_room()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        return "the training rows are gathered from where they lie from now on"

    def rows(self, epoch: int, index: int) -> npt.NDArray[np.int64]:
        return self._source_rows[self._feed.positions(epoch, index)]

    def close(self) -> None:
        self._feed.close()


FORMATS = {"contiguous": torch.preserve_format, "channels_last": torch.channels_last}
"""Memory formats by the plan's words. Weights are made contiguous, so that preserving them keeps them so."""


def refuses(recipe: Recipe, facts: Facts, device: torch.device, precision: str) -> str | None:
    """Autograd runs every recipe."""
    return None


def build(recipe: Recipe, prepared: Prepared, feed: Feed, **choice: Any) -> AutogradExecutor:
    """The executor at its initial weights."""
    return AutogradExecutor(recipe, prepared, feed, **choice)


def slice_of(shape: tuple[int, ...]) -> int:
    """Rows of one slice of an evaluation: as many as a processor's cache holds, and a multiple of 16."""
    return 2048 if len(shape) == 1 else 128


def _laid_out_as(weight: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    if value.shape != weight.shape:
        return value
    return torch.empty_like(weight, device="cpu").detach().copy_(value)


def to_numpy(tensor: torch.Tensor) -> npt.NDArray[Any]:
    """A copy on the host."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format).numpy()


def all_finite(tensors: Sequence[torch.Tensor]) -> bool:
    """Whether every number is finite.

    The Euclidean norm has the one fast kernel among the norms. That of finite numbers can overflow, so it only ever
    clears of suspicion.
    """
    norms = torch.stack(torch._foreach_norm(list(tensors), 2))
    return bool(torch.isfinite(norms).all()) or all(bool(torch.isfinite(tensor).all()) for tensor in tensors)
