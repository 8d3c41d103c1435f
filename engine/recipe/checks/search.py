"""The search space: paths that exist, ranges that make sense, values that their keys take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import UserError
from engine.recipe.checks.subject import Subject
from engine.recipe.edits import Edit
from engine.recipe.paths import PathParts, child, split
from engine.recipe.reader import data, read
from engine.recipe.retype import with_types
from engine.recipe.splice import apply_edits
from engine.recipe.words import listed, nearest

KINDS = ("uniform", "log_uniform", "int", "choice")
MOST_TRIED = 40
"""Values tried in the recipe, over the whole space."""
FIXED = {
    "goodfit": "",
    "name": "",
    "search": "",
    "findings": "",
    "find_lr": "",
    "task": "trials could not be compared",
    "metrics": "metrics change nothing about a trial",
    "data.source": "every trial must be judged on the same rows",
    "data.split": "every trial must be judged on the same rows, and none may see the test part",
    "data.missing": "every trial must be judged on the same rows",
    "data.columns": "every trial must be judged on the same rows",
    "train.early_stopping.monitor": "every trial must be judged by the same series",
}
"""What cannot be searched, and why."""
INCOMPARABLE = ("loss", "data.target_scale")
"""What changes the scale of val_loss."""
LARGEST_GRID = 10_000
"""Points of a grid; all are listed before the first trial."""


def space(subject: Subject) -> None:
    """Every entry of `search.space`."""
    search = subject.recipe.search
    if search is None:
        return
    if not search.space:
        subject.error("search.space", "the search has nothing to vary", "like optimizer.lr: {log_uniform: [1e-4, 0.1]}")
    trials = Trials(subject)
    for path, entry in search.space.items():
        here = child("search.space", path)
        values = _values(subject, here, entry)
        try:
            parts = split(path)
        except UserError as error:
            subject.error(here, error.message, error.hint)
            continue
        if not parts or (why := _fixed(parts)) is not None:
            reason = f": {why}" if parts and why else ""
            subject.error(here, f"{path!r} cannot be searched{reason}", "name a key such as optimizer.lr")
            continue
        for value in values:
            if not trials.take(here, path, value) and "choice" not in entry:
                break
        if _starts(parts, INCOMPARABLE) and _monitor(subject) in ("val_loss", "train_loss"):
            message = f"trials with another {path} have losses on another scale, which cannot be compared"
            hint = "judge by a metric: train.early_stopping.monitor: val_accuracy, say"
            subject.warn(here, message, hint, subject.unset(here))
        if search.sampler == "grid" and isinstance(entry, dict) and not entry.keys() <= {"int", "choice"}:
            subject.error(here, "a grid needs values that can be counted", "use choice or int, or another sampler")
    if search.sampler == "grid" and (points := _points(search.space)) > LARGEST_GRID:
        message = f"the grid has {points:,} points, more than {LARGEST_GRID:,}"
        subject.error("search.sampler", message, "narrow the ranges, or use random")


def _points(entries: Mapping[str, Any]) -> int:
    """Points of the grid; where an entry is wrong, which is reported where it stands, it counts as 1."""
    sizes = []
    for entry in entries.values():
        bounds = next(iter(entry.values()), None) if isinstance(entry, dict) else None
        if not isinstance(bounds, list):
            continue
        whole = "int" in entry and len(bounds) == 2 and all(isinstance(bound, int) for bound in bounds)
        sizes.append(bounds[1] - bounds[0] + 1 if whole else len(bounds))
    return math.prod(sizes)


def _fixed(parts: PathParts) -> str | None:
    if parts == ["data"]:  # the whole of it holds what is fixed
        return FIXED["data.source"]
    return next((why for path, why in FIXED.items() if _starts(parts, (path,))), None)


def _starts(parts: PathParts, paths: tuple[str, ...]) -> bool:
    return any(parts[: len(split(path))] == split(path) for path in paths)


def _monitor(subject: Subject) -> str:
    stopping = subject.recipe.train.early_stopping
    return stopping.monitor if stopping else "val_loss"


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


class Trials:
    """Tries values in the recipe, as trials will, and reports those that make it unsound."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._left = MOST_TRIED
        self._text = apply_edits(subject.document.text, [Edit("unset", "search")])
        found = data(read(self._text).root)
        self._data = found if isinstance(found, dict) else {}
        self._known: set[tuple[str, str]] | None = None
        """Errors that the recipe has as it stands."""

    def take(self, here: str, path: str, value: Any) -> bool:
        """Whether the recipe takes this value at this path; where it does not, that is reported at `here`."""
        if self._left == 0:
            return True
        self._left -= 1
        try:
            edits, _ = with_types(self._data, [Edit("set", path, value)])
            text = apply_edits(self._text, edits)
        except UserError as error:
            self._subject.error(here, f"{path} cannot be set: {error.message}", error.hint)
            return False
        if self._known is None:
            self._known = {(p, message) for p, message, _ in self._errors(self._text)}
        for where, message, hint in self._errors(text):
            if (where, message) in self._known:
                continue
            if isinstance(value, float) and "whole number" in message:
                hint = "use int for whole numbers"
            self._subject.error(here, f"with {value!r} for {path}: {message}", hint or "change the range")
            return False
        return True

    def _errors(self, text: str) -> list[tuple[str, str, str]]:
        from engine.recipe.check import check
        from engine.recipe.document import Document

        return [(p.path, p.message, p.hint) for p in check(Document.from_text(text), self._subject.facts).errors]


CHECKS: tuple[Callable[[Subject], None], ...] = (space,)
