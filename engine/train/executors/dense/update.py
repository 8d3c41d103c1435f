"""Optimizers on flat tensors: one model by torch's fused kernels, several by a few calls for all of them at once.

Everything that an update reads and writes beside the gradients lies in one tensor, parameters first, so that a copy of
the whole state is one call. The formulas, and the order of their operations, are those of `torch.optim`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch

from engine.recipe.schema import Recipe
from engine.train.executors.dense.layout import Layout
from engine.train.executors.executor import Rate

Number = float | torch.Tensor
"""One for all models, or one for each value of the flat tensor."""
MOST = 64
"""Steps between two calls of `begin`."""


class Held(NamedTuple):
    """What a copy of the state needs beside the tensor."""

    steps: list[int]
    buffered: list[bool]


class Spread:
    """Turns one number a model into what a flat operation takes."""

    def __init__(self, layout: Layout) -> None:
        self._owners = layout.owners() if layout.models > 1 else None
        self._known: dict[str, tuple[tuple[float, ...], Number]] = {}

    def __call__(self, name: str, values: Sequence[float]) -> Number:
        key = tuple(values)
        known = self._known.get(name)
        if known is None or known[0] != key:
            number: Number = key[0]
            if any(value != key[0] for value in key):
                assert self._owners is not None
                number = torch.tensor(key, dtype=torch.float32).index_select(0, self._owners)
            known = self._known[name] = (key, number)
        return known[1]


class Update:
    """The optimizers of some models, all of one type."""

    def __init__(self, recipes: Sequence[Recipe], layout: Layout) -> None:
        first = recipes[0].optimizer
        self.kind = first.type_name()
        self._layout, self._models = layout, len(recipes)
        self._first: Any = first
        self._names = self._kept()
        self.whole = torch.zeros(1 + len(self._names), layout.size)
        """Parameters, then what the optimizer keeps: (1 + kept, size)."""
        self.parameters = self.whole[0]
        self.gradients = torch.zeros(layout.size)
        self._rows = {name: self.whole[1 + number] for number, name in enumerate(self._names)}
        self.steps = [0] * self._models
        self.buffered = [False] * self._models
        self._spread = Spread(layout)
        self._memory: dict[str, torch.Tensor] = {}
        self._ramp = torch.arange(1.0, MOST + 1.0)
        self._clock = torch.zeros(MOST)
        self._ticks = [[tick] for tick in self._clock.unbind()]
        self.set(recipes)
        for model in range(self._models):
            self.forget(model)

    def _kept(self) -> list[str]:
        part = self._first
        match self.kind:
            case "SGD":
                return ["momentum_buffer"]
            case "RMSprop":
                return ["square_avg", "momentum_buffer", *(["grad_avg"] if part.centered else [])]
            case "Adagrad":
                return ["sum"]
        return ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if part.amsgrad else [])]

    def set(self, recipes: Sequence[Recipe]) -> None:
        """Take over the optimizers' settings, the learning rate apart."""
        self._parts: list[Any] = [recipe.optimizer for recipe in recipes]
        self._fixed = self._fused() if self._models == 1 else None

    def _fused(self) -> Any:
        """Torch's kernel for one model, bound to what stays the same; takes a step's ticks and lr (and momentum)."""
        part, p, g = self._parts[0], [self.parameters], [self.gradients]
        rows = [[row] for row in self._rows.values()]
        decay = part.weight_decay
        match self.kind:
            case "Adam" | "AdamW":
                function = torch._fused_adam_ if self.kind == "Adam" else torch._fused_adamw_
                beta1, beta2 = part.betas
                largest = rows[2] if part.amsgrad else []
                return partial(
                    function, p, g, rows[0], rows[1], largest,
                    beta1=beta1, beta2=beta2, weight_decay=decay, eps=part.eps, amsgrad=part.amsgrad, maximize=False,
                )  # fmt: skip
            case "Adagrad":
                return partial(
                    torch._fused_adagrad_, p, g, rows[0],
                    lr_decay=part.lr_decay, weight_decay=decay, eps=part.eps, maximize=False,
                )  # fmt: skip
            case "SGD":
                return partial(
                    torch._fused_sgd_, p, g,
                    weight_decay=decay, dampening=part.dampening, nesterov=part.nesterov, maximize=False,
                )  # fmt: skip
        return None

    def begin(self, count: int) -> None:
        """Get ready for so many steps, at most `MOST`."""
        if self._fixed is not None and self.kind != "SGD":
            torch.add(self._ramp, float(self.steps[0]), out=self._clock)

    def end(self, count: int) -> None:
        """So many steps were made."""
        self.steps = [steps + count for steps in self.steps]

    def stepper(self) -> Callable[[int, Sequence[Rate]], None]:
        """`step`, or what does the same more quickly until the settings change."""
        fixed, ticks = self._fixed, self._ticks
        if fixed is None or self.kind not in ("Adam", "AdamW"):
            return self.step

        def step(number: int, rates: Sequence[Rate]) -> None:
            lr, momentum = rates[0]
            if momentum is None:
                fixed(ticks[number], lr=lr)
            else:
                fixed(ticks[number], lr=lr, beta1=momentum)

        return step

    def step(self, number: int, rates: Sequence[Rate]) -> None:
        """The update of step `number` since `begin`, with one rate a model."""
        if self._fixed is None:
            getattr(self, f"_{self.kind.lower()}")(number, rates)
            return
        lr, momentum = rates[0]
        if self.kind == "SGD":
            self._fused_sgd(lr, self._parts[0].momentum if momentum is None else momentum)
        elif momentum is None or self.kind == "Adagrad":
            self._fixed(self._ticks[number], lr=lr)
        else:
            self._fixed(self._ticks[number], lr=lr, beta1=momentum)

    def _fused_sgd(self, lr: float, momentum: float) -> None:
        assert self._fixed is not None
        if momentum == 0:
            self._fixed([], momentum=0.0, lr=lr, is_first_step=False)
            return
        self._fixed([self._rows["momentum_buffer"]], momentum=momentum, lr=lr, is_first_step=not self.buffered[0])
        self.buffered[0] = True

    # Several models, or an optimizer without a fused kernel

    def _momenta(self, rates: Sequence[Rate]) -> list[float]:
        return [
            part.momentum if rate.momentum is None else rate.momentum
            for part, rate in zip(self._parts, rates, strict=True)
        ]

    def _scratch(self, name: str) -> torch.Tensor:
        if name not in self._memory:
            self._memory[name] = torch.empty_like(self.parameters)
        return self._memory[name]

    def _decay(self) -> None:
        decay = self._spread("weight_decay", [part.weight_decay for part in self._parts])
        if isinstance(decay, torch.Tensor):
            self.gradients.addcmul_(self.parameters, decay)
        elif decay:
            self.gradients.add_(self.parameters, alpha=decay)

    def _down(self, direction: torch.Tensor, rates: Sequence[Rate]) -> None:
        """w - lr * direction."""
        lr = self._spread("lr", [rate.lr for rate in rates])
        if isinstance(lr, torch.Tensor):
            self.parameters.addcmul_(direction, lr, value=-1.0)
        else:
            self.parameters.add_(direction, alpha=-lr)

    def _down_by(self, over: torch.Tensor, under: torch.Tensor, lrs: Sequence[float], factor: float = 1.0) -> None:
        """w - factor * lr * over / under."""
        lr = self._spread("lr", lrs)
        if isinstance(lr, torch.Tensor):
            over = torch.mul(over, lr, out=self._scratch("over"))
            lr = 1.0
        self.parameters.addcdiv_(over, under, value=-lr * factor)

    def _sgd(self, number: int, rates: Sequence[Rate]) -> None:
        momenta = self._momenta(rates)
        self._decay()
        direction = self.gradients
        if any(momenta):
            buffer = self._rows["momentum_buffer"]
            shares = [
                1.0 - part.dampening if old and momentum else 1.0
                for part, old, momentum in zip(self._parts, self.buffered, momenta, strict=True)
            ]
            momentum, share = self._spread("momentum", momenta), self._spread("share", shares)
            buffer.mul_(momentum)
            if isinstance(share, torch.Tensor):
                buffer.addcmul_(self.gradients, share)
            else:
                buffer.add_(self.gradients, alpha=share)
            if not self._first.nesterov:
                direction = buffer
            elif isinstance(momentum, torch.Tensor):
                direction.addcmul_(buffer, momentum)
            else:
                direction.add_(buffer, alpha=momentum)
            self.buffered = [old or momentum > 0 for old, momentum in zip(self.buffered, momenta, strict=True)]
        self._down(direction, rates)

    def _adam(self, number: int, rates: Sequence[Rate]) -> None:
        self._decay()
        self._adams(number, rates)

    def _adamw(self, number: int, rates: Sequence[Rate]) -> None:
        keeps = [1.0 - rate.lr * part.weight_decay for part, rate in zip(self._parts, rates, strict=True)]
        self.parameters.mul_(self._spread("keep", keeps))
        self._adams(number, rates)

    def _adams(self, number: int, rates: Sequence[Rate]) -> None:
        first = [
            part.betas[0] if rate.momentum is None else rate.momentum
            for part, rate in zip(self._parts, rates, strict=True)
        ]
        second = [part.betas[1] for part in self._parts]
        done = [steps + number + 1 for steps in self.steps]
        mean, square, g = self._rows["exp_avg"], self._rows["exp_avg_sq"], self.gradients
        mean.lerp_(g, self._spread("beta1", [1.0 - beta for beta in first]))
        square.mul_(self._spread("beta2", second))
        rest = self._spread("rest", [1.0 - beta for beta in second])
        if isinstance(rest, torch.Tensor):
            square.addcmul_(torch.mul(g, g, out=self._scratch("over")), rest)
        else:
            square.addcmul_(g, g, value=rest)
        if self._first.amsgrad:
            largest = self._rows["max_exp_avg_sq"]
            square = torch.maximum(largest, square, out=largest)
        roots = [(1.0 - beta**count) ** 0.5 for beta, count in zip(second, done, strict=True)]
        under = torch.sqrt(square, out=self._scratch("under"))
        under.div_(self._spread("root", roots)).add_(self._spread("eps", [part.eps for part in self._parts]))
        corrections = [1.0 - beta**count for beta, count in zip(first, done, strict=True)]
        lrs = [rate.lr for rate in rates]
        if all(correction == corrections[0] for correction in corrections):
            self._down_by(mean, under, lrs, 1.0 / corrections[0])
        else:
            self._down_by(mean, under, [lr / each for lr, each in zip(lrs, corrections, strict=True)])

    def _rmsprop(self, number: int, rates: Sequence[Rate]) -> None:
        self._decay()
        g, square = self.gradients, self._rows["square_avg"]
        alphas = [part.alpha for part in self._parts]
        alpha, rest = self._spread("alpha", alphas), self._spread("rest", [1.0 - alpha for alpha in alphas])
        square.mul_(alpha)
        if isinstance(rest, torch.Tensor):
            square.addcmul_(torch.mul(g, g, out=self._scratch("over")), rest)
        else:
            square.addcmul_(g, g, value=rest)
        under = self._scratch("under")
        if self._first.centered:
            mean = self._rows["grad_avg"]
            mean.lerp_(g, rest)
            torch.addcmul(square, mean, mean, value=-1.0, out=under).sqrt_()
        else:
            torch.sqrt(square, out=under)
        under.add_(self._spread("eps", [part.eps for part in self._parts]))
        momenta = self._momenta(rates)
        if any(momenta):
            buffer = self._rows["momentum_buffer"]
            buffer.mul_(self._spread("momentum", momenta)).addcdiv_(g, under)
            self._down(buffer, rates)
            self.buffered = [old or momentum > 0 for old, momentum in zip(self.buffered, momenta, strict=True)]
        else:
            self._down_by(g, under, [rate.lr for rate in rates])

    def _adagrad(self, number: int, rates: Sequence[Rate]) -> None:
        self._decay()
        g, total = self.gradients, self._rows["sum"]
        total.addcmul_(g, g)
        under = torch.sqrt(total, out=self._scratch("under"))
        under.add_(self._spread("eps", [part.eps for part in self._parts]))
        lrs = [
            rate.lr / (1.0 + (steps + number) * part.lr_decay)
            for rate, steps, part in zip(rates, self.steps, self._parts, strict=True)
        ]
        self._down_by(g, under, lrs)

    # State

    def held(self) -> Held:
        """What belongs to a copy of `whole`."""
        return Held(list(self.steps), list(self.buffered))

    def restore(self, held: Held) -> None:
        """Take such a thing over; `whole` is the caller's."""
        self.steps, self.buffered = list(held.steps), list(held.buffered)

    def state(self, model: int) -> dict[str, torch.Tensor]:
        """What `torch.optim` would hold for one model, `<weight>/<what>` to a view."""
        steps, found = self.steps[model], {}
        if self.kind != "Adagrad" and not steps:
            return {}
        for name, row in self._rows.items():
            if name == "momentum_buffer" and not self._has_buffer(model):
                continue
            for weight, view in self._layout.named(row, model).items():
                found[f"{weight}/{name}"] = view
        if self.kind != "SGD":
            for weight in self._layout.named(self.parameters, model):
                found[f"{weight}/step"] = torch.tensor(float(steps))
        return found

    def _has_buffer(self, model: int) -> bool:
        return self.buffered[model] or (self.kind == "RMSprop" and self._parts[model].momentum > 0)

    def load(self, model: int, saved: dict[str, torch.Tensor]) -> None:
        """Take over what `state` gives; what is not there begins anew."""
        self.forget(model)
        for name, row in self._rows.items():
            for weight, view in self._layout.named(row, model).items():
                if f"{weight}/{name}" in saved:
                    view.copy_(saved[f"{weight}/{name}"])
                    if name == "momentum_buffer":
                        self.buffered[model] = True
        steps = [int(value) for key, value in saved.items() if key.endswith("/step")]
        self.steps[model] = max(steps) if steps else int(bool(saved))

    def forget(self, model: int) -> None:
        """Begin anew."""
        start = getattr(self._first, "initial_accumulator_value", 0.0)
        for row in self._rows.values():
            for view in self._layout.named(row, model).values():
                view.fill_(start)
        self.steps[model], self.buffered[model] = 0, False
