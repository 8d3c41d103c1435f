"""Checks."""

from __future__ import annotations

from collections.abc import Callable

from engine.recipe.checks.subject import Subject


def shapes(subject: Subject) -> None:
    """Layers that cannot take what reaches them."""
    for row in subject.rows:
        if row.error:
            subject.error(row.path, f"{row.type}: {row.error.message}", row.error.hint)


CHECKS: tuple[Callable[[Subject], None], ...] = (shapes,)
