"""The training loop: one life of a run, from where it stands to its end, as a stream of records.

It reads top to bottom: obey, stop if it is over, advance some steps, close the epoch. The arithmetic of a step is the
executor's. Whoever consumes the records writes them down; the loop itself touches no journal.
"""

from __future__ import annotations

import errno
import math
import time
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import UserError
from engine.parts.scheduler import Clock, learning_rate, momentum_at, monitored_series, steps_alike
from engine.recipe.schema import Recipe
from engine.runs import live
from engine.runs.records import CommandAccepted, CommandRefused, Edited, Epoch, Paused, Reason, Record, Resumed
from engine.runs.storage import StorageError
from engine.train import early_stopping
from engine.train.aside import aside
from engine.train.checkpoint import Saver
from engine.train.desk import POLL, Change, Desk
from engine.train.early_stopping import value_of
from engine.train.executors.executor import Executor, Ran, Rate
from engine.train.position import Position, Row
from engine.train.rows import Rows

CHUNK_SECONDS = 0.05
"""How long a chunk of steps should take: a command waits for one at most, and what is done around each stays small
beside it even where a step takes milliseconds."""
LARGEST_CHUNK = 4096

Measure = Callable[[str, npt.NDArray[np.float32]], dict[str, Any]]


class NonFinite(Exception):
    """A step broke; the executor is back where it was before that step."""

    def __init__(self, message: str, details: dict[str, Any]) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class OutOfMemory(Exception):
    """Memory ran out in a step; the executor is back where it was before its chunk."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the exception is torch's or Python's way of saying so."""
    return isinstance(error, MemoryError) or any(
        words in str(error).lower() for words in ("out of memory", "can't allocate memory", "cannot allocate memory")
    )


@dataclass(frozen=True)
class Ending:
    """Why a life is over."""

    reason: Reason
    message: str = ""


