"""How the trials of a search are trained: settled for its own recipe, which all of them are like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from engine.data.prepare import silent
from engine.runs.records import Json, Plan
from engine.search.settings import Settings
from engine.train import calibration, early_stopping, guess, plan
from engine.train.search.material import Material
from engine.train.session import build_session


def settle(material: Material, records: Sequence[Json], options: Json) -> tuple[plan.Choice, str]:
    """The plan that was recorded, or a new one, calibrated unless `options` forbid it; and what has changed since it
    was recorded, in words. Raises UserError."""
    recorded, changed = plan.of_next_life(list(records), options)
    if recorded is not None:
        return recorded, changed
    choice = plan.choose(material.recipe, material.prepared.facts, options.get("device"))
    if not options.get("frozen"):
        plan.prepare_torch(choice, material.recipe.train.deterministic)
        choice = calibration.calibrate(material.recipe, material.prepared, choice, silent)
    return choice, changed


def announcement(material: Material, choice: plan.Choice, settings: Settings, alone: str | None) -> Plan:
    """The search's `plan` record, with what the untrained network scores; `alone` is why trials train one by one."""
    session = build_session(material.text, material.recipe, material.prepared, choice)
    try:
        part = guess.judged(material.prepared)
        size = min(settings.together, settings.trials)
        how = f"{size} trials train together" if alone is None else f"trials train one after another, since {alone}"
        return Plan(
            **asdict(replace(choice, reason=f"{how}; {choice.reason}")),
            parameters=session.executor.parameters,
            steps_per_epoch=session.steps_per_epoch,
            epochs=material.recipe.train.epochs,
            loss_at_init=guess.loss_at_init(session.executor, part),
            loss_baseline=guess.loss_of_average(session.executor, material.prepared, part),
            monitor=early_stopping.monitored(material.recipe, session.validated),
            trials=settings.trials,
        )
    finally:
        session.executor.close()
