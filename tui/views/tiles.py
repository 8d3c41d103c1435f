"""The figures above a run's charts: state and progress, then a row of tiles. Every field keeps its place and width."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from engine.history.history import History
from engine.runs.journal import number as to_number
from tui.charts.canvas import Canvas
from tui.charts.grid import Grid
from tui.charts.scale import number
from tui.views.curves import clock, latest, metric_names, title_of, value_of
from tui.views.state import Words

LEAST = 8
"""Cells that a value has at the least."""


@dataclass(frozen=True)
class Tile:
    """One figure."""

    label: str
    value: str
    style: str = "tiles--value"


def tiles(history: History) -> list[Tile]:
    """The figures, the most important first."""

    def shown(name: str) -> str:
        value = latest(history, name)
        return "-" if value is None else value_of(name, value)

    metrics = list(metric_names(history))
    rate = history.samples_per_second
    left = history.eta
    # The mean over the last whole epoch, as everywhere; the steps tell only until there is one.
    trained = history.epochs[-1].get("train_loss") if history.epochs else None
    train = latest(history, "train_loss") if trained is None else to_number(trained)
    found = [
        Tile("train loss", _loss(train), "tiles--train"),
        Tile("val loss", _loss(latest(history, "val_loss")), "tiles--validation"),
        Tile(title_of(metrics[0]) if metrics else "metric", shown(metrics[0]) if metrics else "-"),
        Tile("learning rate", shown("lr")),
        Tile("rows a second", "-" if rate is None or not math.isfinite(rate) else number(float(f"{rate:.2g}"))),
    ]
    if history.finished is None:
        found.append(Tile("time left", "-" if left is None else clock(left)))
    else:
        found.append(Tile("time taken", clock(history.time)))
    best = history.best_epoch
    found.append(Tile("best epoch", "-" if best is None else str(best), "tiles--best"))
    found += [Tile(title_of(name), shown(name)) for name in metrics[1:3]]
    return found


def _loss(value: float | None) -> str:
    """Four places at all times, so that digits do not jump."""
    if value is None:
        return "-"
    return f"{value:.4f}" if math.isfinite(value) and 1e-3 <= abs(value) < 1e4 else number(value)


class Tiles(Canvas):
    """State, progress bar, tiles. Three rows, or two where the tiles stand in one line."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tiles--label",
        "tiles--value",
        "tiles--train",
        "tiles--validation",
        "tiles--best",
        "tiles--busy",
        "tiles--good",
        "tiles--calm",
        "tiles--bad",
        "tiles--bar",
        "tiles--rest",
    }
    DEFAULT_CSS = """
    Tiles {
        height: 3;
        & > .tiles--label { color: $text-muted; }
        & > .tiles--value { color: $foreground; text-style: bold; }
        & > .tiles--train { color: $train; text-style: bold; }
        & > .tiles--validation { color: $val; text-style: bold; }
        & > .tiles--best { color: $success; text-style: bold; }
        & > .tiles--busy { color: $accent; text-style: bold; }
        & > .tiles--good { color: $success; text-style: bold; }
        & > .tiles--calm { color: $foreground; text-style: bold; }
        & > .tiles--bad { color: $error; text-style: bold; }
        & > .tiles--bar { color: $accent; }
        & > .tiles--rest { color: $grid; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.words = Words("◌", "preparing: starting", "busy")
        self.history = History()

    def show(self, words: Words, history: History) -> None:
        """Show a run."""
        self.words, self.history = words, history
        self.repaint()

    def paint(self, grid: Grid) -> None:
        """State and bar in the first row, tiles below."""
        history = self.history
        counts = ""
        if history.epochs_planned and history.plan is not None:
            size = len(str(history.epochs_planned))
            counts = f"epoch {history.epoch:>{size}}/{history.epochs_planned}"
        self.put_state(grid, counts)
        found = tiles(self.history)
        if grid.height >= 3:
            x = 0
            for tile in found:
                width = max(len(tile.label), LEAST)
                if x + width > grid.width and x:
                    break
                grid.put(x, 1, tile.label, "tiles--label")
                grid.put(x, 2, tile.value[:width], tile.style)
                x += width + 2
            return
        x = 0
        for tile in found:
            label = tile.label.removesuffix(" loss")
            if x + len(label) + 9 > grid.width:
                break
            grid.put(grid.put(x, 1, f"{label} ", "tiles--label"), 1, tile.value, tile.style)
            x += len(label) + 10

    def put_state(self, grid: Grid, counts: str) -> None:
        """State, bar, counts and share done in the first row."""
        share = self.words.done
        end = grid.put(0, 0, f"{self.words.sign} {self.words.line}", f"tiles--{self.words.tone}")
        percent = "" if share is None else f"{min(1.0, share):4.0%}"
        tail = f"{counts}  {percent}" if percent else counts
        room = grid.width - len(tail) - 1
        if end + 2 > room:
            return
        grid.put(room + 1, 0, tail, "tiles--label")
        start = max(end + 2, grid.width // 3)
        length = room - start
        if share is not None and length >= 6:
            full = int(length * min(1.0, max(0.0, share)))
            grid.put(start, 0, "━" * full, "tiles--bar")
            grid.put(start + full, 0, "─" * (length - full), "tiles--rest")
