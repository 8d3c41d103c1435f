"""Checks."""

from __future__ import annotations

from collections.abc import Callable

from engine.recipe.checks.subject import Subject

CHECKS: tuple[Callable[[Subject], None], ...] = ()
