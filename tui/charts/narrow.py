"""Only the changed span of a row is written, where Textual writes the row from its widget's left edge on.

`Widget.refresh(Region)` tells Textual which cells changed, and its compositor keeps those spans; but on writing one it
crops at the right end alone (`ChopsUpdate.render_segments`, Textual 8.2). At the right of a chart that is a hundred
cells for one. This puts the crop at both ends.
"""

from __future__ import annotations

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate


def narrow_updates() -> None:
    """Make every partial update as narrow as its spans. Calling it again does nothing."""
    ChopsUpdate.render_segments = _write  # type: ignore[assignment, method-assign]


def _write(update: ChopsUpdate, console: Console) -> str:
    sequences: list[str] = []
    last_y = update.spans[-1][0]
    for y, first, end in update.spans:
        for right, (left, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or left >= end or right <= first:
                continue
            start = max(left, first)
            if left < first or right > end:
                strip = strip.crop(start - left, min(right, end) - left)
            sequences.append(Control.move_to(start, y).segment.text)
            sequences.append(strip.render(console))
        if y != last_y:
            sequences.append("\n")
    return "".join(sequences)
