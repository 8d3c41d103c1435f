"""What a person set on the command line for the workbench."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Options of `goodfit [PATH]` and of `goodfit replay RUN`, as `tui.app.run(path, options)` gets them."""

    runs: Path | None = None
    """Folder of the runs; None: `GOODFIT_RUNS`, else `./runs`."""
    data_root: Path | None = None
    """Folder that relative data paths start from; None: `GOODFIT_DATA`, else the recipe's own folder."""
    parts: tuple[Path, ...] = ()
    """Files of own parts that a person named."""
    replay: bool = False
    """Play the journal of the run at `path` instead of showing its end."""
    speed: float | None = 1.0
    """Of a replay: times as fast as recorded; None: as fast as can be."""
