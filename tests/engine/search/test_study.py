"""A search's trials in Optuna's storage: picked the same whatever dies, each told once, shared by processes."""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import math
import multiprocessing
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from engine.runs.storage import StorageError
from engine.search import storage
from engine.search.settings import Settings
from engine.search.space import read_space
from engine.search.storage import FILE
from engine.search.study import Study

SPACE = read_space(
    {
        "optimizer.lr": {"log_uniform": [1e-4, 1e-2]},
        "optimizer": {"choice": [{"type": "SGD"}, "Adam"]},
        "data.batch_size": {"int": [8, 64]},
    }
)
SETTINGS = Settings(
    space=SPACE, trials=12, minutes=None, sampler="tpe", pruner="none", seed=3, together=4, monitor="val_loss"
)
GRID = read_space({"a": {"int": [1, 3]}, "b": {"choice": ["x", "y"]}})


def row(number: int, value: float | None, state: str = "completed") -> dict[str, Any]:
    return {"number": number, "state": state, "value": value}


def work(folder: Path, settings: Settings = SETTINGS, worker: str = "me", die: tuple[int, int] = (-1, -1)) -> list[Any]:
    """Pick and tell until all is done; what was told. The process dies once as it picks, once as it tells."""
    study = Study(folder, settings, worker)
    told: list[Any] = []
    picking, telling = die
    while True:
        batch = study.taken()
        while not (batch and study.picked % settings.together == 0):
            asked = study.ask()
            if asked is None:
                break
            if asked.number == picking:
                picking = -1
                study = Study(folder, settings, worker)
                batch = study.taken()
                continue
            batch.append(asked)
        if not batch:
            return told
        for asked in batch:
            if asked.number == telling:
                telling = -1
                study = Study(folder, settings, worker)
                break
            study.tell(row(asked.number, asked.params.get("optimizer.lr", 1.0)))
            told.append((asked.number, asked.params))


@given(picking=st.integers(0, 11), telling=st.integers(0, 11))
@hypothesis_settings(max_examples=8, deadline=None)
def test_the_same_trials_wherever_the_process_dies(tmp_path_factory: Any, picking: int, telling: int) -> None:
    whole = work(tmp_path_factory.mktemp("whole"))
    assert [number for number, _ in whole] == list(range(12))
    broken = work(tmp_path_factory.mktemp("broken"), die=(picking, telling))
    assert sorted(broken, key=lambda item: item[0]) == whole


