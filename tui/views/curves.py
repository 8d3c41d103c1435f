"""From a run's history to the pictures on its charts. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from engine.history.history import History
from engine.history.history import Mark as Event
from engine.history.series import Axis, Bins, Series
from engine.recipe.scalars import write_scalar
from engine.runs.journal import number as to_number
from tui.charts.picture import Level, Mark, Picture, Trace, Window
from tui.charts.scale import number
from tui.clean import clean

ORDER: tuple[Axis, ...] = ("epoch", "step", "time")
"""In which the axes take turns."""
_FIRST_SECONDS = 10.0
_GLYPHS = {"edit": "▲", "checkpoint": "▪", "pause": "‖", "resume": "↻", "finding": "!", "test": "◇"}
_LOUD = ("edit", "resume", "finding")
"""Kinds of marks whose words are told."""


def clock(seconds: float) -> str:
    """A duration: 0:06, 12:30, 3:05:00, 4 d 02:00."""
    if not math.isfinite(seconds):
        return "-"
    whole = max(0, round(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24:02}:{minute:02}"
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


TITLES = {"lr": "learning rate", "grad_norm": "gradient norm"}


def title_of(series: str) -> str:
    """A series' name as a title: val_f1_score is f1 score."""
    return TITLES.get(series) or series.removeprefix("val_").replace("_", " ")


def value_of(series: str, value: float) -> str:
    """A value of a series; an accuracy is a percentage."""
    if series.endswith("accuracy") and math.isfinite(value):
        return f"{100 * value:.1f} %"
    return _short(float(f"{value:.3g}")) if series == "lr" else number(value)


def others(history: History) -> list[str]:
    """Series beside the losses, metrics first, then the learning rate and what probes measured."""
    metrics = [name for name in history.series if name.startswith("val_") and name != "val_loss"]
    if history.monitor in metrics:
        metrics.remove(history.monitor)
        metrics.insert(0, history.monitor)
    rest = [name for name in ("lr", "grad_norm") if name in history.series]
    return metrics + rest


def extent(history: History, axis: Axis) -> float:
    """The right end of the x axis. It doubles when it is reached, up to what is planned, and so rarely moves."""
    now = {"epoch": _epochs_done(history), "step": float(history.step), "time": history.time}[axis]
    planned: float | None = None
    if axis == "epoch" and history.epochs_planned:
        planned = float(history.epochs_planned)
    elif axis == "step" and history.steps_total:
        planned = float(history.steps_total)
    if planned is None:
        end = _FIRST_SECONDS if axis == "time" else 8.0
        while end < now:
            end *= 2
        return end
    end = planned / 8
    while end < now:
        end *= 2
    return end


def _epochs_done(history: History) -> float:
    per_epoch = history.steps_per_epoch
    return history.step / per_epoch if per_epoch else float(history.epoch)


def loss_picture(history: History, axis: Axis, log: bool, beside: str = "") -> Picture:
    """Training and validation loss, with all that happened on the axis; a metric `beside` them on its own scale."""
    traces = [
        Trace("train", "chart--train", _window(history.series.get("train_loss"), axis), band=True),
        Trace("val", "chart--validation", _window(history.series.get("val_loss"), axis), marker="●"),
    ]
    baseline = history.baseline
    levels = [Level(baseline, "always guessing the average")] if baseline is not None else []
    return Picture(
        "loss",
        traces,
        0.0,
        extent(history, axis),
        axis,
        clock if axis == "time" else number,
        axis != "time",
        levels if baseline is not None and math.isfinite(baseline) else (),
        marks(history, axis),
        best(history, axis, "val_loss"),
        log,
        Trace(title_of(beside), "chart--metric", _window(history.series.get(beside), axis), "○") if beside else None,
    )


def other_picture(history: History, name: str, axis: Axis, log: bool, margin: bool = False) -> Picture:
    """One more series."""
    measured = name.startswith("val_")
    trace = Trace(
        "val" if measured else title_of(name),
        "chart--validation" if measured else "chart--train",
        _window(history.series.get(name), axis),
        marker="●" if measured else "",
    )
    return Picture(
        title_of(name),
        [trace],
        0.0,
        extent(history, axis),
        axis,
        clock if axis == "time" else number,
        axis != "time",
        (),
        (),
        best(history, axis, name) if measured else None,
        log,
        margin=margin,
    )


def _window(series: Series | None, axis: Axis) -> Window:
    def window(low: float, high: float, columns: int) -> Bins:
        return (series or Series("")).window(low, high, columns, axis)

    return window


def _at(record: dict[str, Any], history: History, axis: Axis) -> float:
    if axis == "time":
        return to_number(record.get("time", 0.0))
    step = float(record.get("step") or 0)
    return step if axis == "step" else step / (history.steps_per_epoch or max(1.0, step))


def best(history: History, axis: Axis, series: str) -> tuple[float, float, str] | None:
    """The best epoch as a point on a series' curve."""
    record = history.best
    if record is None:
        return None
    value = record.get("val_loss") if series == "val_loss" else record.get("metrics", {}).get(series)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    y = to_number(value)
    return (_at(record, history, axis), y, str(record.get("epoch", ""))) if math.isfinite(y) else None


def marks(history: History, axis: Axis) -> list[Mark]:
    """What happened, oldest first; loud ones with words."""
    found = [
        Mark(
            {"epoch": event.epoch, "step": float(event.step), "time": event.time}[axis],
            _GLYPHS.get(event.kind, "·"),
            f"{said(event)} at {number(event.epoch)}" if event.kind in _LOUD else "",
            "chart--mark" if event.kind == "edit" else "chart--bad" if event.kind == "finding" else "chart--quiet",
        )
        for event in history.marks
    ]
    # Quiet ones first, so that an edit is never hidden behind a checkpoint of the same cell.
    found.sort(key=lambda mark: bool(mark.words))
    finished = history.finished or {}
    if finished.get("reason") == "non_finite":
        x = {"epoch": _epochs_done(history), "step": float(history.step), "time": history.time}[axis]
        found.append(Mark(x, "✗", "loss no longer finite", "chart--bad"))
    return found


def said(event: Event) -> str:
    """The words of a mark, short: `lr 1e-3→3e-4`."""
    if event.kind != "edit":
        return clean(event.text)
    words = []
    for edit in event.record.get("edits", ()):
        name = str(edit.get("path", "")).rsplit(".", 1)[-1]
        new = _short(edit.get("value")) if edit.get("op", "set") == "set" else "left out"
        old = f"{_short(edit['expect'])}→" if "expect" in edit else ""
        words.append(f"{name} {old}{new}")
    return clean(", ".join(words))


def _short(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return write_scalar(value, "e") if 0 < abs(value) < 0.1 else number(value)
    return str(value)


def latest(history: History, name: str) -> float | None:
    """The last value of a series."""
    series = history.series.get(name)
    return series.last() if series is not None else None


def metric_names(history: History) -> Sequence[str]:
    """The metrics among the other series."""
    return [name for name in others(history) if name.startswith("val_")]
