"""Trials one after another: each by the ordinary loop, on any executor."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Protocol

from engine.errors import UserError
from engine.runs.records import Checkpoint, Epoch, Record
from engine.runs.storage import StorageError
from engine.train import guess
from engine.train.desk import StopReason, Wishes
from engine.train.duty import say
from engine.train.early_stopping import value_of
from engine.train.loop import NonFinite, OutOfMemory, is_out_of_memory
from engine.train.position import Row
from engine.train.refusals import in_words, smaller_batch
from engine.train.rows import TimedRows
from engine.train.search.child import Child
from engine.train.session import Session, build_session


class Host(Protocol):
    """The search, as the training of its trials sees it."""

    def heed(self) -> StopReason | None:
        """Do what has been asked, waiting while the search is paused; why to stop, or None."""

    def epoch(self, children: list[Child], rows: list[Row], *, last: bool = False) -> list[bool]:
        """Take the rows of an epoch that these trials have finished; which of them are given up. `last`: none of the
        others trains on."""

    def time_is_up(self) -> bool:
        """Whether trials are to end with the epoch that they are in."""

    def over(self, child: Child, state: str, message: str = "", *, broke: bool = False) -> None:
        """A trial is over; its run has been closed."""


TIME_IS_UP = "the time was up"
STOPPED = "the search was stopped"
PRUNED = "given up: others were better at this epoch"


class TrialDesk:
    """Where a trial's loop looks in: what is asked of the search holds for its trial."""

    def __init__(self, host: Host) -> None:
        self.wishes = Wishes()
        self.enough = False
        """Whether the trial ends with the epoch that it has finished."""
        self._host = host

    def listen(self, step: int) -> Iterator[Record]:
        self.wishes.stop = self.wishes.stop or self._host.heed()
        yield from ()

    def rest(self) -> None:
        raise AssertionError("a trial is never paused by itself")

    def over(self, step: int, epoch: int) -> bool:
        return self.enough

    def horizon(self, step: int) -> int | None:
        return None


class TrialRows(TimedRows):
    """Rows of a trial: an epoch is told when it ends, since the search may give the trial up then."""

    def end(self, epoch: Epoch, step_seconds: float) -> Iterator[Record]:
        yield epoch


def train_alone(child: Child, host: Host) -> bool:
    """Train a trial to its end; False where the search was stopped in the middle of it. Never raises for what is wrong
    with the trial itself. Raises StorageError."""
    session: Session | None = None
    try:
        session = build_session(child.trial.text, child.trial.recipe, child.trial.prepared, child.trial.choice)
        return _train(child, session, host)
    except StorageError:
        raise
    except UserError as error:
        _fail(child, host, "error", error.sentence())
    except Exception as error:  # whatever a part does, a person's own among them, ends its trial alone
        if not isinstance(error, RuntimeError | MemoryError | ValueError):
            say(traceback.format_exc())
        words = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        if is_out_of_memory(error):
            _fail(child, host, "out_of_memory", words)
        else:
            _fail(child, host, "error", in_words(error, session) or words)
    finally:
        if session is not None:
            session.executor.close()
    return True


def _train(child: Child, session: Session, host: Host) -> bool:
    child.trial.choice = session.choice
    part = guess.judged(session.prepared)
    child.plan(
        session.executor.parameters,
        session.steps_per_epoch,
        guess.loss_at_init(session.executor, part),
        guess.loss_of_average(session.executor, session.prepared, part),
    )
    desk = TrialDesk(host)
    loop = session.loop(position=child.position, desk=desk, rows=TrialRows(), saver=child.saver, say=say)
    given_up = False
    try:
        for record in loop.run():
            if isinstance(record, Checkpoint):
                child.commit(record)
                continue
            child.write(record)
            if isinstance(record, Epoch):
                row = {"train_loss": record.train_loss, "val_loss": record.val_loss, **record.metrics}
                last = record.epoch == session.recipe.train.epochs
                given_up = host.epoch([child], [row], last=last)[0]
                desk.enough = given_up or host.time_is_up()
    except NonFinite as error:
        _save(child, loop.save())
        child.close("non_finite", error.message, error.details)
        host.over(child, "failed", error.message, broke=True)
        return True
    except OutOfMemory as error:
        child.close("out_of_memory", smaller_batch(loop, str(error)))
        host.over(child, "failed", str(error))
        return True
    assert loop.ending is not None
    if desk.wishes.stop is not None and loop.ending.reason == desk.wishes.stop:
        child.close(desk.wishes.stop, STOPPED)
        return False
    if given_up and loop.ending.reason == "stopped":
        child.close("stopped", PRUNED)
        host.over(child, "pruned", PRUNED)
    elif loop.ending.reason == "stopped":
        child.close("stopped", TIME_IS_UP)
        finish(child, host, TIME_IS_UP)
    else:
        child.close(loop.ending.reason, loop.ending.message)
        finish(child, host, loop.ending.message)
    return True


def finish(child: Child, host: Host, message: str) -> None:
    """A trial has gone to its end: completed, unless there is no value to show for it."""
    best = child.position.best
    if best is None or value_of(best.row, child.monitor) != value_of(best.row, child.monitor):
        host.over(child, "failed", f"{child.monitor} was never a number", broke=True)
    else:
        host.over(child, "completed", message)


def _fail(child: Child, host: Host, reason: str, message: str) -> None:
    child.close("out_of_memory" if reason == "out_of_memory" else "error", message)
    host.over(child, "failed", message)


def _save(child: Child, records: Iterator[Record]) -> None:
    for record in records:
        child.write(record)
