"""A search's trials as Optuna keeps them: picked, taken, told. Only the worker imports it: Optuna is slow to load.

What a trial is called and what became of it (its `trial` row) stands with it in the storage, so that the storage alone
is the truth: journals are written from it, by whichever process comes to see it.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from engine.history.best import lower_is_better
from engine.runs.records import Json
from engine.search.settings import Settings
from engine.search.space import Dimension, Space
from engine.search.spread import SpreadSampler
from engine.search.storage import locked, open_storage

NAME = "search"
ASKING = "optuna.asking"
"""Locked by whoever picks a trial."""
STARTUP = 10
"""Trials that are spread evenly before the sampler learns from them, at the most; where more are picked at a time, so
many."""
WORKER, RUN, ROW = "worker", "run", "row"
"""What a trial carries in the storage: the run whose worker took it, its own run, and its `trial` record."""

optuna.logging.set_verbosity(optuna.logging.ERROR)
optuna.logging.disable_default_handler()


@dataclass(frozen=True)
class Asked:
    """A trial that is to be run."""

    number: int
    params: Json
    """{edit path: value}."""
    run: str | None = None
    """The child run that was begun for it in an earlier life."""


class Study:
    """The trials of a search."""

    def __init__(self, folder: Path, settings: Settings, worker: str) -> None:
        """`folder` holds the storage; `worker` names the run whose worker this is. Raises StorageError."""
        self.settings = settings
        """May be replaced by one with other `trials`."""
        self._folder, self._worker = folder, worker
        self._dimensions = {dimension.path: dimension for dimension in settings.space}
        self._distributions = {path: distribution(d) for path, d in self._dimensions.items()}
        self._storage, self._backend = open_storage(folder)
        self._study = optuna.create_study(
            storage=self._storage,
            study_name=NAME,
            load_if_exists=True,
            direction="minimize" if lower_is_better(settings.monitor) else "maximize",
            pruner=pruner(settings.pruner),
        )

    # Picking

    def ask(self) -> Asked | None:
        """One more trial, taken by this worker; None where all have been picked. Raises StorageError; the same call may
        be made again then, and goes on where it broke off.

        What is picked depends on the search's seed, the trial's number and the trials told so far, and on nothing that
        dies with a process.
        """
        with self._alone():
            if half := self._half_picked():
                return self._pick(half[0])
            if len(self._trials()) >= self.settings.trials:
                return None
            self._study.sampler = sampler(self.settings, len(self._trials()))
            return self._take(self._study.ask(self._distributions))

    def taken(self) -> list[Asked]:
        """Trials that this worker took in an earlier life and that are not over, by number.

        One that was being picked as its worker died is picked to the end, and taken.
        """
        with self._alone():
            for frozen in self._half_picked():
                self._pick(frozen)
        return [self._asked(trial) for trial in self._unfinished() if trial.user_attrs.get(WORKER) == self._worker]

    def elsewhere(self) -> dict[str, list[Asked]]:
        """Trials that other workers have taken and that are not over, by the name of their run."""
        found: dict[str, list[Asked]] = {}
        for trial in self._unfinished():
            worker = trial.user_attrs.get(WORKER)
            if worker not in (None, self._worker):
                found.setdefault(worker, []).append(self._asked(trial))
        return found

    def take_over(self, number: int) -> None:
        """Take a trial whose worker is gone."""
        self._set(number, WORKER, self._worker)

    def begun(self, number: int, run: str) -> None:
        """Note the child run of a trial."""
        self._set(number, RUN, run)

    # Telling

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Tell a trial's value after an epoch (from 1); True where the pruner gives it up."""
        if self.settings.pruner == "none" or value != value:
            return False
        trial_id = self._id(number)
        self._storage.set_trial_intermediate_value(trial_id, epoch, value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given_up: bool = self._study.pruner.prune(self._study, self._storage.get_trial(trial_id))
        return given_up

    def tell(self, row: Json, *, broke: bool = False) -> None:
        """What became of a trial: the fields of its `trial` record. Does nothing where that is known already.

        A trial that `broke` while it trained teaches the sampler to keep away; one that failed for reasons of its own
        (no memory, no such file) teaches it nothing.
        """
        number, value = row["number"], row["value"]
        if self._trial(number).state.is_finished():
            return
        self._set(number, ROW, row)
        self._study.sampler = RandomSampler(seed=0)  # the grid's own would end the study with its last point
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if row["state"] == "completed" and value is not None:
                self._study.tell(number, value)
            else:
                away = row["state"] == "pruned" or broke
                self._study.tell(number, state=TrialState.PRUNED if away else TrialState.FAIL)

    def sync(self) -> None:
        """Make all of it durable. Raises StorageError."""
        self._backend.sync()

    # Looking

    def rows(self) -> list[Json]:
        """The `trial` rows of all trials that are over, by whichever process, by number."""
        finished = (trial for trial in self._trials() if trial.state.is_finished())
        return [trial.user_attrs[ROW] for trial in finished if ROW in trial.user_attrs]

    @property
    def picked(self) -> int:
        """How many trials there are."""
        return min(len(self._trials()), self.settings.trials)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """A block in which no other process picks."""
        with warnings.catch_warnings(), locked(self._folder / ASKING):
            warnings.simplefilter("ignore")  # Optuna calls its own multivariate sampling experimental
            yield

    def _half_picked(self) -> list[FrozenTrial]:
        """Trials that nobody has taken: their worker did not come to that, and nobody else picks at present."""
        return [trial for trial in self._unfinished() if WORKER not in trial.user_attrs]

    def _pick(self, frozen: FrozenTrial) -> Asked:
        """Draw what a trial has not drawn yet, and take it."""
        self._study.sampler = sampler(self.settings, frozen.number)
        self._study._thread_local.cached_all_trials = None  # as `ask` does
        trial = optuna.trial.Trial(self._study, frozen._trial_id)
        for path, found in self._distributions.items():
            trial._suggest(path, found)
        return self._take(trial)

    def _take(self, trial: optuna.trial.Trial) -> Asked:
        trial.set_user_attr(WORKER, self._worker)
        return Asked(trial.number, self._params(trial.params))

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _unfinished(self) -> Iterable[FrozenTrial]:
        return (t for t in self._trials() if not t.state.is_finished() and t.number < self.settings.trials)

    def _trial(self, number: int) -> FrozenTrial:
        return self._storage.get_trial(self._id(number))

    def _id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)

    def _set(self, number: int, key: str, value: Any) -> None:
        self._storage.set_trial_user_attr(self._id(number), key, value)

    def _asked(self, trial: FrozenTrial) -> Asked:
        return Asked(trial.number, self._params(trial.params), trial.user_attrs.get(RUN))

    def _params(self, found: Json) -> Json:
        return {path: self._dimensions[path].value(key) for path, key in found.items() if path in self._dimensions}


