"""Trials that share a stack, trained together: one pass over the batches moves every model one step."""

from __future__ import annotations

import errno
import time
import traceback
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.data.prepared import Prepared
from engine.errors import UserError
from engine.parts.scheduler import monitored_series
from engine.recipe.schema import Recipe
from engine.runs.records import Checkpoint, Epoch
from engine.runs.storage import StorageError
from engine.train import early_stopping, guess, plan
from engine.train.build.loss import build_loss
from engine.train.duty import say
from engine.train.early_stopping import value_of
from engine.train.executors import choice as executors
from engine.train.executors.dense.cover import same_stack
from engine.train.executors.dense.stack import DenseStack, StackRan
from engine.train.executors.executor import Slice, State
from engine.train.feed.opening import open_feed
from engine.train.feed.order import steps_per_epoch
from engine.train.loop import CHUNK_SECONDS, LARGEST_CHUNK, is_out_of_memory, rates_ahead
from engine.train.position import Row
from engine.train.search.alone import PRUNED, STOPPED, TIME_IS_UP, Host, finish, train_alone
from engine.train.search.child import Child
from engine.train.search.material import Trial
from engine.train.session import measure

SAVE_EVERY = 60.0
"""Seconds between two saves of all trials of a long group."""


def refusal(recipe: Recipe, prepared: Prepared, choice: plan.Choice) -> str | None:
    """Why trials like this recipe cannot train together, in words that follow "since"; None where they can."""
    if "dense" not in executors.MODULES:
        return "no executor stacks models"
    if recipe.train.executor not in ("auto", "dense"):
        return f"train.executor is {recipe.train.executor}"
    device = torch.device(choice.device)
    why = executors.refusal("dense", recipe, prepared.facts, device, choice.precision)
    return why and f"dense does not cover it ({why})"


def groups(trials: Sequence[Trial]) -> list[list[Trial]]:
    """The trials by who can train together, each group in their order; the plan of those that do says so."""
    found: list[list[Trial]] = []
    for trial in trials:
        stacks = refusal(trial.recipe, trial.prepared, trial.choice) is None
        home = next((group for group in found if stacks and _fit(group[0], trial)), None)
        if home is None:
            found.append([trial])
        else:
            home.append(trial)
    for group in found:
        for trial in group if len(group) > 1 else ():
            reason = f"dense, together with {len(group) - 1} other trials"
            trial.choice = replace(trial.choice, executor="dense", memory_format="contiguous", reason=reason)
    return found


def _fit(a: Trial, b: Trial) -> bool:
    if a.prepared is not b.prepared or refusal(a.recipe, a.prepared, a.choice) is not None:
        return False
    if (a.choice.device, a.choice.precision) != (b.choice.device, b.choice.precision):
        return False
    return same_stack(a.recipe, b.recipe)


def train_together(children: list[Child], host: Host) -> None:
    """Train a group to its end, or until the search is stopped.

    Where the stack cannot do it (memory does not suffice for all of them at once, say), they train one after another.
    Raises StorageError.
    """
    group = Group(children, host)
    try:
        group.run()
        return
    except StorageError:
        raise
    except Exception as error:
        say(f"the trials go on one by one: {error}" if is_out_of_memory(error) else traceback.format_exc())
    left = group.members
    del group  # with its memory
    for at, child in enumerate(left):
        child.restart()
        if not train_alone(child, host):
            for other in left[at + 1 :]:
                other.close("stopped", STOPPED)
            return


@dataclass(frozen=True)
class _Model:
    """One model of a stack, as a `Saver` wants an executor."""

    stack: DenseStack
    index: int

    def state(self) -> State:
        """A copy of the model's state."""
        return self.stack.state(self.index)


