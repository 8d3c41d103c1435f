"""The results as text: a table for people, JSON for the record."""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from bench.contenders.names import CONTENDERS
from bench.rounds import Measured, Result
from bench.works import work_from

MARGIN = 0.02
"""How far validation accuracies may lie apart and still count as equal."""


def lines(measured: Measured) -> list[str]:
    """A work as a Markdown table."""
    work = measured.work
    rounds = max((len(result.cpu) for result in measured.results.values()), default=0)
    title = (
        f"### {work.name}: {work.title}\n\n{work.rows:,} training and {work.validation:,} validation rows, "
        f"{work.epochs} epochs, {work.steps:,} steps, {rounds} rounds.\n"
    )
    head = [
        "| | CPU s, median [min-max] | accuracy | goodfit is faster by | goal |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    rows = []
    for name, result in measured.results.items():
        cells = [CONTENDERS[name].title, _spread(result.cpu, "{:.3g}"), _accuracy(measured, name)]
        ratios = [] if name == "goodfit" or "goodfit" not in measured.results else measured.ratios(name)
        cells += [_spread(ratios, "{:.2f}"), _goal(measured, name)]
        rows.append("| " + " | ".join(cells) + " |")
    if "best" in work.goals and measured.rivals() and "goodfit" in measured.results:
        best = min(measured.rivals(), key=measured.ratio)
        cells = [f"best of the libraries ({CONTENDERS[best].title})", "", "", f"{measured.ratio('best'):.2f}"]
        rows.append("| " + " | ".join([*cells, _goal(measured, "best")]) + " |")
    missing = [f"{CONTENDERS[name].title}: {why}" for name, why in measured.refused.items()]
    return [title, *head, *rows, *(["", *missing] if missing else []), ""]


def _spread(values: list[float], form: str) -> str:
    if not values:
        return ""
    low, high = form.format(min(values)), form.format(max(values))
    return f"{form.format(median(values))} [{low}-{high}]"


def _accuracy(measured: Measured, name: str) -> str:
    here = median(measured.results[name].accuracy)
    plain = measured.results.get("plain")
    behind = 0.0 if plain is None else median(plain.accuracy) - here
    apart = behind > MARGIN or (behind < -MARGIN and not measured.work.trials)  # a search is to find something better
    return f"{here:.3f}" + (" (not equal)" if apart else "")


def _goal(measured: Measured, name: str) -> str:
    goal = measured.work.goals.get(name)
    if goal is None or "goodfit" not in measured.results:
        return ""
    return f"{goal:g}: {'reached' if measured.ratio(name) >= goal else 'missed'}"


def to_json(measured: Measured) -> dict[str, Any]:
    """A work's numbers, rounded to what they are worth."""
    work = measured.work
    results = {
        name: {key: [round(value, 4) for value in values] for key, values in vars(result).items()}
        for name, result in measured.results.items()
    }
    reached = {
        name: {"goal": goal, "ratio": round(measured.ratio(name), 2), "reached": measured.ratio(name) >= goal}
        for name, goal in work.goals.items()
        if "goodfit" in results and (name in results or (name == "best" and measured.rivals()))
    }
    return {"work": asdict(work), "results": results, "goals": reached, "refused": measured.refused}


def from_json(content: dict[str, Any]) -> Measured:
    """What `to_json` has put down."""
    results = {name: Result(**values) for name, values in content["results"].items()}
    return Measured(work_from(content["work"]), results, dict(content["refused"]))


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    import torch

    return {
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "load": [round(load, 1) for load in os.getloadavg()],
        "python": platform.python_version(),
        "system": platform.system(),
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """As JSON with one line a list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1)
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", text)
    path.write_text(text + "\n", encoding="utf-8")