def distribution(dimension: Dimension) -> BaseDistribution:
    """A dimension as Optuna has it."""
    if dimension.kind == "choice":
        return CategoricalDistribution(dimension.keys)
    if dimension.kind == "int":
        return IntDistribution(int(dimension.low), int(dimension.high))
    return FloatDistribution(dimension.low, dimension.high, log=dimension.kind == "log_uniform")


def sampler(settings: Settings, number: int) -> BaseSampler:
    """The sampler for the trial of this number.

    After some that are spread evenly, TPE (Bergstra et al., 2011; multivariate, Falkner et al., arXiv:1807.01774), in
    which trials that still run count as poor ones, so that those picked at the same time keep apart ("constant liar").
    """
    if settings.sampler == "grid":
        return GridSampler(grid(settings.space), seed=settings.seed % 2**32)
    seed = int(np.random.SeedSequence([settings.seed, number]).generate_state(1)[0])
    if settings.sampler == "random":
        return SpreadSampler(seed, 0, 1)  # Optuna's own draws others where a trial is picked in two goes
    startup = max(settings.together, min(STARTUP, max(3, settings.trials // 3)))
    if number < startup:
        return SpreadSampler(settings.seed, number, startup)
    return TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=startup)


def grid(space: Space) -> dict[str, list[Any]]:
    """Every value of every dimension."""
    return {d.path: d.keys if d.kind == "choice" else list(range(int(d.low), int(d.high) + 1)) for d in space}


def pruner(name: str) -> BasePruner:
    """The pruner of that name."""
    if name == "median":
        return MedianPruner(n_startup_trials=5, n_warmup_steps=2)
    return HyperbandPruner() if name == "hyperband" else NopPruner()