class Loop:
    """Owns where a run stands."""

    def __init__(
        self,
        text: str,
        recipe: Recipe,
        *,
        read: Callable[[str], Recipe],
        executor: Executor,
        steps_per_epoch: int,
        train_rows: int,
        measure: Measure,
        validated: bool,
        position: Position,
        desk: Desk,
        rows: Rows,
        saver: Saver | None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`text` and `recipe` are the effective recipe; `read` turns such a text into a resolved recipe; `measure`
        turns the outputs over a part into series; without a `saver` nothing is kept on disk; `say` takes what
        is for the log."""
        self.text, self.recipe = text, recipe
        self.position = position
        self.ending: Ending | None = None
        self.trouble = ""
        """Why the last save failed, if it did."""
        self._say = say
        self._read, self._executor, self._measure = read, executor, measure
        self._steps_per_epoch, self._train_rows, self._validated = steps_per_epoch, train_rows, validated
        self._desk, self._rows, self._saver = desk, rows, saver
        self._chunk, self._step_seconds = 1, 0.0
        self._measure_seconds = math.inf
        self._epoch_started = time.monotonic()
        self.position.fit(steps_per_epoch)
        self._executor.set(recipe)

    # One life

    def run(self) -> Iterator[Record]:
        """All records of the life but its `finished`; afterwards `ending` says why it is over."""
        while True:
            yield from self._obey()
            self.ending = self._over()
            if self.ending:
                break
            if self._stepping:
                yield from self._advance()
            else:
                yield from self._close_epoch()
        yield from self.save()

    def _over(self) -> Ending | None:
        whole = self.position.index == 0
        if whole and self.position.epoch >= self.recipe.train.epochs:
            return Ending("completed")
        stop = self._desk.wishes.stop
        if stop is not None:
            return Ending(stop)
        if self._desk.over(self.position.step, self.position.epoch):
            return Ending("stopped")
        if not whole:
            return None
        stopping = self.recipe.train.early_stopping
        message = early_stopping.reason_to_stop(self.position, self._monitor, stopping)
        return Ending("early_stopped", message) if message else None

    # Steps

    def _advance(self) -> Iterator[Record]:
        """A chunk of steps. How many there are in one never changes a bit."""
        position = self.position
        rates = self._rates(self._chunk_length())
        began = time.monotonic()
        self._executor.mark()
        ran, broken = self._run(rates), None
        if not self._executor.finite(ran.losses):
            self._executor.rewind()
            ran, broken = self._step_by_step(rates)
            rates = rates[: len(ran.losses)]
        if rates:
            first = position.step + 1
            self._account(ran, rates)
            yield from self._rows.add(first, ran.losses, rates, position.epoch + 1)
        if broken is not None:
            raise broken
        self._measure_speed(len(rates), time.monotonic() - began)
        if self._saver and self._saver.due(mid_epoch=True):
            yield from self.save()

    def _run(self, rates: list[Rate]) -> Ran:
        """The chunk; where memory runs out, everything is as it was before it, and the executor may make room and try
        again. Raises OutOfMemory."""
        try:
            return self._executor.run(self.position.epoch, self.position.index, rates)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            message = str(error).splitlines()[0] if str(error) else "no memory left"
        # outside the handler: the exception holds the frames, and they hold the tensors
        self._executor.rewind()
        if given := self._executor.make_room():
            self._say(f"{message}; {given}")
            return self._run(rates)
        raise OutOfMemory(message)

    def _step_by_step(self, rates: list[Rate]) -> tuple[Ran, NonFinite | None]:
        """A chunk again, one step at a time: what went well, and the step that broke, undone."""
        parts = [Ran(np.zeros(0, np.float32), np.zeros(0, np.float64))]
        for offset, rate in enumerate(rates):
            index = self.position.index + offset
            self._executor.mark()
            ran = self._executor.run(self.position.epoch, index, [rate])
            if not self._executor.finite(ran.losses):
                self._executor.rewind()
                blame = self._executor.blame(self.position.epoch, index, rate) or {"what": "loss", "layer": None}
                self._executor.rewind()
                return _joined(parts), self._broken(offset, blame)
            parts.append(ran)
        return _joined(parts), None

    def _broken(self, offset: int, blame: dict[str, Any]) -> NonFinite:
        position = self.position
        rows = [int(row) for row in self._executor.rows(position.epoch, position.index + offset)]
        epoch, step = position.epoch + 1, position.step + offset + 1
        where = f", first in layer {blame['layer']}" if blame.get("layer") else ""
        what = {"input": "a number in the batch"}.get(blame["what"], f"the {blame['what']}")
        shown = ", ".join(map(str, rows[:8])) + (", ..." if len(rows) > 8 else "")
        hint = "check these rows" if blame["what"] == "input" else "try a lower learning rate, or clip_grad_norm"
        message = f"{what} is not finite at step {step}, epoch {epoch}{where} (rows {shown}); {hint}"
        return NonFinite(message, {**blame, "step": step, "epoch": epoch, "rows": rows})

    def _account(self, ran: Ran, rates: list[Rate]) -> None:
        position = self.position
        for loss, denominator in zip(ran.losses.tolist(), ran.denominators.tolist(), strict=True):
            position.loss_sum += loss * denominator
            position.weight_sum += denominator
        position.digest = zlib.crc32(ran.losses.astype("<f4").tobytes(), position.digest)
        position.lr = rates[-1].lr
        stopping = self.recipe.train.early_stopping
        position.min_delta = stopping.min_delta if stopping else 0.0
        position.step += len(rates)
        position.index += len(rates)

    def _chunk_length(self) -> int:
        length = min(self._chunk, self._steps_per_epoch - self.position.index)
        horizon = self._desk.horizon(self.position.step)
        return length if horizon is None else min(length, horizon - self.position.step)

    def _measure_speed(self, steps: int, seconds: float) -> None:
        each = max(seconds / steps, 1e-9)
        self._step_seconds = each if not self._step_seconds else 0.5 * (self._step_seconds + each)
        self._chunk = max(1, min(int(CHUNK_SECONDS / self._step_seconds), 2 * self._chunk, LARGEST_CHUNK))

    def _rates(self, count: int) -> list[Rate]:
        return rates_ahead(self.recipe, self.position, count, self._steps_per_epoch)

    # The end of an epoch

    def _close_epoch(self) -> Iterator[Record]:
        """Validate, judge, keep. A stop during validation leaves it for the next life."""
        validation: Row = {}
        if self._validated:
            series = yield from self.evaluate("validation")
            if series is None:
                return
            validation = {f"val_{name}": value for name, value in series.items()}
            self.position.digest = zlib.crc32(np.float32(validation["val_loss"]).tobytes(), self.position.digest)
        position = self.position
        seconds = max(time.monotonic() - self._epoch_started, 1e-9)
        train_loss = position.loss_sum / position.weight_sum
        row: Row = {"train_loss": train_loss, **validation}
        position.epoch += 1
        position.index, position.loss_sum, position.weight_sum = 0, 0.0, 0.0
        if series_watched := monitored_series(self.recipe.scheduler):
            position.monitored.append(value_of(row, series_watched))
        improved = early_stopping.judge(position, row, self._monitor)
        told = Epoch(
            epoch=position.epoch,
            step=position.step,
            train_loss=train_loss,
            val_loss=validation.get("val_loss"),
            metrics={name: value for name, value in validation.items() if name != "val_loss"},
            lr=position.lr,
            seconds=seconds,
            samples_per_second=self._train_rows / seconds,
            digest=f"{position.digest:08x}",
        )
        yield from self._rows.end(told, self._step_seconds)
        self._epoch_started = time.monotonic()
        if self._saver:
            if improved:
                self._rows.cut()
                self._saver.keep_best(self._executor, position, self.text)
            if self._saver.due(mid_epoch=False):
                yield from self.save()

    def evaluate(self, part: str, *, obey: bool = True) -> Generator[Record, None, Row | None]:
        """Series of a part without prefix, {loss, <metric>...}; None where a stop came in between.

        A generator whose return value is the series: wishes are heard between two slices, and while the metrics are
        worked out. Without `obey` a run is judged that is over: it can be held and stopped, and no more (the weights
        may be others than its last ones, so nothing is saved).
        """
        numerator = denominator = 0.0
        outputs = []
        for piece in self._executor.evaluate(part):
            numerator += piece.numerator
            denominator += piece.denominator
            outputs.append(piece.outputs)
            yield from self._obey(over=not obey)
            if self._desk.wishes.stop is not None:
                return None
        measured = yield from self._measured(part, np.concatenate(outputs), over=not obey)
        loss = numerator / denominator if denominator else float("nan")
        return None if measured is None else {"loss": loss, **measured}

    def _measured(
        self, part: str, outputs: npt.NDArray[np.float32], *, over: bool
    ) -> Generator[Record, None, dict[str, Any] | None]:
        """The metrics; None where a stop came in between. Ranking a million rows takes longer than anybody waits for
        an answer, and so may the first call, which imports: such a call is made aside."""
        call, began = partial(self._measure, part, outputs), time.monotonic()
        if self._measure_seconds < POLL:
            measured: dict[str, Any] | None = call()
        else:
            measured = yield from aside(
                call, lambda: self._obey(over=over), lambda: self._desk.wishes.stop is not None, POLL
            )
        self._measure_seconds = time.monotonic() - began
        return measured

    # Wishes

    def _obey(self, *, over: bool = False) -> Iterator[Record]:
        """Do what has been asked, and wait while the run is paused, with its state on disk. Where it is `over`, that
        is there already, and nothing can be changed any more.

        Between an epoch's last step and the end of its validation an edit changes nothing of either, so that the step
        alone tells its place.
        """
        wishes, epoch = self._desk.wishes, self.position.epoch + (not over)
        paused = False
        while True:
            yield from self._desk.listen(self.position.step)
            if over:
                yield from wishes.refuse()
            while wishes.changes:
                yield from self._change(wishes.changes.popleft())
            while wishes.saves:
                yield from self._save_as_asked(wishes.saves.popleft())
            if not wishes.pause or wishes.stop is not None:
                break
            if not paused:
                paused = True
                if not over:
                    yield from self.save()
                yield Paused(epoch=epoch, step=self.position.step)
            self._desk.rest()
        if paused and wishes.stop is None:
            yield Resumed(from_step=self.position.step, epoch=epoch, step=self.position.step)

    def _save_as_asked(self, id: str) -> Iterator[Record]:
        records = list(self.save(again=True))
        if self.trouble:
            yield CommandRefused(id=id, reason=self.trouble)
        else:
            yield CommandAccepted(id=id)
        yield from records

    def _change(self, change: Change) -> Iterator[Record]:
        """Take edits over, or say why not. The state goes to disk first: a run resumed from it knows the edits."""
        try:
            begun = self.position.epoch + (self.position.index > 0)
            text, recipe = live.change(self.text, self.recipe, change.edits, self._read, begun)
        except UserError as error:
            if change.id is None:
                raise
            yield CommandRefused(id=change.id, reason=error.sentence())
            return
        if change.id is not None:
            yield CommandAccepted(id=change.id)
        yield from self.save()
        self.text, self.recipe = text, recipe
        self._executor.set(recipe)
        yield Edited(epoch=self.position.epoch + 1, step=self.position.step, id=change.id, edits=change.edits)

    def save(self, *, again: bool = False) -> Iterator[Record]:
        """Put the present state on disk, with all rows before it in the journal; `again` also where it is there.

        Where the disk refuses, training goes on without: `trouble` says why, until a later save succeeds. Raises
        StorageError where the run's folder is gone.
        """
        yield from self._rows.flush()
        if self._saver is None:
            return
        try:
            yield from self._saver.save(self._executor, self.position, self.text, again=again)
            self.trouble = ""
        except StorageError as error:
            if error.code == errno.ENOENT:
                raise
            self.trouble = error.sentence()
            self._say(self.trouble)

    @property
    def _stepping(self) -> bool:
        """Whether a step comes next, not the validation of an epoch."""
        return self.position.index < self._steps_per_epoch

    @property
    def _monitor(self) -> str:
        return early_stopping.monitored(self.recipe, self._validated)


def _joined(parts: list[Ran]) -> Ran:
    return Ran(np.concatenate([part.losses for part in parts]), np.concatenate([part.denominators for part in parts]))


def rates_ahead(recipe: Recipe, position: Position, count: int, steps_per_epoch: int) -> list[Rate]:
    """What the schedule says of the next `count` updates, all of this epoch."""
    scheduler = recipe.scheduler
    monitored = tuple(position.monitored)  # once: it grows with the run, and stands still within an epoch
    rates: list[Rate] = []
    while len(rates) < count:
        clock = Clock(
            step=position.step + len(rates),
            epoch=position.epoch,
            steps_per_epoch=steps_per_epoch,
            epochs=recipe.train.epochs,
            monitored=monitored,
            lr=recipe.optimizer.lr,
        )
        rate = Rate(learning_rate(scheduler, clock), momentum_at(scheduler, clock))
        left = count - len(rates)
        rates += [rate] * min(steps_alike(scheduler, clock) or left, left)
    return rates