def test_another_seed_picks_others(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    assert work(tmp_path / "a") != work(tmp_path / "b", replace(SETTINGS, seed=4))


@pytest.mark.parametrize("seed", range(5))
def test_the_first_trials_are_spread_over_every_setting(tmp_path: Path, seed: int) -> None:
    study = Study(tmp_path, replace(SETTINGS, trials=10, together=10, seed=seed), "me")
    asked = [found.params for _ in range(10) if (found := study.ask())]
    tenths = sorted(int(10 * (math.log10(params["optimizer.lr"]) + 4) / 2) for params in asked)
    assert tenths == list(range(10))
    assert sum(params["optimizer"] == "Adam" for params in asked) == 5
    sizes = sorted(params["data.batch_size"] for params in asked)
    assert sizes[0] <= 13 and sizes[-1] >= 58 and len(set(sizes)) == 10


def test_a_grid_visits_every_point_once(tmp_path: Path) -> None:
    told = work(tmp_path, replace(SETTINGS, space=GRID, sampler="grid", trials=6))
    assert {tuple(params.values()) for _, params in told} == {(a, b) for a in (1, 2, 3) for b in "xy"}


def test_what_was_half_picked_is_picked_to_the_end(tmp_path: Path) -> None:
    study = Study(tmp_path, SETTINGS, "me")
    study._study.ask()  # a process that died before it drew anything
    (taken,) = study.taken()
    assert taken.number == 0 and taken.params.keys() == {dimension.path for dimension in SPACE}
    (again,) = Study(tmp_path, SETTINGS, "me").taken()
    assert again == taken


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_what_a_full_disk_broke_off_is_picked_by_the_same_call_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    settings = replace(SETTINGS, sampler=sampler, space=GRID if sampler == "grid" else SPACE, trials=6, together=1)
    (tmp_path / "whole").mkdir()
    (tmp_path / "full").mkdir()
    whole = work(tmp_path / "whole", settings)
    real, calls = storage.write_all, itertools.count()

    def refuse(fd: int, data: bytes) -> None:
        if next(calls) % 7 == 3:
            os.write(fd, data[:3])  # a torn line
            raise OSError(errno.ENOSPC, "no space")
        real(fd, data)

    monkeypatch.setattr(storage, "write_all", refuse)

    def patiently(act: Any) -> Any:
        while True:
            with contextlib.suppress(StorageError):
                return act()

    study = patiently(lambda: Study(tmp_path / "full", settings, "me"))
    told = []
    while (asked := patiently(study.ask)) is not None:
        patiently(functools.partial(study.tell, row(asked.number, asked.params.get("optimizer.lr", 1.0))))
        told.append((asked.number, asked.params))
    assert told == whole


def test_a_folder_that_is_gone_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    study = Study(tmp_path / "it", SETTINGS, "me")
    shutil.rmtree(tmp_path / "it")
    with pytest.raises(StorageError, match="the folder is gone"):
        study.ask()


def test_a_torn_line_is_cut_before_the_next(tmp_path: Path) -> None:
    study = Study(tmp_path, SETTINGS, "me")
    asked = study.ask()
    assert asked is not None
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"op_code":5,"worker')
    study = Study(tmp_path, SETTINGS, "me")
    study.tell(row(asked.number, 0.5))
    assert Study(tmp_path, SETTINGS, "other").rows() == [row(0, 0.5)]


def test_told_twice_is_told_once(tmp_path: Path) -> None:
    study = Study(tmp_path, SETTINGS, "me")
    assert study.ask() is not None
    study.tell(row(0, 0.5))
    study.tell(row(0, 0.1))
    assert study.rows() == [row(0, 0.5)]


def test_optuna_itself_reads_the_storage(tmp_path: Path) -> None:
    work(tmp_path)
    storage = JournalStorage(JournalFileBackend(str(tmp_path / FILE)))
    study = optuna.load_study(study_name="search", storage=storage)
    assert len(study.trials) == 12
    assert study.best_value == min(trial.value for trial in study.trials if trial.value is not None)
    assert set(study.best_params) == {"optimizer.lr", "optimizer", "data.batch_size"}


def test_what_broke_is_avoided_and_what_failed_teaches_nothing(tmp_path: Path) -> None:
    study = Study(tmp_path, SETTINGS, "me")
    for _ in range(3):
        study.ask()
    study.tell(row(0, None, "failed"), broke=True)
    study.tell(row(1, None, "failed"))
    study.tell(row(2, 0.3, "pruned"))
    states = [trial.state.name for trial in study._study.get_trials()]
    assert states == ["PRUNED", "FAIL", "PRUNED"]
    assert [found["state"] for found in study.rows()] == ["failed", "failed", "pruned"]


@pytest.mark.parametrize("name", ["median", "hyperband"])
def test_pruners_give_up_what_is_worse(tmp_path: Path, name: str) -> None:
    study = Study(tmp_path, replace(SETTINGS, pruner=name, trials=40, sampler="random"), "me")
    given_up = 0
    for _ in range(30):
        asked = study.ask()
        assert asked is not None
        bad = asked.number >= 8
        for epoch in range(1, 10):
            if study.report(asked.number, epoch, 9.0 if bad else 1.0 / epoch):
                given_up += 1
                study.tell(row(asked.number, None, "pruned"))
                break
        else:
            study.tell(row(asked.number, 9.0 if bad else 0.1))
    assert given_up > 5


def share(folder: str, worker: str) -> None:
    work(Path(folder), replace(SETTINGS, trials=20), worker)


def test_processes_share_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=share, args=(str(tmp_path), name)) for name in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    study = Study(tmp_path, replace(SETTINGS, trials=20), "c")
    assert sorted(found["number"] for found in study.rows()) == list(range(20))
    assert study.ask() is None and study.taken() == []


def test_a_dead_workers_trials_can_be_taken_over(tmp_path: Path) -> None:
    gone = Study(tmp_path, SETTINGS, "gone")
    asked = gone.ask()
    assert asked is not None
    gone.begun(asked.number, "its-run")
    study = Study(tmp_path, SETTINGS, "me")
    assert study.taken() == []
    assert study.elsewhere() == {"gone": [replace(asked, run="its-run")]}
    study.take_over(asked.number)
    assert study.taken() == [replace(asked, run="its-run")] and study.elsewhere() == {}
