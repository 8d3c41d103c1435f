"""Charts that are printed once, by plotext.

plotext keeps one figure for the whole process and cuts it to the terminal's size. A chart here has a figure of its
own (its class is not public; the version is pinned below 7) and lifts the cut, so that two of them never mix and a
chart has the size that was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MARKERS = ("braille", "x", "o", "+", "*", "#")
"""Lines differ in their marks as well as in colour."""
ASCII_MARKERS = (".", "x", "o", "+", "*", "#")
_ASCII = str.maketrans("┌┐└┘─│┤├┬┴┼", "++++-|+++++")


@dataclass(frozen=True)
class Line:
    """One curve. Values that are not finite leave a gap."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def line_chart(
    lines: Sequence[Line],
    width: int,
    height: int,
    *,
    title: str = "",
    x_label: str = "",
    colour: bool = True,
    unicode: bool = True,
) -> str:
    """A chart of `width` x `height` cells as text, with its legend on the first line; "" where nothing is finite."""
    from plotext._kernel.terminal import terminal

    screen = terminal()
    screen.limit(False, False)
    figure = screen._master
    figure._set_size(width, height - 1)
    figure.theme("simple" if colour else "colorless")
    legend = []
    drawn = 0
    markers = MARKERS if unicode else ASCII_MARKERS
    for line, marker in zip(lines, markers, strict=False):
        points = [(x, y) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(x) and math.isfinite(y)]
        if not points:
            continue
        points = thin(points, 2 * width)
        signal = figure.signal([x for x, _ in points], [y for _, y in points], marker=marker)
        figure.draw(signal.lines() if marker == markers[0] or len(points) < width // 4 else signal)
        code = _COLOURS[drawn % len(_COLOURS)]
        sample = ("─" if unicode else "-") if marker == "braille" else marker
        legend.append(f"\x1b[38;5;{code}m{sample}\x1b[0m {line.name}" if colour else f"{sample} {line.name}")
        drawn += 1
    if not drawn:
        return ""
    if x_label:
        figure.label(x_label)
    ticks = whole_ticks([x for line in lines for x in line.x if math.isfinite(x)])
    if ticks:
        figure.ruler(0).ticks(ticks, [str(tick) for tick in ticks])
    text = figure.build().string(colorless=not colour).rstrip("\n")
    head = "   ".join([title, *legend] if title else legend)
    return f"{head}\n{text if unicode else text.translate(_ASCII)}"


_COLOURS = (12, 10, 9, 14, 13, 11)
"""The order in which plotext hands out colours to signals."""


def thin(points: list[tuple[float, float]], columns: int) -> list[tuple[float, float]]:
    """At most about two points a column, the lowest and the highest of each, so that no peak is lost.

    plotext's time grows with the points; 1e6 of them would take it most of a minute.
    """
    if len(points) <= 2 * columns:
        return points
    kept: list[tuple[float, float]] = []
    for column in range(columns):
        chunk = points[column * len(points) // columns : (column + 1) * len(points) // columns]
        low, high = min(chunk, key=lambda p: p[1]), max(chunk, key=lambda p: p[1])
        kept.extend(sorted({low, high}))
    return kept


def whole_ticks(values: Sequence[float], most: int = 6) -> list[int]:
    """Up to `most` whole numbers that span `values`, ends included; none where the values are not whole."""
    if not values or any(value != int(value) for value in values):
        return []
    low, high = int(min(values)), int(max(values))
    count = min(most, high - low + 1)
    return sorted({low + round(i * (high - low) / max(1, count - 1)) for i in range(count)})
