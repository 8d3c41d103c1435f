"""Recipes written as code and run, beside the same recipes run by the executor."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from engine.data.prepare import prepare
from engine.data.prepared import Prepared
from engine.export.code import export
from engine.parts import catalog
from engine.parts.scheduler import Clock, learning_rate, momentum_at
from engine.recipe.document import Document
from engine.recipe.edits import Edit
from engine.recipe.resolve import recipe_of, resolve
from engine.recipe.schema import Recipe
from engine.recipe.splice import apply_edits
from engine.train.executors.executor import Rate
from engine.train.session import open_session

catalog.load()


def written(text: str, base: Path) -> tuple[str, Recipe, Prepared]:
    """The recipe as code, resolved, and its data as goodfit prepares it."""
    plain = recipe_of(Document.from_text(text))
    prepared = prepare(plain, base)
    recipe = resolve(plain, prepared.facts)
    return export(recipe, prepared.facts, base), recipe, prepared


@contextlib.contextmanager
def torch_as_it_was() -> Iterator[None]:
    """What a file sets in torch is set back."""
    threads, strict = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(strict)


def namespace(code: str) -> dict[str, Any]:
    """The file's functions, its `main` not called."""
    names: dict[str, Any] = {"__name__": "exported"}
    with torch_as_it_was():
        exec(compile(code, "exported.py", "exec"), names)
    return names


def output_of(code: str, *arguments: str) -> str:
    """What the file prints."""
    before, shown = sys.argv, io.StringIO()
    sys.argv = ["exported.py", *arguments]
    try:
        with torch_as_it_was(), contextlib.redirect_stdout(shown):
            names: dict[str, Any] = {"__name__": "exported"}
            exec(compile(code, "exported.py", "exec"), names)  # sets torch's threads, which main needs as well
            names["main"]()
    finally:
        sys.argv = before
    return shown.getvalue()


def losses_of(code: str, count: int) -> list[float]:
    """The first losses of the file's training."""
    return [float(line) for line in output_of(code, "--losses", str(count)).split()]


def executor_losses(text: str, base: Path, count: int) -> list[float]:
    """The first losses of the autograd executor on the CPU: the file does what it does, call by call."""
    with torch_as_it_was():
        session = open_session(apply_edits(text, [Edit("set", "train.executor", "autograd")]), base, device="cpu")
        losses = []
        for step in range(count):
            epoch, index = divmod(step, session.steps_per_epoch)
            clock = Clock(
                step,
                epoch,
                session.steps_per_epoch,
                session.recipe.train.epochs,
                lr=session.recipe.optimizer.lr,
            )
            scheduler = session.recipe.scheduler
            rate = Rate(learning_rate(scheduler, clock), momentum_at(scheduler, clock))
            losses.append(float(session.executor.run(epoch, index, [rate]).losses[0]))
        session.executor.close()
    return losses
