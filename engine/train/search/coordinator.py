"""A search: asks for trials, trains those that can share a stack together and the others one after another, and tells.

The storage in the run's folder is the truth about trials; the journal is written from it. What is told twice is told
once, and what a life could not finish, the next one trains again.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.runs.directory import RECIPE, RESOLVED, effective_recipe
from engine.runs.journal import Journal, number
from engine.runs.later import SyncLater
from engine.runs.lock import Held, Lock, beat
from engine.runs.process import host
from engine.runs.records import (
    CommandAccepted,
    CommandRefused,
    Edited,
    Finished,
    Paused,
    Reason,
    Replanned,
    Resumed,
    Started,
    TrialEpochs,
)
from engine.runs.storage import replace as replace_file
from engine.search import live
from engine.search.score import row_of
from engine.search.settings import Settings, how_many, settings_of
from engine.train import origin
from engine.train.desk import Change, Flags, StopReason
from engine.train.duty import Duty, say

if TYPE_CHECKING:
    from engine.data.prepared import Prepared
    from engine.recipe.schema import Recipe
    from engine.search.study import Asked
    from engine.train import plan
    from engine.train.position import Row
    from engine.train.search.book import Book
    from engine.train.search.child import Child, Family
    from engine.train.search.material import Material, Trial

TOLD_EVERY = 0.05
"""Seconds between two `trial_epochs` records, at the least."""
BEAT_EVERY = 10.0


class Search(Duty):
    """A worker's work on a search, from `started` or `resumed` to `finished`."""

    def __init__(self, run_dir: Path, lock: Lock, journal: Journal, flags: Flags) -> None:
        super().__init__(run_dir, lock, journal, flags)
        self.text = ""
        self.settings: Settings | None = None
        self.book: Book | None = None
        self._started: Started | None = None
        self._since = 0.0
        """The journal's time at the plan, from which `search.minutes` counts."""
        self._epochs_told = 0.0
        self._beaten = 0.0
        self._training: list[Child] = []

    # The stages of a life

    def _work(self) -> Finished:
        self._begin()
        material = self._load()
        self.vigil.obey()
        with self.vigil.ending():  # from here on the search hears for itself
            pass
        with SyncLater() as later:
            family = self._family(later)
            while self.heed() is None and not self.time_is_up():
                batch = self._next(material)
                if not batch:
                    break
                self._train(batch, family)
            self._parts()[0].catch_up()
        if self.desk.wishes.stop is not None:
            return self._finished(self.desk.wishes.stop)
        self._parts()[0].weigh(at_the_end=True)
        return self._ended()

    def _begin(self) -> None:
        """Announce the life before anything slow."""
        first = not any(record["type"] == "started" for record in self.records)
        self.text = (self.run_dir / RECIPE).read_text(encoding="utf-8")
        if first:
            self._started = origin.started(self.run_dir, self.options)
            self.write(self._started)
            return
        versions = origin.versions(self.options.get("parts") or ())
        self.write(Resumed(from_step=0, step=0, pid=os.getpid(), host=host(), versions=versions, wall=origin.now()))
        found = next(record for record in self.records if record["type"] == "started")
        known = {key: value for key, value in found.items() if key not in ("type", "seq", "time", "life")}
        self._started = replace(Started(**known), versions=versions, pid=os.getpid(), host=host())
        self.text = effective_recipe(self.run_dir)
        if edits := list(self.options.get("edits") or ()):
            self._change(Change(None, edits))

    def _load(self) -> Material:
        """Read the data, decide the plan, and open the storage."""
        from engine.parts import catalog
        from engine.search.study import Study
        from engine.train.search.book import Book
        from engine.train.search.material import Material
        from engine.train.search.picking import Picker
        from engine.train.session import data_record

        for path in self.options.get("parts") or ():
            catalog.load_file(Path(path))
        base = Path(self.options.get("base") or self.run_dir)
        material = Material(self.text, base, self._progress)
        self._write_resolved()
        known = next((r for r in self.records if r["type"] == "data"), None)
        facts = material.prepared.facts
        if known is None:
            self.write(data_record(material.prepared))
        elif (known["data_sha256"], known["split_sha256"]) != (facts.data_sha256, facts.split_sha256):
            raise UserError(
                "the data is not what this search began with", "put the old data back, or start a new search"
            )
        self._choice = self._plan(material)
        self.settings = self._settings(material)
        study = Study(self._folder, self.settings, self.run_dir.name)
        self._picker = Picker(study, self.run_dir, self._folder, self.persist)
        self.book = Book(study, self.records, self.write, self.persist)
        return material

    def _plan(self, material: Material) -> plan.Choice:
        """How trials like the search's own recipe are trained; journalled once."""
        from engine.train.search import planning, together

        choice, changed = planning.settle(material, self.records, self.options)
        stacks = together.refusal(material.recipe, material.prepared, choice)
        self._stacked = stacks is None
        known = next((record for record in self.records if record["type"] == "plan"), None)
        if known is not None:
            self._since = number(known["time"])
            if changed:
                self.write(Replanned(plan=asdict(choice), reason=changed))
            return choice
        self.write(planning.announcement(material, choice, self._settings(material, choice), stacks))
        self._since = self.journal.age
        return choice

    def _settings(self, material: Material, choice: plan.Choice | None = None) -> Settings:
        from engine.train.early_stopping import monitored
        from engine.train.session import read_recipe

        choice = choice or self._choice
        found = settings_of(read_recipe(self.text), stacked=self._stacked, gpu=choice.device.startswith("cuda"))
        return replace(found, monitor=monitored(material.recipe, len(material.prepared.validation.rows) > 0))

    def _family(self, later: SyncLater) -> Family:
        from engine.train.search.child import Family

        assert self._started is not None
        name = str(self.options.get("name") or "search")
        return Family(self.run_dir, name, self._started, self.options, self.persist, later.add)

    @property
    def _folder(self) -> Path:
        """Where the storage is: in the search that this one joins, else in its own folder."""
        joined = self.options.get("join")
        return Path(str(joined)) if joined else self.run_dir

    # Trials

    def _next(self, material: Material) -> list[Trial]:
        """The trials to train next, none where there are no more. Waits for workers that joined and still train."""
        book, _ = self._parts()
        while True:
            batch = self._picker.group(lambda: self.heed() is not None)
            book.catch_up()
            if self.desk.wishes.stop is not None or (not batch and not self._picker.others_work()):
                return []
            if trials := [trial for asked in batch if (trial := self._trial(material, asked))]:
                return trials
            if not batch:
                time.sleep(TOLD_EVERY)

    def _trial(self, material: Material, asked: Asked) -> Trial | None:
        """The trial, or None where its values make no sound recipe: then it has failed."""
        from engine.recipe.edits import edit_to_json
        from engine.search.space import settings as plain

        try:
            return material.trial(asked, self._choose)
        except UserError as error:
            row = {
                "number": asked.number,
                "state": "failed",
                "edits": [edit_to_json(edit) for edit in plain(asked.params)],
                "params": asked.params,
                **dict.fromkeys(("value", "train_loss", "val_loss", "best_epoch", "run")),
                "metrics": {},
                "epochs": 0,
                "seconds": 0.0,
                "message": error.sentence(),
            }
            self._parts()[0].tell(row)
            return None

    def _choose(self, recipe: Recipe, prepared: Prepared) -> plan.Choice:
        """The plan of a trial: what was settled for the search holds for it where it is trained in the same way."""
        from engine.train import plan

        found = plan.choose(recipe, prepared.facts, self.options.get("device"))
        settled = self._choice
        if (found.executor, found.device) == (settled.executor, settled.device):
            found = replace(found, threads=settled.threads, precision=settled.precision)
        return found

    def _train(self, batch: list[Trial], family: Family) -> None:
        from engine.train.search import together
        from engine.train.search.alone import train_alone

        for group in together.groups(batch):
            if self.heed() is not None or self.time_is_up():
                return  # what has been picked is taken up by the next life, or never
            self._training = self._children(group, family)
            if len(self._training) > 1:
                together.train_together(self._training, self)
            elif self._training:
                train_alone(self._training[0], self)
            self._training = []

    def _children(self, group: list[Trial], family: Family) -> list[Child]:
        """The runs of the trials; one that a person is at work on is left to them."""
        from engine.train.search.child import Child, trial_row

        found = []
        for trial in group:
            try:
                found.append(Child(family, trial, self._begun, len(group)))
            except Held as held:
                self._parts()[0].tell(trial_row(trial, "failed", held.sentence(), run=trial.run))
        return found

    def _begun(self, number: int, run: str) -> None:
        book, _ = self._parts()
        self.persist(lambda: book.study.begun(number, run))

    # What the training of trials asks of the search

    def heed(self) -> StopReason | None:
        """Do what has been asked, waiting while the search is paused; why to stop, or None."""
        wishes, paused = self.desk.wishes, False
        while True:
            for answer in self.desk.listen(0):
                self.write(answer)
            while wishes.changes:
                self._change(wishes.changes.popleft())
            while wishes.saves:
                reason = "a search keeps its trials by itself; each has a run of its own"
                self.write(CommandRefused(id=wishes.saves.popleft(), reason=reason))
            if not wishes.pause or wishes.stop is not None:
                break
            if not paused:
                paused = True
                self.write(Paused(step=0))
            self.desk.rest()
        if paused and wishes.stop is None:
            self.write(Resumed(from_step=0, step=0))
        now = time.monotonic()
        if now - self._beaten > BEAT_EVERY:
            self._beaten = now
            for child in self._training:
                beat(child.run_dir)
        return wishes.stop

    def time_is_up(self) -> bool:
        """Whether trials are to end with the epoch that they are in."""
        minutes = self.settings.minutes if self.settings else None
        return minutes is not None and self.journal.age - self._since >= 60 * minutes

    def epoch(self, children: list[Child], rows: list[Row], *, last: bool = False) -> list[bool]:
        """Take the rows of an epoch that these trials have finished; which of them are given up."""
        from engine.train.early_stopping import value_of
        from engine.train.search.child import POINTS
        from engine.train.search.picking import again

        study = self._parts()[0].study
        values = [value_of(row, child.monitor) for child, row in zip(children, rows, strict=True)]
        for child, value in zip(children, values, strict=True):
            child.curve.add(child.position.epoch, value, POINTS)
        now = time.monotonic()
        if last or now - self._epochs_told >= TOLD_EVERY:
            self._epochs_told = now
            self.write(
                TrialEpochs(
                    epoch=children[0].position.epoch,
                    numbers=[child.trial.number for child in children],
                    params=[child.trial.params for child in children],
                    train_loss=[row["train_loss"] for row in rows],
                    val_loss=[row.get("val_loss") for row in rows],
                    value=list(values),
                )
            )
        given_up: list[bool] = []
        for child, value in zip(children, values, strict=True):
            report = partial(study.report, child.trial.number, child.position.epoch, value)
            given_up.append(again(self.persist, report))
        return given_up

    def over(self, child: Child, state: str, message: str = "", *, broke: bool = False) -> None:
        """A trial is over; its run has been closed."""
        self._parts()[0].tell(child.row(state, message), broke=broke)

    # Changes

    def _change(self, change: Change) -> None:
        """Take edits of the search over, or say why not."""
        from engine.train.session import read_recipe

        try:
            text, search = live.change(self.text, change.edits, read_recipe)
        except UserError as error:
            if change.id is None:
                raise
            self.write(CommandRefused(id=change.id, reason=error.sentence()))
            return
        if change.id is not None:
            self.write(CommandAccepted(id=change.id))
        self.text = text
        self.write(Edited(step=0, id=change.id, edits=change.edits))
        self._write_resolved()
        if self.settings is not None and self.book is not None:
            trials = how_many(search, self.settings.space)
            self.settings = replace(self.settings, trials=trials, minutes=search.minutes)
            self.book.study.settings = self.settings

    # The end

    def _ended(self) -> Finished:
        book, settings = self._parts()
        if book.rows and not book.completed:
            first = book.rows[min(book.rows)]
            return self._finished("error", f"no trial was completed; trial {first['number']}: {first['message']}")
        message = ""
        if self.time_is_up() and len(book.rows) < settings.trials:
            message = f"the time was up after {len(book.rows)} of {settings.trials} trials"
        return self._finished("completed", message)

    def _finished(self, reason: Reason, message: str = "") -> Finished:
        best = self.book.best() if self.book else None
        return Finished(
            reason=reason,
            best_epoch=best["best_epoch"] if best else None,
            best=row_of(best) if best else {},
            test=None,
            recipe=self.text,
            message=message,
            details=self.book.counts() if self.book else {},
        )

    def _failure(self, error: BaseException) -> Finished:
        for child in self._training:
            try:
                child.close("error", "the search ended with an error")
            except Exception as trouble:  # the search's own end counts more
                say(f"{child.run_dir.name}: {trouble}")
        return super()._failure(error)

    def _write_resolved(self) -> None:
        from engine.recipe.resolve import dump, to_data
        from engine.train.session import read_recipe

        try:
            replace_file(self.run_dir / RESOLVED, dump(to_data(read_recipe(self.text))).encode())
        except OSError as error:
            say(f"{RESOLVED} could not be written: {error.strerror}")

    def _parts(self) -> tuple[Book, Settings]:
        assert self.book is not None and self.settings is not None
        return self.book, self.settings
