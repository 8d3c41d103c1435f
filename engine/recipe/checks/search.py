"""The search space: paths that exist, ranges that make sense, values that their keys take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.errors import UserError
from engine.recipe.checks.subject import Subject
from engine.recipe.edits import Edit
from engine.recipe.paths import child, split
from engine.recipe.reader import read
from engine.recipe.splice import apply_edits
from engine.recipe.validate import validate
from engine.recipe.words import listed, nearest

KINDS = ("uniform", "log_uniform", "int", "choice")
MOST_TRIED = 60
"""Values tried against the language, over the whole space."""
FIXED = ("goodfit", "name", "search", "findings", "find_lr")


def space(subject: Subject) -> None:
    """Every entry of `search.space`."""
    search = subject.recipe.search
    if search is None:
        return
    if not search.space:
        subject.error("search.space", "the search has nothing to vary", "like optimizer.lr: {log_uniform: [1e-4, 0.1]}")
    tried = 0
    for path, entry in search.space.items():
        here = child("search.space", path)
        values = _values(subject, here, entry)
        try:
            parts = split(path)
        except UserError as error:
            subject.error(here, error.message, error.hint)
            continue
        if not parts or parts[0] in FIXED:
            subject.error(here, f"{path!r} cannot be searched", "name a key such as optimizer.lr")
            continue
        for value in values[: max(0, MOST_TRIED - tried)]:
            tried += 1
            if _refused(subject, here, path, value):
                break


def _values(subject: Subject, here: str, entry: Any) -> list[Any]:
    """Values of an entry worth trying: its bounds or its choices; none where the entry itself is wrong."""
    if not isinstance(entry, dict) or len(entry) != 1:
        subject.error(
            here, "an entry of the space names one kind of range", f"like {{uniform: [0, 1]}}: {listed(KINDS)}"
        )
        return []
    ((kind, bounds),) = entry.items()
    place = child(here, kind)
    if kind not in KINDS:
        close = nearest(kind, KINDS)
        fixes = [(Edit("unset", place), Edit("set", child(here, close), bounds))] if close else []
        hint = f"did you mean {close}?" if close else f"kinds: {listed(KINDS)}"
        subject.error(place, f"there is no range {kind!r}", hint, *fixes)
        return []
    if kind == "choice":
        if not isinstance(bounds, list) or not bounds:
            subject.error(place, "a choice is a list of values", "like choice: [32, 64]")
            return []
        return bounds
    if not isinstance(bounds, list) or len(bounds) != 2 or not all(map(_is_number, bounds)):
        subject.error(place, f"{kind} takes two numbers", f"like {kind}: [low, high]")
        return []
    low, high = bounds
    if low >= high:
        subject.error(
            place, f"the lower bound {low:g} is not below {high:g}", "swap them", subject.set(place, [high, low])
        )
        return []
    if kind == "log_uniform" and low <= 0:
        subject.error(place, f"a log range lies above 0, and begins at {low:g}", "use uniform, or a low above 0")
        return []
    if kind == "int":
        if not all(isinstance(bound, int) for bound in bounds):
            subject.error(place, "int takes whole numbers", "or use uniform")
            return []
        return bounds
    # Halfway between: a range of real numbers hardly ever gives a whole one.
    return [float(low), float(high), float(low) + (float(high) - float(low)) * 0.4567]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refused(subject: Subject, here: str, path: str, value: Any) -> bool:
    """Report, once, that the recipe does not take this value at this path."""
    try:
        text = apply_edits(subject.document.text, [Edit("set", path, value)])
    except UserError as error:
        subject.error(here, f"{path} cannot be set: {error.message}", error.hint)
        return True
    _, problems = validate(read(text))
    if problems:
        first = problems[0]
        hint = first.hint or "change the range"
        if isinstance(value, float) and "whole number" in first.message:
            hint = "use int for whole numbers"
        subject.error(here, f"with {value!r} for {path}: {first.message}", hint)
    return bool(problems)


CHECKS: tuple[Callable[[Subject], None], ...] = (space,)
