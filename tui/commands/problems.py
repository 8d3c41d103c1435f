"""Problems of a recipe as a person and as a program read them."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from typing import IO

from engine.recipe.problem import Problem
from tui.clean import clean
from tui.commands.output import emit, paint, write

WIDTH = 100
"""Longest piece of a source line that is quoted."""


def show_problems(file: str, text: str, problems: Sequence[Problem], *, stream: IO[str] | None = None) -> None:
    """Print problems as `file:line:column: severity: message`, each with its line, a caret and the hint."""
    out = stream or sys.stdout
    lines = text.split("\n")
    for problem in problems:
        place = f"{clean(file)}:{problem.line}:{problem.column}"
        severity = paint(problem.severity, problem.severity, out)
        write(f"{paint(place, 'bold', out)}: {severity}: {clean(problem.message)}", out)
        if 0 < problem.line <= len(lines) and lines[problem.line - 1].strip():
            quoted, caret = excerpt(lines[problem.line - 1], problem.column)
            write(f"    {quoted}", out)
            write(f"    {' ' * caret}{paint('^', problem.severity, out)}", out)
        if problem.hint:
            write(f"    {paint('hint:', 'dim', out)} {clean(problem.hint)}", out)


def excerpt(line: str, column: int) -> tuple[str, int]:
    """A source line made printable and short, and the number of cells in front of `column` (from 1)."""
    start = max(0, column - 1 - WIDTH // 2) if len(line) > WIDTH else 0
    before, after = clean(line[start : column - 1]), clean(line[column - 1 : start + WIDTH])
    mark = "..." if start else ""
    return f"{mark}{before}{after}".rstrip(), cells(mark + before)


def cells(text: str) -> int:
    """How many cells of a terminal `text` takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def emit_problems(file: str, problems: Sequence[Problem]) -> None:
    """Problems as JSON lines."""
    for problem in problems:
        emit(
            "problem",
            file=file,
            line=problem.line,
            column=problem.column,
            path=problem.path,
            message=problem.message,
            hint=problem.hint,
            severity=problem.severity,
        )


def count(problems: Sequence[Problem], severity: str) -> int:
    """How many problems have that severity."""
    return sum(problem.severity == severity for problem in problems)


def summary(errors: int, warnings: int) -> str:
    """`2 errors, 1 warning`."""
    return f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"
