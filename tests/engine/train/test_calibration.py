"""What is timed, what is taken, and that a run's bits do not depend on the timing having been done."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.train import calibration, plan
from engine.train.calibration import Timed, calibrate, candidates_for, settle
from engine.train.session import Session, open_session

TEXT = """
data: {source: {type: Builtin, name: digits}, batch_size: 64}
model: {layers: [{type: Linear, out_features: 16}, ReLU, {type: Linear, out_features: outputs}]}
optimizer: Adam
"""


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("GOODFIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(plan, "cores", lambda: 4)
    return open_session(TEXT, tmp_path)


def no_tell(stage: str, done: int, total: int | None) -> None:
    return None


def test_a_small_step_is_never_timed(session: Session) -> None:
    assert candidates_for(session.recipe, session.prepared, session.choice) == [session.choice]
    assert calibrate(session.recipe, session.prepared, session.choice, no_tell) is session.choice


def test_what_the_recipe_says_stays(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "SMALL_STEP", 0.0)
    recipe = session.recipe
    threads = {each.threads for each in candidates_for(recipe, session.prepared, session.choice)}
    assert threads == {1, 2, 4}
    said = recipe.model_copy(update={"train": recipe.train.model_copy(update={"threads": 3})})
    choice = plan.choose(said, session.prepared.facts, "cpu")
    assert candidates_for(said, session.prepared, choice) == [choice]
    free = recipe.model_copy(update={"train": recipe.train.model_copy(update={"precision": "auto", "threads": 1})})
    choice = plan.choose(free, session.prepared.facts, "cpu")
    plain, narrow = candidates_for(free, session.prepared, choice)
    assert (plain.precision, plain.executor, narrow.precision, narrow.executor) == ("fp32", "dense", "bf16", "autograd")
    timed = [Timed(1, "fp32", 2.0), Timed(1, "bf16", 1.0)]
    assert settle([plain, narrow], timed, "timed").reason.startswith("autograd, since dense does not cover it")
    assert {each.precision for each in candidates_for(recipe, session.prepared, session.choice)} == {"fp32"}


def test_more_threads_must_pay(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "SMALL_STEP", 0.0)
    candidates = candidates_for(session.recipe, session.prepared, session.choice)
    for seconds, wanted in (((4.0, 3.9, 3.8), 1), ((4.0, 2.0, 1.9), 2), ((4.0, 3.9, 1.0), 4), ((1.0, 2.0, 3.0), 1)):
        timed = [Timed(each.threads, "fp32", time) for each, time in zip(candidates, seconds, strict=True)]
        assert settle(candidates, timed, "timed").threads == wanted


def test_it_is_timed_once_and_then_known(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "SMALL_STEP", 0.0)
    monkeypatch.setattr(calibration, "BUDGET", 0.0)
    monkeypatch.setattr(calibration, "LIMIT", 60.0)
    told: list[str] = []
    threads = torch.get_num_threads()
    first = calibrate(session.recipe, session.prepared, session.choice, lambda stage, *_: told.append(stage))
    assert set(told) == {"calibrating"} and "timed just now" in first.reason
    assert torch.get_num_threads() == threads
    again = calibrate(session.recipe, session.prepared, session.choice, lambda *_: pytest.fail("timed again"))
    assert replace(again, reason="") == replace(first, reason="") and "timed earlier" in again.reason
    (file,) = (tmp_path / "cache" / "calibration").iterdir()
    for damaged in (json.dumps([{"threads": 1}]), "[]", json.dumps(json.loads(file.read_text())[:2]), '[{"th'):
        file.write_text(damaged)
        calibrate(session.recipe, session.prepared, session.choice, no_tell)
        assert len(json.loads(file.read_text())) == 3


def test_steps_that_are_too_long_are_left_to_the_rule(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "SMALL_STEP", 0.0)
    monkeypatch.setattr(calibration, "LIMIT", 0.0)
    assert calibrate(session.recipe, session.prepared, session.choice, no_tell) is session.choice


def test_a_stop_is_heard_between_two_timings(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "SMALL_STEP", 0.0)

    class Stop(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stop

    with pytest.raises(Stop):
        calibrate(session.recipe, session.prepared, session.choice, stop)


def test_the_initial_weights_do_not_depend_on_it(
    tmp_path: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "SMALL_STEP", 0.0)
    monkeypatch.setattr(calibration, "BUDGET", 0.0)
    timed = open_session(TEXT, tmp_path, timed=True)
    one, other = session.executor.state().tensors, timed.executor.state().tensors
    weights = [name for name in one if name.startswith("model/")]
    assert weights and all(one[name].tobytes() == other[name].tobytes() for name in weights)
