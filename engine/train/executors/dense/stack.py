"""Many models trained at once, step by step on the same batches: one is a plain run, several are a search.

The models share order, batches, layers, loss and the optimizer's type (`same_stack`); learning rate, momentum, betas,
weight decay, dropout's p and clipping are each one's own. A model takes the course that it would take alone, within
the tolerance between executors, and one that breaks does not touch the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.data.prepared import Prepared
from engine.data.samples import Samples
from engine.errors import UserError
from engine.recipe.schema import Recipe
from engine.train.build.augmentation import build_augmentation
from engine.train.build.model import build_model
from engine.train.executors.dense.clipping import Clipping
from engine.train.executors.dense.cover import chain
from engine.train.executors.dense.entry import Entry
from engine.train.executors.dense.kernels import Chain, Dropouts, Passed, Weights
from engine.train.executors.dense.layout import Layout
from engine.train.executors.dense.losses import Criterion
from engine.train.executors.dense.program import Program, block_of
from engine.train.executors.dense.update import Held, Update
from engine.train.executors.executor import Rate, Slice, State
from engine.train.feed.feed import Feed

Bools = npt.NDArray[np.bool_]
Cut = tuple[torch.Tensor, torch.Tensor | None, float]
"""Rows of a slice of an evaluation, their targets, and what their mean loss divides by."""
KEPT_BYTES = 1 << 26
"""How large a part may be whose slices are kept from one evaluation to the next."""
EVALUATED = 1 << 17
"""Numbers that the widest layer may hold in one slice of an evaluation."""


@dataclass(frozen=True)
class StackRan:
    """What some steps gave."""

    losses: npt.NDArray[np.float32]
    """(steps, models) mean losses of the batches, before each update."""
    denominators: npt.NDArray[np.float64]
    """(steps,) what each mean was divided by."""


class DenseStack:
    """Owns the weights of its models; see `Executor` for what its methods mean."""

    def __init__(
        self,
        recipes: Sequence[Recipe],
        prepared: Prepared,
        feed: Feed,
        *,
        device: torch.device | str = "cpu",
        precision: str = "fp32",
        kernel: str = "fused",
        memory_format: str = "contiguous",
        own_generator: bool = True,
    ) -> None:
        """Resolved recipes, which `refuses` must not refuse and which `same_stack` must find alike. The weights of
        each come from its seed.

        With `own_generator` each model draws its dropout from a generator of its own; without, from torch's.
        """
        self._recipes, self._prepared, self._feed = list(recipes), prepared, feed
        self._own_generator = own_generator
        self._kept: dict[str, list[Cut] | None] = {}
        self._parts = {"train": prepared.train, "validation": prepared.validation, "test": prepared.test}
        self._nodes = chain(recipes[0], prepared.facts)
        with torch.inference_mode():
            self._criterion = Criterion(recipes[0], prepared.facts)
            augment = build_augmentation(recipes[0], "cpu")
            self._entry = Entry(prepared.scaling, augment, prepared.facts.shape, feed)
        self._generators: list[torch.Generator] = []
        initial = [self._initial(recipe) for recipe in recipes]
        self._rest: dict[str, int] = {}
        self._build(initial)

    def _initial(self, recipe: Recipe) -> dict[str, torch.Tensor]:
        """Weights as the autograd executor draws them, and the generator as it then stands."""
        torch.manual_seed(recipe.seed)
        weights = build_model(recipe, self._prepared.facts).state_dict()
        generator = torch.default_generator
        if self._own_generator:
            generator = torch.Generator()
            generator.set_state(torch.get_rng_state())
        self._generators.append(generator)
        return weights

    def _build(self, weights: Sequence[dict[str, torch.Tensor]]) -> None:
        """Make everything for as many models as there are recipes."""
        with torch.inference_mode():
            self.models = len(self._recipes)
            self._layout = Layout(self._nodes, self.models)
            self._update = Update(self._recipes, self._layout)
            self._weights = Weights(self._layout, self._update.parameters, self._update.gradients)
            self._clipping = Clipping(self._layout, self._update.gradients)
            self._named = [self._layout.named(self._update.parameters, model) for model in range(self.models)]
            for model, given in enumerate(weights):
                for name, view in self._named[model].items():
                    view.copy_(given[name])
            self._dropouts = Dropouts()
            self._programs: dict[int, Program] = {}
            self._evaluations: dict[int, tuple[torch.Tensor, torch.Tensor, list[Any]]] = {}
            self._marked: tuple[Held, list[torch.Tensor]] | None = None
            self._copy = torch.empty_like(self._update.whole)
            self._set_dropout()
            self._clipping.set(self._recipes)

    @property
    def parameters(self) -> int:
        """Trainable values of one model."""
        return sum(view.numel() for view in self._named[0].values())

    @property
    def draws(self) -> bool:
        """Whether any layer draws from a generator."""
        return any(node.kind == "Dropout" for node in self._nodes)

    # Settings

    def set(self, recipes: Sequence[Recipe]) -> None:
        """Take over the values that may change while training."""
        with torch.inference_mode():
            self._recipes = list(recipes)
            self._update.set(recipes)
            self._clipping.set(recipes)
            before = {name: self._dropouts.draws(name) for name in self._dropouts.settings}
            self._set_dropout()
            if before != {name: self._dropouts.draws(name) for name in self._dropouts.settings}:
                for program in self._programs.values():
                    program.refresh()

    def _set_dropout(self) -> None:
        for recipe_chain in zip(*(self._dropout_layers(recipe) for recipe in self._recipes), strict=True):
            name = recipe_chain[0][0]
            settings = self._dropouts.settings.setdefault(name, [])
            settings[:] = [(p, each) for (_, p), each in zip(recipe_chain, self._generators, strict=True)]

    def _dropout_layers(self, recipe: Recipe) -> list[tuple[str, float]]:
        layers: Any = recipe.model.layers
        return [
            (layer.name or str(index), layer.p) for index, layer in enumerate(layers) if layer.type_name() == "Dropout"
        ]

    # Steps

    def run(self, epoch: int, index: int, rates: Sequence[Sequence[Rate]]) -> StackRan:
        """One step for each of `rates`, which hold one rate a model, from batch `index` of the epoch on."""
        losses = np.empty((len(rates), self.models), np.float32)
        denominators = np.empty(len(rates), np.float64)
        done = 0
        self._clipping.broken = [False] * self.models
        with torch.inference_mode():
            while done < len(rates):
                program, slot, last = self._enter(epoch, index + done)
                count = min(last - slot, len(rates) - done)
                self._steps(program, slot, rates[done : done + count])
                here = slice(done, done + count)
                losses[here] = program.losses()[slot : slot + count]
                denominators[here] = self._denominators(program, epoch, index + done, count)
                done += count
        return StackRan(losses, denominators)

    def _enter(self, epoch: int, index: int) -> tuple[Program, int, int]:
        """The program that makes this step, the step's place in it, and how many places are filled."""
        size, total = self._recipes[0].data.batch_size, len(self._prepared.train.rows)
        whole = total // size
        if index >= whole:
            program, first, count = self._program(total - whole * size, 1), index, 1
        else:
            program = self._program(size, min(whole, block_of(size, self._nodes[0].inputs)))
            first = index - index % program.count
            count = min(program.count, whole - first)
        if program.holds != (epoch, first, count):
            program.enter(epoch, first, count)
        return program, index - first, count

    def _program(self, rows: int, count: int) -> Program:
        if rows not in self._programs:
            nodes, entry = self._nodes, self._entry
            self._programs[rows] = Program(nodes, self._weights, self._dropouts, entry, self._criterion, rows, count)
        return self._programs[rows]

    def _steps(self, program: Program, slot: int, rates: Sequence[Sequence[Rate]]) -> None:
        update, clip = self._update, self._clipping
        clips, step, calls = clip.active, update.stepper(), program.calls
        update.begin(len(rates))
        for number, rate in enumerate(rates):
            for call in calls[slot + number] or program.build(slot + number):
                call()
            if clips:
                clip()
            step(number, rate)
        update.end(len(rates))

    def _denominators(self, program: Program, epoch: int, index: int, count: int) -> npt.NDArray[np.float64]:
        if self._criterion.class_weights is None:
            return np.full(count, float(program.rows))
        targets, positions = self._prepared.train.y, self._feed.positions
        each = [self._criterion.denominator(targets[positions(epoch, index + offset)]) for offset in range(count)]
        return np.array(each, np.float64)

    def finite(self, losses: npt.NDArray[np.float32]) -> Bools:
        """(models,): whether everything of a model is still finite after a chunk with these losses."""
        good: Bools = np.asarray(np.isfinite(losses).all(axis=0))
        if any(self._clipping.broken):
            good = np.logical_and(good, ~np.array(self._clipping.broken))
        with torch.inference_mode():
            parameters = self._update.parameters
            # 0 times anything is 0, unless that is infinite or no number
            if torch.dot(parameters, self._clipping.zeros).item() == 0.0:
                return good
            for model, named in enumerate(self._named):
                good[model] &= all(bool(torch.isfinite(view).all()) for view in named.values())
        return good

    # Evaluation

    def evaluate(self, part: str) -> Iterator[list[Slice]]:
        """Loss and outputs of a part in eval mode, slice by slice, one a model."""
        data = self._parts[part]
        if data is None:
            raise UserError("the data has no test part", "give data.split.test a share or a file")
        if part not in self._kept:
            keeps = isinstance(data.x, np.ndarray) and data.x.nbytes <= KEPT_BYTES
            self._kept[part] = list(self._cut(data.x, data.y, self.slice_rows)) if keeps else None
        cuts = self._kept[part]
        yield from self._evaluate(self._cut(data.x, data.y, self.slice_rows) if cuts is None else cuts)

    def evaluate_rows(
        self, x: Samples, y: npt.NDArray[Any] | None, slice_rows: int | None = None
    ) -> Iterator[list[Slice]]:
        """The same for any rows, as raw as `Part.x`; without targets the loss is 0."""
        yield from self._evaluate(self._cut(x, y, slice_rows or self.slice_rows))

    def _cut(self, x: Samples, y: npt.NDArray[Any] | None, rows: int) -> Iterator[Cut]:
        """Rows and targets as tensors, slice by slice, and what the mean loss of each divides by."""
        for start in range(0, len(x), rows):
            inputs = torch.tensor(x[start : start + rows])
            if y is None:
                yield inputs, None, 0.0
            else:
                targets = y[start : start + rows]
                yield inputs, torch.tensor(targets), self._criterion.denominator(targets)

    def _evaluate(self, cuts: Iterable[Cut]) -> Iterator[list[Slice]]:
        for inputs, targets, denominator in cuts:
            with torch.inference_mode():
                by_row = self._outputs(inputs).transpose(1, 2).clone(memory_format=torch.contiguous_format)
                numerators = [0.0] * self.models
                if targets is not None and denominator:
                    numerators = [mean * denominator for mean in self._criterion.mean(by_row, targets).tolist()]
                slices = [
                    Slice(numerator, denominator, each.numpy())
                    for numerator, each in zip(numerators, by_row.unbind(), strict=True)
                ]
            yield slices

    @property
    def slice_rows(self) -> int:
        """Rows of one slice of an evaluation: as many as a processor's cache holds, and a multiple of 16."""
        widest = max(max(node.inputs, node.outputs) for node in self._nodes)
        return max(16, min(2048, EVALUATED // widest // 16 * 16))

    def _outputs(self, x: torch.Tensor) -> torch.Tensor:
        """(models, width, rows) of the network in eval mode."""
        rows = len(x)
        if rows not in self._evaluations:
            if len(self._evaluations) > 8:
                self._evaluations.clear()
            memory = torch.ones(rows, self._nodes[0].inputs + 1)
            outputs = torch.empty(*((self.models,) if self.models > 1 else ()), self._nodes[-1].outputs, rows)
            passed = Chain(self._nodes, self._weights, self._dropouts, rows, training=False).passes(memory, outputs)
            self._evaluations[rows] = (memory, outputs, [call for each in passed for call in each.forward])
        memory, outputs, calls = self._evaluations[rows]
        self._entry.rows(x, memory[:, :-1])
        for call in calls:
            call()
        return outputs.view(self.models, -1, rows)

    def score(self, outputs: npt.NDArray[np.float32], y: npt.NDArray[Any]) -> float:
        """Loss of given outputs (N, width) against prepared targets."""
        with torch.inference_mode():
            return float(self._criterion.mean(torch.tensor(outputs).unsqueeze(0), torch.tensor(y))[0])

    # State

    def mark(self) -> None:
        """Remember the present state, in memory."""
        with torch.inference_mode():
            self._copy.copy_(self._update.whole)
            generators = [each.get_state() for each in self._generators] if self.draws else []
            self._marked = (self._update.held(), generators)

    def rewind(self) -> None:
        """Go back to the marked state."""
        assert self._marked is not None
        with torch.inference_mode():
            held, generators = self._marked
            self._update.whole.copy_(self._copy)
            self._update.restore(held)
            for generator, state in zip(self._generators, generators, strict=bool(generators)):
                generator.set_state(state)

    def state(self, model: int) -> State:
        """A copy of one model's state, which any executor can load."""
        with torch.inference_mode():
            tensors = {f"model/{name}": _copied(view) for name, view in self._named[model].items()}
            for name, view in self._update.state(model).items():
                tensors[f"optimizer/{name}"] = _copied(view)
            tensors["generator/cpu"] = self._generators[model].get_state().numpy()
        return State(tensors, {"optimizer": self._update.kind})

    def load(self, model: int, state: State, *, weights_only: bool = False) -> None:
        """Take a state over; raises UserError where its weights do not fit."""
        found = {k.removeprefix("model/"): v for k, v in state.tensors.items() if k.startswith("model/")}
        _check_fit(found, self._named[model])
        with torch.inference_mode():
            for name, view in self._named[model].items():
                view.copy_(torch.tensor(found[name]))
            if not weights_only:
                prefix = "optimizer/"
                same = state.data.get("optimizer") == self._update.kind
                saved = {
                    key.removeprefix(prefix): torch.tensor(value)
                    for key, value in state.tensors.items()
                    if same and key.startswith(prefix)
                }
                self._update.load(model, saved)
                self._generators[model].set_state(torch.tensor(state.tensors["generator/cpu"]))
        self._marked = None

    def drop(self, models: Sequence[int]) -> None:
        """Let models go. Those that stay keep their order and their state; at least one has to."""
        stay = [model for model in range(self.models) if model not in set(models)]
        if len(stay) == self.models:
            return
        states = [self.state(model) for model in stay]
        self._recipes = [self._recipes[model] for model in stay]
        self._generators = [self._generators[model] for model in stay]
        named = [
            {k.removeprefix("model/"): torch.tensor(v) for k, v in state.tensors.items() if k.startswith("model/")}
            for state in states
        ]
        self._build(named)
        for model, state in enumerate(states):
            self.load(model, state)

    # What an executor needs beside

    def named(self, model: int) -> dict[str, torch.Tensor]:
        """Views of the weights."""
        return self._named[model]

    def gradients(self, model: int) -> dict[str, torch.Tensor]:
        """Views of the gradients of the last step."""
        return self._layout.named(self._update.gradients, model)

    def passes(self, epoch: int, index: int) -> tuple[torch.Tensor, list[Passed], Program, int]:
        """The batch as it enters the network, each layer's calls, and where the step stands."""
        program, slot, _ = self._enter(epoch, index)
        return program.input(slot), program.passes(slot), program, slot

    def finish(self, rate: Rate) -> None:
        """Clip and update: the end of a step whose gradients are there."""
        self._update.begin(1)
        if self._clipping.active:
            self._clipping()
        self._update.step(0, [rate] * self.models)
        self._update.end(1)

    def close(self) -> None:
        """Let go of processes and memory."""
        self._feed.close()


def _copied(tensor: torch.Tensor) -> npt.NDArray[Any]:
    return tensor.clone(memory_format=torch.contiguous_format).numpy()


def _check_fit(found: dict[str, npt.NDArray[Any]], own: dict[str, torch.Tensor]) -> None:
    hint = "keep the layers as they were, or start a new run"
    for name, value in own.items():
        if name not in found or tuple(found[name].shape) != tuple(value.shape):
            there = f" and {tuple(found[name].shape)} there" if name in found else ", and not there at all"
            message = f"the saved weights do not fit this network: {name} is {tuple(value.shape)} here{there}"
            raise UserError(message, hint)
    if left := sorted(set(found) - set(own)):
        raise UserError(f"the saved weights do not fit this network: it has no {left[0]}", hint)
