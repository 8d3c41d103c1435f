"""Numbers and records in words, for status bar, tabs and lists."""

from __future__ import annotations

import math
from typing import Any

from tui.clean import clean
from tui.views.search.axes import labels, value_words

STATE_MARKS = {
    "preparing": "…",
    "running": "▶",
    "paused": "‖",
    "completed": "✓",
    "early_stopped": "✓",
    "stopped": "■",
    "preempted": "■",
    "failed": "✗",
    "unknown": "?",
}
"""A sign for each state of a run; the word stands beside it wherever there is room."""


def mark(state: str) -> str:
    """The sign of a run's state; any reason for an early end is a failure."""
    return STATE_MARKS.get(state, "✗")


def number(value: object, digits: int = 3) -> str:
    """A number as short as it stays true: `0.0612`, `1.2e-05`, `nan`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return clean(value)
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ") if abs(value) >= 10000 else str(value)
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:.0f}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def count(value: float) -> str:
    """A large count in few letters: `9.6k`, `1.3M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}"


def duration(seconds: float) -> str:
    """`0:06`, `12:30`, `3:05:10`."""
    if not math.isfinite(seconds):
        return "?"
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def percent_or_number(name: str, value: float) -> str:
    """A series' value: shares in percent, anything else as a number."""
    shares = ("accuracy", "precision", "recall", "f1_score")
    return f"{value * 100:.1f} %" if name.endswith(shares) and 0 <= value <= 1 else number(value)


def plural(amount: int, word: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{amount} {word}" if amount == 1 else f"{amount} {word}s"


_SHOWN_ELSEWHERE = ("type", "seq", "time", "life", "epoch", "step", "recipe", "features", "classes", "class_counts")
_FOR_MACHINES = ("schema", "versions", "git", "argv", "base", "manifest_sha", "digest", "data_sha256", "split_sha256")
QUIET = frozenset((*_SHOWN_ELSEWHERE, *_FOR_MACHINES, "samples_per_second"))
"""Keys of records that the Events list leaves out."""


EPOCH_WORDS = {"train_loss": "train", "val_loss": "val"}
HARD = "\N{NO-BREAK SPACE}"
"""Between a name and its value: a row never ends between them."""


def event_line(record: dict[str, Any]) -> str:
    """One line for one record: time, what and where, the rest."""
    kind = str(record.get("type", "?"))
    rest = {
        key: value
        for key, value in record.items()
        if key not in QUIET and value is not False and value not in (None, {}, [], "")
    }
    epoch, step = record.get("epoch"), record.get("step")
    if kind == "epoch":
        head = f"epoch {epoch}"
        metrics = rest.pop("metrics", {})
        rest |= metrics if isinstance(metrics, dict) else {}
        for shown_on_the_chart in ("seconds", "lr"):
            rest.pop(shown_on_the_chart, None)
        rest = {EPOCH_WORDS.get(key, key.removeprefix("val_")): value for key, value in rest.items()}
    elif kind == "trial":
        head = f"trial {rest.pop('number', '?')}"
        rest = _trial(rest)
    elif kind == "importance" and isinstance(rest.get("values"), dict):
        head = "importance"
        named = zip(labels(list(rest["values"])), rest["values"].values(), strict=True)
        rest = {name: f"{_float(share):.0%}" for name, share in named}
    elif kind == "finished" and isinstance(rest.get("best"), dict) and "trial" in rest["best"]:
        head = "finished"
        rest = {key: value for key, value in rest.items() if key not in ("best", "best_epoch", "details")}
        rest["best"] = f"trial {record['best']['trial']}"
    else:
        head = kind.replace("_", " ") + (f", step {step}" if step is not None else "")
    return f"{duration(_float(record.get('time'))):>7}  {clean(head):<10}  {_brief(rest)}".rstrip()


def _trial(record: dict[str, Any]) -> dict[str, Any]:
    """A trial's state, result and settings."""
    params = record.get("params")
    params = params if isinstance(params, dict) else {}
    found: dict[str, Any] = {str(record.get("state")): True}
    found |= {key: record[key] for key in ("value", "message") if key in record}
    return found | {name: value_words(value) for name, value in zip(labels(list(params)), params.values(), strict=True)}


def _brief(value: dict[str, Any], room: int = 400) -> str:
    text = "  ".join(
        clean(key) if part is True else f"{clean(key)}{HARD}{clean(_value(part))}" for key, part in value.items()
    )
    return text if len(text) <= room else text[: room - 1] + "…"


def _value(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} {_value(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(part) for part in value[:8]) + (", …]" if len(value) > 8 else "]")
    text = str(value)
    return text if len(text) < 100 else text[:99] + "…"


def _float(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
