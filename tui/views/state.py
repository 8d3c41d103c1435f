"""A run's state in plain words: what it is doing, why it ended, what can be done now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.history.history import History
from tui.clean import clean, clean_block

Tone = Literal["busy", "good", "calm", "bad"]
TAIL = 16 * 1024
"""Bytes of the worker's log that are looked at."""


@dataclass(frozen=True)
class Words:
    """What to show: a sign and a line, and for trouble some lines more."""

    sign: str
    line: str
    tone: Tone
    more: str = ""
    done: float | None = None
    """Share done of what is going on; None where it cannot be told."""


def words(history: History, alive: bool, log: str = "", host: str = "") -> Words:
    """The state of a run whose worker is alive or not. `log` is the end of worker.log."""
    finished = history.finished
    if finished is not None and finished.get("inferred"):
        return _gone(history, log, host)
    if finished is not None:
        return _ended(history, finished, log)
    if not alive and history.seq and history.started is not None:
        return _gone(history, log, host)
    if history.paused and history.plan is None:
        return Words("‖", "paused before the first step: p goes on", "calm")
    if history.progress is not None or history.plan is None:
        return _preparing(history.progress or {})
    done = history.step / history.steps_total if history.steps_total else None
    if history.paused:
        return Words("‖", "paused: p goes on", "calm", done=done)
    return Words("▶", "running", "busy", done=done)


def _preparing(progress: dict[str, Any]) -> Words:
    stage = clean(progress.get("stage", "starting"))
    done, total = progress.get("done") or 0, progress.get("total")
    if total:
        return Words("◌", f"preparing: {stage} {done}/{total}", "busy", done=min(1.0, done / total))
    return Words("◌", f"preparing: {stage}", "busy")


def _ended(history: History, finished: dict[str, Any], log: str) -> Words:
    reason = str(finished.get("reason"))
    message = clean(finished.get("message") or "")
    best = f", best epoch {history.best_epoch}" if history.best_epoch is not None else ""
    done = history.step / history.steps_total if history.steps_total else None
    at = f"at epoch {history.epoch}" if history.epoch else "before the first epoch"
    if reason == "completed":
        return Words("✓", f"completed: {_epochs(history)}{best}", "good", done=1.0)
    if reason == "early_stopped":
        since = f" since epoch {history.best_epoch}" if history.best_epoch is not None else ""
        return Words("✓", f"stopped early {at}: no better {history.monitor}{since}", "good", done=done)
    if reason in ("stopped", "preempted"):
        who = "stopped and saved" if reason == "stopped" else "stopped by the system, saved"
        return Words("■", f"{who} {at}{best}: r resumes", "calm", done=done)
    lines = {
        "non_finite": f"stopped {at}: the loss, a gradient or a weight is no longer a finite number",
        "out_of_memory": f"stopped {at}: out of memory",
        "killed": f"killed {at}",
        "error": f"failed {at}",
    }
    advice = {
        "non_finite": "The state from before that step is kept. Try a smaller learning rate or clipping, then resume.",
        "out_of_memory": "Try a smaller data.batch_size, then resume.",
        "killed": "r resumes from the last checkpoint.",
        "error": "",
    }
    more = [message] if message else []
    if advice.get(reason):
        more.append(advice[reason])
    if reason in ("error", "killed") and not message and log:
        more.append(log)
    return Words("✗", lines.get(reason, f"ended {at}: {clean(reason)}") + best, "bad", "\n".join(more), done)


def _gone(history: History, log: str, host: str) -> Words:
    at = f"at epoch {history.epoch}" if history.epoch else "before the first epoch"
    done = history.step / history.steps_total if history.steps_total else None
    more = "r resumes from the last checkpoint." if history.step else "t on its recipe starts it again."
    if log:
        more += f"\nThe last lines of worker.log:\n{log}"
    where = f" on {clean(host)}" if host else ""
    return Words("✗", f"the worker{where} is gone, {at}", "bad", more, done)


def _epochs(history: History) -> str:
    count = history.epochs_planned or history.epoch
    return "1 epoch" if count == 1 else f"all {count} epochs"


def log_tail(run_dir: Path, lines: int = 6) -> str:
    """The last lines of worker.log, stripped of control characters; "" where there is none."""
    try:
        with (run_dir / "worker.log").open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(line for line in clean_block(text).rstrip().split("\n")[-lines:])
