"""How much each setting matters to the result, as bars."""

from __future__ import annotations

import math

from rich.cells import cell_len, set_cell_size

from tui.charts.grid import Grid
from tui.charts.scale import Scale
from tui.views.search.axes import labels
from tui.views.search.sheet import Sheet, say, title


def draw(sheet: Sheet, grid: Grid, now: Scale | None) -> Scale | None:
    """Draw into `grid`."""
    trials = sheet.trials
    found = [(path, share) for path, share in trials.importance.items() if math.isfinite(share)]
    if not found:
        title(grid, "which settings matter", ())
        say(grid, "This is worked out once a few trials are completed.")
        return now
    from_ = trials.importance_trials
    many = f"from {from_} completed trial{'' if from_ == 1 else 's'}" if from_ else ""
    title(grid, "which settings matter", [(many, "", "chart--dim")] if many else ())
    found.sort(key=lambda item: -item[1])
    known = {axis.path: axis.label for axis in sheet.axes}
    rest = [path for path, _ in found if path not in known]
    known |= dict(zip(rest, labels(rest), strict=True))
    room = min(max(cell_len(known[path]) for path, _ in found), grid.width // 3)
    length = max(4, grid.width - room - 8)
    spaced = 2 * len(found) + 1 <= grid.height - 1
    most = (grid.height - 2) if not spaced else len(found)
    for place, (path, share) in enumerate(found[:most]):
        y = 2 + place * (2 if spaced else 1)
        name = known[path]
        name = name if cell_len(name) <= room else set_cell_size(name, room - 1) + "…"
        grid.put(0, y, name, "chart--text")
        part = min(1.0, max(0.0, share))
        full = round(length * part)
        grid.put(room + 1, y, "━" * full, "chart--bar")
        grid.put(room + 1 + full, y, "─" * (length - full), "chart--axis")
        grid.put(grid.width - 5, y, f"{part:5.0%}", "chart--title")
    if len(found) > most:
        grid.put(0, grid.height - 1, f"and {len(found) - most} more", "chart--dim")
    return now
