"""One life of a run: take the lock, announce it, put the session together, train, and say how it ended, always."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import UserError
from engine.machine.usage import Processor
from engine.runs import checkpoints
from engine.runs.directory import RECIPE, RESOLVED, count_looks, effective_recipe
from engine.runs.journal import Journal, effective, number, read
from engine.runs.lock import Lock
from engine.runs.process import host
from engine.runs.records import (
    Edited,
    Epoch,
    Finished,
    Json,
    Plan,
    Reason,
    Replanned,
    Resumed,
    TestEvaluated,
)
from engine.runs.storage import replace
from engine.runs.summary import launch_options
from engine.train import origin
from engine.train.desk import Change, Flags
from engine.train.duty import Duty, say

if TYPE_CHECKING:
    from engine.recipe.schema import Recipe
    from engine.train.checkpoint import Saved, Saver
    from engine.train.loop import Ending, Loop
    from engine.train.position import Position
    from engine.train.session import Session
    from engine.train.telemetry import Telemetry


def live(run_dir: Path) -> Reason:
    """One life of the run, whatever its kind. Raises UserError where it cannot even begin."""
    flags = Flags()
    flags.take_signals()  # before the lock names us as the one to send them to
    with Lock.acquire(run_dir) as lock:
        journal = Journal.open(run_dir, lock)
        lock.start_heartbeat()
        try:
            return worker_of(run_dir)(run_dir, lock, journal, flags).run()
        finally:
            journal.close()


def worker_of(run_dir: Path) -> type[Duty]:
    """What works on a run of this kind."""
    if launch_options(run_dir).get("kind") == "search":
        from engine.train.search.coordinator import Search

        return Search
    return Life


class Life(Duty):
    """A worker's training of a run, from `started` or `resumed` to `finished`."""

    def __init__(self, run_dir: Path, lock: Lock, journal: Journal, flags: Flags) -> None:
        super().__init__(run_dir, lock, journal, flags)
        self.text = ""
        self.session: Session | None = None
        self._from: Json | None = None
        """The `checkpoint` record that a life after the first goes on from."""
        self.loop: Loop | None = None
        self.saver: Saver | None = None
        self._position: Position | None = None
        """Where the life begins, where that is not step 0."""
        self._telemetry: Telemetry | None = None
        self._processor = Processor()

    # The stages of a life

    def _work(self) -> Finished:
        saved = self._begin()
        self._position = saved.position if saved else None
        session = self.session = self._open()
        try:
            return self._train(session, saved)
        finally:
            session.executor.close()

    def _train(self, session: Session, saved: Saved | None) -> Finished:
        from engine.train.loop import NonFinite, OutOfMemory
        from engine.train.refusals import smaller_batch

        loop = self._loop(session, saved)
        self._begin_telemetry(session)
        # a worker that died between an epoch's record and the next checkpoint leaves the epoch to be told again
        told = {(r["epoch"], r["step"]) for r in effective(self.records) if r["type"] == "epoch"}
        try:
            for record in loop.run():
                if not (isinstance(record, Epoch) and (record.epoch, record.step) in told):
                    self.write(record)
                if isinstance(record, Edited):
                    self._write_resolved(loop.recipe)
        except NonFinite as error:
            self._write_all(loop.save())
            return self._finished("non_finite", error.message, error.details)
        except OutOfMemory as error:
            self._write_all(loop.save())
            return self._finished("out_of_memory", smaller_batch(loop, str(error)))
        ending: Ending | None = loop.ending
        assert ending is not None
        test = None
        if self.options.get("test") and ending.reason in ("completed", "early_stopped"):
            test = self._test(session, loop)
        return self._finished(ending.reason, ending.message, test=test)

    def _begin(self) -> Saved | None:
        """Announce the life before anything slow; the state to go on from, if there is one."""
        first = not any(record["type"] == "started" for record in self.records)
        self.text = (self.run_dir / RECIPE).read_text(encoding="utf-8")
        if first:
            self.write(origin.started(self.run_dir, self.options))
            checkpoints.sweep(self.run_dir, [{"type": "checkpoint", **(self.options.get("from") or {"path": ""})}])
            return self._forked()
        record, tensors, data = self._latest()
        self._from = record
        step = 0 if record is None else int(record["step"])
        versions = origin.versions(self.options.get("parts") or ())
        self.write(
            Resumed(from_step=step, step=step, pid=os.getpid(), host=host(), versions=versions, wall=origin.now())
        )
        self.records = read(self.run_dir)
        checkpoints.sweep(self.run_dir, self.records)
        self.text = effective_recipe(self.run_dir, step)
        if self.options.get("edits"):
            self.desk.wishes.changes.append(Change(None, list(self.options["edits"])))
        if record is None:
            return None
        from engine.train.checkpoint import unpack

        return unpack(tensors, data)

    def _latest(self) -> tuple[Json | None, dict[str, Any], Json]:
        if not checkpoints.committed(self.records):
            return None, {}, {}
        record, tensors, data, problems = checkpoints.load_latest(self.run_dir, self.records)
        for problem in problems:
            say(problem.sentence())
        return record, tensors, data

    def _forked(self) -> Saved | None:
        """The checkpoint that a fork starts from, which lies in its own folder."""
        source = self.options.get("from")
        if not source:
            return None
        from engine.train.checkpoint import read as read_checkpoint

        saved = read_checkpoint(self.run_dir, source)
        saved.position.forked()
        return saved

    def _open(self) -> Session:
        from engine.parts import catalog
        from engine.train import plan
        from engine.train.session import data_record, open_session

        for path in self.options.get("parts") or ():
            catalog.load_file(Path(path))
        base = Path(self.options.get("base") or self.run_dir)
        recorded, reason = plan.of_next_life(self.records, self.options)
        session = open_session(
            self.text,
            base,
            choice=recorded,
            device=self.options.get("device"),
            timed=not self.options.get("frozen"),
            progress=self._progress,
        )
        self._write_resolved(session.recipe)
        known = next((r for r in self.records if r["type"] == "data"), None)
        facts = session.prepared.facts
        if known is None:
            self.write(data_record(session.prepared))
        elif (known["data_sha256"], known["split_sha256"]) != (facts.data_sha256, facts.split_sha256):
            raise UserError(
                "the data is not what this run began with", "put the old data back, or start a new run on the new data"
            )
        if reason:
            self.write(Replanned(plan=asdict(session.choice), reason=reason))
        return session

    def _loop(self, session: Session, saved: Saved | None) -> Loop:
        from engine.train.checkpoint import Saver
        from engine.train.position import Position
        from engine.train.rows import TimedRows

        if not any(r["type"] == "plan" for r in self.records):
            self.write(self._plan(session))
        self.saver = Saver(self.run_dir, session.recipe, session.prepared, self.records)
        position = Position()
        if saved is not None:
            session.executor.load(saved.state)
            position = saved.position
            source = self.options.get("from")
            if source and not checkpoints.committed(self.records):
                best = position.best is not None
                self.write(self.saver.adopt(position, self.text, source, best))
            elif self._from is not None:
                self.saver.go_on(saved, self._from)
        rows = TimedRows(number(self.records[-1]["time"]) if self.records else 0.0)
        loop = session.loop(position=position, desk=self.desk, rows=rows, saver=self.saver, say=say)
        self.vigil.obey()
        with self.vigil.ending():  # from here on the loop hears for itself
            self.loop = loop
        return loop

    def _begin_telemetry(self, session: Session) -> None:
        import torch

        from engine.train.telemetry import Telemetry

        device = torch.device(session.choice.device)
        self._telemetry = Telemetry(device, self.note, lambda: self.desk.wishes.pause, processor=self._processor)
        self._telemetry.begin()

    def _close(self, finished: Finished) -> None:
        if self._telemetry is not None:
            self._telemetry.end()
        super()._close(finished)

    def _plan(self, session: Session) -> Plan:
        from engine.train import early_stopping, guess

        part = guess.judged(session.prepared)
        return Plan(
            **asdict(session.choice),
            parameters=session.executor.parameters,
            steps_per_epoch=session.steps_per_epoch,
            epochs=session.recipe.train.epochs,
            loss_at_init=guess.loss_at_init(session.executor, part),
            loss_baseline=guess.loss_of_average(session.executor, session.prepared, part),
            monitor=early_stopping.monitored(session.recipe, session.validated),
        )

    def _test(self, session: Session, loop: Loop) -> Json | None:
        """Look at the test part once, with the best epoch's weights."""
        assert self.saver is not None
        best = self.saver.best()
        if best is not None:
            session.executor.load(best.state, weights_only=True)
        series = self._write_all(loop.evaluate("test", obey=False))
        if series is None:
            return None
        metrics = {f"test_{name}": value for name, value in series.items()}
        facts = session.prepared.facts
        looks = count_looks(self.run_dir.parent, facts.data_sha256) + 1
        self.write(
            TestEvaluated(
                epoch=best.position.epoch if best else None,
                metrics=metrics,
                data_sha256=facts.data_sha256,
                looks=looks,
                rows=facts.rows["test"],
            )
        )
        return metrics

    # Records

    def _write_resolved(self, recipe: Recipe) -> None:
        """Keep the effective recipe with every default beside the run, for people; a disk that refuses is no matter."""
        from engine.recipe.resolve import dump, to_data

        try:
            replace(self.run_dir / RESOLVED, dump(to_data(recipe)).encode())
        except OSError as error:
            say(f"{RESOLVED} could not be written: {error.strerror}")

    def _step(self) -> int:
        """What a `resumed` names must stay in force."""
        return 0 if self._from is None else int(self._from["step"])

    def _finished(
        self, reason: Reason, message: str = "", details: Json | None = None, test: Json | None = None
    ) -> Finished:
        position = self.loop.position if self.loop else self._position
        best = position.best if position else None
        return Finished(
            epoch=position.epoch if position else None,
            step=position.step if position else None,
            reason=reason,
            best_epoch=best.epoch if best else None,
            best=best.row if best else {},
            test=test,
            recipe=self.loop.text if self.loop else self.text,
            message="; ".join(filter(None, (message, self._unsaved()))),
            details=details or {},
        )

    def _unsaved(self) -> str:
        trouble = self.loop.trouble if self.loop else ""
        return f"the last state could not be saved: {trouble}" if trouble else ""

    def _failure(self, error: BaseException) -> Finished:
        from engine.train.loop import is_out_of_memory
        from engine.train.refusals import in_words, smaller_batch

        if is_out_of_memory(error):
            return self._finished("out_of_memory", smaller_batch(self.loop, str(error)))
        if known := in_words(error, self.session):
            return self._finished("error", known)
        return super()._failure(error)