class Group:
    """Trials in one stack. `members` are those that still train, in the order of the stack's models."""

    def __init__(self, children: list[Child], host: Host) -> None:
        self.members, self._host = list(children), host
        self.stack: DenseStack | None = None
        first = children[0].trial
        self._recipe, self._prepared = first.recipe, first.prepared
        rows = len(self._prepared.train.rows)
        self._steps = steps_per_epoch(rows, self._recipe.data.batch_size, self._recipe.data.drop_last)
        self._validated = len(self._prepared.validation.rows) > 0
        self._chunk, self._step_seconds = 1, 0.0
        self._saved = time.monotonic()

    def run(self) -> None:
        """All epochs."""
        stack = self.stack = self._build()
        self._plans(stack)
        epoch = 0
        while self.members:
            began = time.monotonic()
            sums = self._steps_of(stack, epoch)
            rows = None if sums is None else self._rows(stack, sums)
            if rows is None:
                self._stopped(stack)
                return
            if self.members:
                self._close_epoch(stack, rows, time.monotonic() - began)
            epoch += 1

    def _build(self) -> DenseStack:
        choice = self.members[0].trial.choice
        device = plan.prepare_torch(choice, self._recipe.train.deterministic)
        if not self._steps:
            raise UserError("drop_last leaves no batch", "lower data.batch_size, or set data.drop_last: false")
        return DenseStack(
            [child.trial.recipe for child in self.members],
            self._prepared,
            open_feed(self._recipe, self._prepared, device),
            device=device,
            precision=choice.precision,
            kernel=choice.optimizer_kernel,
            memory_format=choice.memory_format,
        )

    def _plans(self, stack: DenseStack) -> None:
        """Journal every trial's plan, with what its untrained network scores."""
        part = guess.judged(self._prepared)
        scores = _Scores(len(self.members))
        for pieces in stack.evaluate(part):
            scores.add(pieces)
        data = self._prepared.validation if part == "validation" else self._prepared.train
        average = guess.average(self._prepared.train, self._prepared.facts.task, self._prepared.facts.outputs)
        outputs = torch.tensor(np.tile(average, (len(data.rows), 1)))
        criterion = build_loss(self._recipe, self._prepared.facts)
        baseline = float(criterion(outputs, torch.tensor(data.y)))
        tensors = stack.state(0).tensors
        parameters = sum(value.size for name, value in tensors.items() if name.startswith("model/"))
        for child, loss in zip(self.members, scores.losses(), strict=True):
            child.plan(parameters, self._steps, loss, baseline)

    # An epoch

    def _steps_of(self, stack: DenseStack, epoch: int) -> npt.NDArray[np.float64] | None:
        """All steps of an epoch; each member's mean loss, None where the search is to stop."""
        losses: list[npt.NDArray[np.float32]] = []
        denominators: list[npt.NDArray[np.float64]] = []
        index = 0
        while index < self._steps and self.members:
            if self._host.heed() is not None:
                self._account(losses, denominators)
                return None
            began = time.monotonic()
            count = min(self._chunk, self._steps - index)
            columns = [rates_ahead(c.trial.recipe, c.position, count, self._steps) for c in self.members]
            ran = stack.run(epoch, index, list(zip(*columns, strict=True)))
            finite = np.asarray(stack.finite(ran.losses))
            losses.append(ran.losses)
            denominators.append(ran.denominators)
            index += count
            for child, rates in zip(self.members, columns, strict=True):
                child.position.step += count
                child.position.index += count
                child.position.lr = rates[-1].lr
            if not finite.all():
                self._broken(stack, np.flatnonzero(~finite), ran)
                losses = [part[:, finite] for part in losses]
            self._measure_speed(count, time.monotonic() - began)
        return self._account(losses, denominators)

    def _account(
        self, losses: list[npt.NDArray[np.float32]], denominators: list[npt.NDArray[np.float64]]
    ) -> npt.NDArray[np.float64]:
        """Take the losses of an epoch so far into every member's position; their means."""
        if not self.members or not losses:
            return np.zeros(len(self.members))
        table, weights = np.concatenate(losses), np.concatenate(denominators)
        bits = np.ascontiguousarray(table.T.astype("<f4"))
        sums: npt.NDArray[np.float64] = weights @ table.astype(np.float64)
        for child, column, total in zip(self.members, bits, sums.tolist(), strict=True):
            child.position.digest = zlib.crc32(column.tobytes(), child.position.digest)
            child.position.loss_sum, child.position.weight_sum = total, float(weights.sum())
        means: npt.NDArray[np.float64] = sums / weights.sum()
        return means

    def _rows(self, stack: DenseStack, train_losses: npt.NDArray[np.float64]) -> list[Row] | None:
        """The series of every member after an epoch; None where the search is to stop."""
        rows: list[Row] = [{"train_loss": float(loss)} for loss in train_losses]
        if not self._validated or not self.members:
            return rows
        scores = _Scores(len(self.members))
        for pieces in stack.evaluate("validation"):
            scores.add(pieces)
            if self._host.heed() is not None:
                return None
        for child, row, loss, outputs in zip(self.members, rows, scores.losses(), scores.outputs(), strict=True):
            series = measure(child.trial.recipe, self._prepared, outputs, self._prepared.validation.y)
            row |= {"val_loss": loss, **{f"val_{name}": value for name, value in series.items()}}
            child.position.digest = zlib.crc32(np.float32(loss).tobytes(), child.position.digest)
        return rows

    def _close_epoch(self, stack: DenseStack, rows: list[Row], seconds: float) -> None:
        """Judge every member, keep the best weights, and let those go that are at their end."""
        seconds = max(seconds, 1e-9)
        for at, (child, row) in enumerate(zip(self.members, rows, strict=True)):
            position, recipe = child.position, child.trial.recipe
            stopping = recipe.train.early_stopping
            position.epoch += 1
            position.index, position.loss_sum, position.weight_sum = 0, 0.0, 0.0
            position.min_delta = stopping.min_delta if stopping else 0.0
            if series := monitored_series(recipe.scheduler):
                position.monitored.append(value_of(row, series))
            if early_stopping.judge(position, row, child.monitor):
                child.saver.keep_best(_Model(stack, at), position, child.trial.text)
            child.write(
                Epoch(
                    epoch=position.epoch,
                    step=position.step,
                    train_loss=row["train_loss"],
                    val_loss=row.get("val_loss"),
                    metrics={name: value for name, value in row.items() if name not in ("train_loss", "val_loss")},
                    lr=position.lr,
                    seconds=seconds,
                    samples_per_second=len(self._prepared.train.rows) / seconds,
                    digest=f"{position.digest:08x}",
                )
            )
        endings = [self._ending(child) for child in self.members]
        time_is_up = self._host.time_is_up()
        last = time_is_up or all(end is not None for end in endings)
        given_up = self._host.epoch(self.members, rows, last=last)
        self._end(stack, endings, given_up, time_is_up)
        if time.monotonic() - self._saved > SAVE_EVERY:
            self._save_all(stack)

    def _ending(self, child: Child) -> tuple[Any, str] | None:
        """Why a member is at its end by its own recipe, or None."""
        train = child.trial.recipe.train
        if child.position.epoch >= train.epochs:
            return "completed", ""
        message = early_stopping.reason_to_stop(child.position, child.monitor, train.early_stopping)
        return ("early_stopped", message) if message else None

    def _end(
        self, stack: DenseStack, endings: list[tuple[Any, str] | None], given_up: list[bool], time_is_up: bool
    ) -> None:
        gone = []
        for at, (child, ending, pruned) in enumerate(zip(self.members, endings, given_up, strict=True)):
            if ending is None and not pruned and not time_is_up:
                continue
            gone.append(at)
            self._save(stack, at)
            if ending is not None:
                child.close(*ending)
                finish(child, self._host, ending[1])
            elif pruned:
                child.close("stopped", PRUNED)
                self._host.over(child, "pruned", PRUNED)
            else:
                child.close("stopped", TIME_IS_UP)
                finish(child, self._host, TIME_IS_UP)
        self._leave(stack, gone)

    def _broken(self, stack: DenseStack, which: npt.NDArray[np.int64], ran: StackRan) -> None:
        """Let members go whose numbers are no longer finite; the others have not noticed."""
        for at in which.tolist():
            child = self.members[at]
            bad = np.flatnonzero(~np.isfinite(ran.losses[:, at]))
            step = child.position.step - len(ran.losses) + (int(bad[0]) + 1 if len(bad) else len(ran.losses))
            what = "the loss" if len(bad) else "a weight"
            epoch = child.position.epoch + 1
            message = f"{what} is not finite at step {step}, epoch {epoch}; a lower learning rate may help"
            child.position.step = step - 1
            self._keep(child, child.saver.save_best())
            child.close("non_finite", message, {"what": what, "step": step, "epoch": epoch})
            self._host.over(child, "failed", message, broke=True)
        self._leave(stack, which.tolist())

    def _leave(self, stack: DenseStack, gone: list[int]) -> None:
        if gone:
            self.members = [child for at, child in enumerate(self.members) if at not in gone]
            if self.members:
                stack.drop(gone)

    def _stopped(self, stack: DenseStack) -> None:
        """The search is stopped: what is running ends here, with its state on disk."""
        reason: Any = self._host.heed() or "stopped"
        for at, child in enumerate(self.members):
            self._save(stack, at)
            child.close(reason, STOPPED)
        self.members = []

    # State

    def _save(self, stack: DenseStack, at: int) -> None:
        child = self.members[at]
        self._keep(child, child.saver.save(_Model(stack, at), child.position, child.trial.text))

    def _keep(self, child: Child, records: Iterator[Checkpoint]) -> None:
        """Commit what is saved."""
        try:
            for record in records:
                child.commit(record)
        except StorageError as error:  # a trial whose weights found no room has been trained all the same
            if error.code == errno.ENOENT:
                raise
            say(error.sentence())

    def _save_all(self, stack: DenseStack) -> None:
        for at in range(len(self.members)):
            self._save(stack, at)
        self._saved = time.monotonic()

    def _measure_speed(self, steps: int, seconds: float) -> None:
        each = max(seconds / steps, 1e-9)
        self._step_seconds = each if not self._step_seconds else 0.5 * (self._step_seconds + each)
        self._chunk = max(1, min(int(CHUNK_SECONDS / self._step_seconds), 2 * self._chunk, LARGEST_CHUNK))


class _Scores:
    """Slices of an evaluation, gathered by model."""

    def __init__(self, models: int) -> None:
        self._numerators = [0.0] * models
        self._denominators = [0.0] * models
        self._outputs: list[list[npt.NDArray[np.float32]]] = [[] for _ in range(models)]

    def add(self, pieces: list[Slice]) -> None:
        """One slice a model."""
        for at, piece in enumerate(pieces):
            self._numerators[at] += piece.numerator
            self._denominators[at] += piece.denominator
            self._outputs[at].append(piece.outputs)

    def losses(self) -> list[float]:
        """Mean loss of each model."""
        pairs = zip(self._numerators, self._denominators, strict=True)
        return [numerator / denominator if denominator else float("nan") for numerator, denominator in pairs]

    def outputs(self) -> list[npt.NDArray[np.float32]]:
        """(rows, width) of each model."""
        return [np.concatenate(pieces) for pieces in self._outputs]
