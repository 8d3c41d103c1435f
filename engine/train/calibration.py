"""Timing what a recipe leaves `auto`: threads on a CPU, and precision where the recipe says auto.

Only steps that are large enough to gain are timed; a small network gets one thread by rule (`engine.parts.work`), and
is never calibrated. The answer is kept by machine and shape, so that the next run of its kind has the same plan.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from engine.data.inspect import cache_folder
from engine.data.prepared import Part, Prepared
from engine.parts.work import MOST_THREADS, SMALL_STEP, format_for, step_work
from engine.recipe.resolve import to_data
from engine.recipe.schema import Recipe
from engine.runs.records import Json
from engine.runs.storage import replace as write_whole
from engine.train import plan
from engine.train.executors import choice as executors
from engine.train.executors.executor import Executor, Rate
from engine.train.feed.resident import ResidentFeed

BUDGET = 0.3
"""Seconds after which no further round begins."""
LIMIT = 0.9
"""Seconds after which timing is given up, and the rule holds: a step that long is sure to gain."""
BATCHES = 4
"""Batches that are timed, over and over."""
GAIN = 1.15
"""How many times as fast a choice must be to be taken in place of a plainer one."""

Tell = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Timed:
    """A choice and what a step takes with it."""

    threads: int
    precision: str
    seconds: float


def calibrate(recipe: Recipe, prepared: Prepared, choice: plan.Choice, tell: Tell) -> plan.Choice:
    """The choice with what the recipe leaves `auto` settled by timing, or by what an earlier timing found.

    `tell` hears how far it has come, and may raise to end it. Weights and generators of the run are made afterwards.
    """
    candidates = candidates_for(recipe, prepared, choice)
    if len(candidates) < 2:
        return choice
    key = key_of(recipe, prepared, candidates)
    timed = read(key, candidates)
    if timed is not None:
        return settle(candidates, timed, "timed earlier on this machine")
    timed = time_all(recipe, prepared, candidates, tell)
    if timed is None:
        return choice
    keep(key, timed)
    return settle(candidates, timed, "timed just now")


def candidates_for(recipe: Recipe, prepared: Prepared, choice: plan.Choice) -> list[plan.Choice]:
    """What could be chosen, plainest first; the choice alone where nothing is open or the step is too small to gain."""
    if choice.device != "cpu" or len(prepared.train.rows) == 0:
        return [choice]
    large = step_work(recipe, prepared.facts) >= SMALL_STEP
    threads = [choice.threads]
    if recipe.train.threads == "auto" and large:
        most = min(plan.cores(), MOST_THREADS)
        threads = sorted({1, *(2**power for power in range(1, 4) if 2**power < most), most})
    precisions = ["fp32", "bf16"] if recipe.train.precision == "auto" and large else [choice.precision]
    found: list[plan.Choice] = []
    for precision in precisions:
        picked = executors.pick(recipe, prepared.facts, torch.device("cpu"), precision)
        layout = format_for(recipe, prepared.facts) if picked.name == "autograd" else "contiguous"
        why = choice.reason.rpartition("; ")[0] if picked.name == choice.executor else picked.reason
        found += [
            replace(choice, threads=count, precision=precision, executor=picked.name, memory_format=layout, reason=why)
            for count in threads
        ]
    return found if len(found) > 1 else [choice]


def settle(candidates: list[plan.Choice], timed: list[Timed], when: str) -> plan.Choice:
    """The plainest candidate that none of the later ones beats by `GAIN`; says why in its reason."""
    seconds = {(each.threads, each.precision): each.seconds for each in timed}
    best = candidates[0]
    for candidate in candidates[1:]:
        if seconds[best.threads, best.precision] > GAIN * seconds[candidate.threads, candidate.precision]:
            best = candidate
    shown = ", ".join(f"{_words(each)} {1000 * each.seconds:.2g} ms" for each in timed)
    return replace(
        best, reason=f"{best.reason}; {_words(best)}: the plainest of what is fastest ({when}, a step: {shown})"
    )


def _words(choice: plan.Choice | Timed) -> str:
    threads = "one thread" if choice.threads == 1 else f"{choice.threads} threads"
    return threads if choice.precision == "fp32" else f"{threads} in {choice.precision}"


# Timing


def time_all(recipe: Recipe, prepared: Prepared, candidates: list[plan.Choice], tell: Tell) -> list[Timed] | None:
    """Seconds a step for each candidate: the least of several rounds, taken in turn, so that a neighbour who comes and
    goes slows all of them alike. None where the steps are too long for it."""
    few = _few(recipe, prepared)
    batches = -(-len(few.train.rows) // recipe.data.batch_size)
    built: dict[tuple[str, str], Executor] = {}
    least = [float("inf")] * len(candidates)
    threads = torch.get_num_threads()
    began, turn = time.monotonic(), 0
    try:
        while turn < 2 or time.monotonic() - began < BUDGET:
            for number, candidate in enumerate(candidates):
                tell("calibrating", number, len(candidates))
                if time.monotonic() - began > LIMIT:
                    return None
                torch.set_num_threads(candidate.threads)
                kind = (candidate.executor, candidate.precision)
                if kind not in built:
                    built[kind] = _build(recipe, few, candidate)
                started = time.perf_counter()
                built[kind].run(0, turn % batches, [Rate(0.0)])
                if turn:  # the first round warms up
                    least[number] = min(least[number], time.perf_counter() - started)
            turn += 1
    finally:
        torch.set_num_threads(threads)
        for executor in built.values():
            executor.close()
    return [Timed(each.threads, each.precision, seconds) for each, seconds in zip(candidates, least, strict=True)]


def _few(recipe: Recipe, prepared: Prepared) -> Prepared:
    """The data with the first few batches of its training part alone."""
    rows = BATCHES * recipe.data.batch_size
    train = prepared.train
    return replace(prepared, train=Part(train.x[:rows], train.y[:rows], train.rows[:rows]))


def _build(recipe: Recipe, few: Prepared, candidate: plan.Choice) -> Executor:
    cpu = torch.device("cpu")
    feed = ResidentFeed(
        few.train, seed=recipe.seed, batch_size=recipe.data.batch_size, shuffle=False, device=cpu, home=cpu
    )
    return executors.build(
        candidate.executor,
        recipe,
        few,
        feed,
        device=cpu,
        precision=candidate.precision,
        kernel=candidate.optimizer_kernel,
        memory_format=candidate.memory_format,
    )


# What earlier timings found


def key_of(recipe: Recipe, prepared: Prepared, candidates: list[plan.Choice]) -> str:
    """A name for machine, shape and choices."""
    data = to_data(recipe)
    shape: Json = {
        "cpu": plan.cpu_name(),
        "cores": plan.cores(),
        "torch": torch.__version__,
        "sample": list(prepared.facts.shape),
        "outputs": prepared.facts.outputs,
        "batch": recipe.data.batch_size,
        "layers": data["model"]["layers"],
        "optimizer": recipe.optimizer.type_name(),
        "choices": [[each.executor, each.threads, each.precision] for each in candidates],
    }
    return hashlib.sha256(json.dumps(shape, sort_keys=True, default=str).encode()).hexdigest()


def read(key: str, candidates: list[plan.Choice]) -> list[Timed] | None:
    """What was found under a key for all of these, or None; a damaged file is as none."""
    try:
        held = json.loads(_file(key).read_text(encoding="utf-8"))
        timed = [Timed(int(each["threads"]), str(each["precision"]), float(each["seconds"])) for each in held]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    known = {(each.threads, each.precision) for each in timed}
    return timed if all((each.threads, each.precision) in known for each in candidates) else None


def keep(key: str, timed: list[Timed]) -> None:
    """Remember a finding; a cache that cannot be written is no matter."""
    file = _file(key)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps([asdict(each) for each in timed]).encode())
    except OSError:
        return


def _file(key: str) -> Path:
    return cache_folder() / "calibration" / f"{key}.json"
