"""`--require EXPR` and `--fail-on SEVERITY`: what a run must have reached to count as a success."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import UserError

if TYPE_CHECKING:
    from engine.recipe.schema import Recipe

UNMET = 3
SEVERITIES = ("info", "warning", "error")
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
}
_EXPRESSION = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(>=|<=|==|>|<)\s*(\S+)\s*")


@dataclass(frozen=True)
class Requirement:
    """`NAME OP NUMBER`."""

    text: str
    name: str
    op: str
    number: float

    def met(self, scores: Mapping[str, Any]) -> bool:
        """Whether a run with these scores meets it. A score that is missing or not a number meets nothing."""
        try:
            return _OPERATORS[self.op](float(scores[self.name]), self.number)
        except (KeyError, TypeError, ValueError):
            return False


def read_requirements(texts: Iterable[str]) -> list[Requirement]:
    """Parse expressions such as `test_accuracy >= 0.97`. Raises UserError."""
    found = []
    for text in texts:
        match = _EXPRESSION.fullmatch(text)
        try:
            value = float(match.group(3)) if match else float("nan")
        except ValueError:
            value = float("nan")
        if match is None or value != value:
            raise UserError(f"--require '{text}' cannot be read", "write NAME OP NUMBER, such as 'val_accuracy >= 0.9'")
        found.append(Requirement(text, match.group(1), match.group(2), value))
    return found


def score_names(recipe: Recipe, *, validated: bool, test: bool) -> list[str]:
    """The names that a run of this resolved recipe will have in `finished.best` and `finished.test`."""
    metrics = [metric.series() for metric in recipe.metrics or () if metric.higher_is_better is not None]
    names = ["train_loss"]
    if validated:
        names += ["val_loss", *(f"val_{name}" for name in metrics)]
    if test:
        names += ["test_loss", *(f"test_{name}" for name in metrics)]
    return names


def refuse_unknown(requirements: Iterable[Requirement], names: list[str]) -> None:
    """Raise UserError for a requirement on a score that the run cannot have."""
    import difflib

    for requirement in requirements:
        if requirement.name in names:
            continue
        if requirement.name.startswith("test_"):
            hint = "scores on the test part need --test; " if "test_loss" not in names else ""
        else:
            hint = ""
        near = difflib.get_close_matches(requirement.name, names, n=1)
        hint += f"did you mean {near[0]}?" if near else f"this run has {', '.join(names)}"
        raise UserError(f"--require '{requirement.text}': this run has no {requirement.name}", hint)


def judge(
    finished: Mapping[str, Any],
    findings: Iterable[Mapping[str, Any]],
    requirements: Iterable[Requirement],
    fail_on: str | None,
) -> list[str]:
    """What the run failed to meet, in words."""
    scores = {**(finished.get("best") or {}), **(finished.get("test") or {})}
    unmet = [
        f"not met: {requirement.text} (it is {scores.get(requirement.name, 'missing')})"
        for requirement in requirements
        if not requirement.met(scores)
    ]
    if fail_on:
        worst = SEVERITIES.index(fail_on)
        unmet += [
            f"finding: {finding.get('rule')} ({finding.get('severity')})"
            for finding in findings
            if finding.get("severity") in SEVERITIES[worst:]
        ]
    return unmet
