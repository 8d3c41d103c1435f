"""What a chart shows: lines, levels to compare with, marks on the axis. No numbers library is needed to say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tui.charts.scale import number

GUTTER = 7
"""Cells left of the plot: labels of five, a blank and the axis."""
Window = Callable[[float, float, int], tuple[Any, Any, Any, Any]]
"""(low x, high x, columns) to the arrays x, lowest, highest, mean of about that many bins, ascending in x."""


@dataclass(frozen=True)
class Trace:
    """One line. `marker` is a character put on the points, so that two lines differ by more than colour."""

    label: str
    style: str
    window: Window
    marker: str = ""
    band: bool = False
    """Shade between the lowest and the highest value of each bin."""


@dataclass(frozen=True)
class Level:
    """A horizontal line to compare with."""

    value: float
    label: str
    style: str = "chart--level"


@dataclass(frozen=True)
class Mark:
    """Something that happened at `x`: a character on the axis, and words for the last row."""

    x: float
    glyph: str
    words: str = ""
    style: str = "chart--mark"


@dataclass(frozen=True)
class Picture:
    """What a chart shows."""

    title: str = ""
    traces: Sequence[Trace] = ()
    low: float = 0.0
    high: float = 1.0
    x_name: str = "epoch"
    """At most five letters."""
    x_text: Callable[[float], str] = number
    whole: bool = True
    """x counts whole things: no tick between two of them."""
    levels: Sequence[Level] = ()
    marks: Sequence[Mark] = ()
    best: tuple[float, float, str] | None = None
    """x, y and words of the best epoch."""
    log: bool = False
    beside: Trace | None = None
    """One more trace, with a scale of its own at the right: a metric beside the loss."""
    margin: bool = False
    """Leave the room of that scale free, to stand in line with a chart that has one."""
