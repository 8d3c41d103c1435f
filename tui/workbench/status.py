"""What the title bar, the tab bar, the activity bar and the status bar say about the session. Pure functions."""

from __future__ import annotations

import math

from rich.cells import cell_len, set_cell_size

from engine.history.history import History
from tui.clean import clean
from tui.device_use import short
from tui.keymap import ACTIONS, available, show_key
from tui.views.curves import value_of
from tui.workbench import words
from tui.workbench.bar import Cell
from tui.workbench.context import trials_planned
from tui.workbench.open_run import ReplayedRun
from tui.workbench.tab import Tab

RUN_LEAST = 4
"""Cells about a run that stay in the status bar however many keys there are."""
SEARCH_LEAST = 2
"""As above, about a search, whose figures stand in its tab too."""
RECIPE_LEAST = 3
"""As above, about a recipe: errors, warnings, and what is wrong here."""
TAB_MOST = 30
"""Widest that a tab's title may be."""


def title_cells(tab: Tab | None) -> tuple[list[Cell], list[Cell]]:
    """`goodfit  folder/digits.yaml`, and at the right the three keys that lead to all others."""
    left = [Cell(" goodfit", "title"), Cell("  ")]
    if tab is not None and tab.path is not None:
        left.append(Cell(clean(tab.path.name), "plain"))
    elif tab is not None:
        left.append(Cell("untitled", "plain"))
    right = [
        Cell(":", "key", "view.palette"),
        Cell(" commands  ", "plain", "view.palette"),
        Cell("o", "key", "file.quick_open"),
        Cell(" open  ", "plain", "file.quick_open"),
        Cell("?", "key", "view.keys"),
        Cell(" keys ", "plain", "view.keys"),
    ]
    return left, right


def tab_label(tab: Tab) -> str:
    """One tab: a sign, its title, and a dot where it is not saved."""
    run = tab.context.run
    if tab.kind == "replay":
        sign = "« "
    elif run is not None:
        sign = f"{words.mark(run.history.state)} "
    else:
        sign = ""
    label = clean(sign + tab.title)
    if cell_len(label) > TAB_MOST:
        label = set_cell_size(label, TAB_MOST - 1) + "…"
    return label + (" ●" if tab.dirty else "")


def tab_cells(tabs: list[Tab], active: Tab | None, width: int) -> list[Cell]:
    """The tabs; where they do not all fit, those around the one in front."""
    if not tabs:
        return [Cell(" ")]
    cells = {tab.id: _tab_cells(tab, tab is active) for tab in tabs}
    sizes = {tab.id: sum(cell_len(cell.text) for cell in cells[tab.id]) for tab in tabs}
    first = last = tabs.index(active) if active in tabs else 0
    room = width - sizes[tabs[first].id] - 2
    while True:
        grew = False
        if last + 1 < len(tabs) and sizes[tabs[last + 1].id] <= room:
            last += 1
            room -= sizes[tabs[last].id]
            grew = True
        if first > 0 and sizes[tabs[first - 1].id] <= room:
            first -= 1
            room -= sizes[tabs[first].id]
            grew = True
        if not grew:
            break
    shown = [cell for tab in tabs[first : last + 1] for cell in cells[tab.id]]
    if first > 0:
        shown.insert(0, Cell("‹", "faint", "file.previous_tab"))
    if last + 1 < len(tabs):
        shown.append(Cell("›", "faint", "file.next_tab"))
    return shown


def _tab_cells(tab: Tab, active: bool) -> list[Cell]:
    label = tab_label(tab)
    if active:
        return [Cell("▎", "mark", f"tab {tab.id}"), Cell(f"{label}  ", "active", f"tab {tab.id}")]
    return [Cell(f" {label}  ", "plain", f"tab {tab.id}")]


def status_cells(
    tab: Tab | None, place: tuple[int, int] | None, typing: bool, width: int = 120
) -> tuple[list[Cell], list[Cell]]:
    """The status bar: how it stands with the tab, and the keys that matter now."""
    if tab is None:
        left = [Cell(" no tab is open", "plain")]
    elif tab.context.run is not None:
        left = run_cells(tab)
    else:
        left = recipe_cells(tab, place)
    right = hint_cells(tab, typing)
    # Keys go before figures that stand elsewhere too: all of them on a run, the way out of a text on a recipe.
    run = tab.context.run if tab is not None else None
    least = RECIPE_LEAST if run is None else SEARCH_LEAST if run.kind == "search" else RUN_LEAST
    wanted = right if run is not None else right[:2]
    while len(left) > least and sum(cell_len(cell.text) for cell in (*left, *wanted)) > width - 2:
        left.pop()
    return left, right


def recipe_cells(tab: Tab, place: tuple[int, int] | None) -> list[Cell]:
    """Problems, data, size, cursor."""
    context = tab.context
    errors, warnings = tab.count("error"), tab.count("warning")
    cells = [
        Cell(f" ✗ {errors}", "error" if errors else "plain", "view.problems"),
        Cell(f"  ! {warnings} ", "warning" if warnings else "plain", "view.problems"),
    ]
    here = next((problem for problem in tab.problems if place is not None and problem.line == place[0]), None)
    if here is not None:
        # The list may be hidden: who stands on a problem reads it here.
        return [*cells, Cell(f"  {clean(here.message)}", here.severity if here.severity != "info" else "strong")]
    facts = context.facts
    if context.facts_busy:
        cells.append(Cell("  reading the data…", "plain"))
    elif facts is not None:
        shape = "×".join(str(size) for size in facts.shape)
        what = f"{facts.outputs} classes" if facts.task == "classification" else facts.task
        rows = sum(facts.rows.values())
        cells.append(Cell(f"  {words.count(rows)} rows, {shape} → {what}", "plain", "view.data"))
    parameters = total_parameters(tab)
    if parameters is not None:
        cells.append(Cell(f"  {words.count(parameters)} parameters", "plain", "view.model"))
    if place is not None:
        cells.append(Cell(f"  {place[0]}:{place[1]}", "faint"))
    return cells


def total_parameters(tab: Tab) -> int | None:
    """Trainable values of the model, where every row has a shape."""
    checked = tab.context.checked
    rows = checked.rows if checked is not None else []
    if tab.context.facts is None or not rows or any(row.error is not None or row.parameters is None for row in rows):
        return None
    return sum(row.parameters for row in rows)


def run_cells(tab: Tab) -> list[Cell]:
    """`▶ 24/40  train 0.061  val 0.214  accuracy 97.4 %  41k/s  eta 0:06`."""
    run = tab.context.run
    assert run is not None
    history = run.history
    state = history.state
    tone = {"running": "live", "failed": "error", "completed": "good"}.get(state, "strong")
    cells = [Cell(f" {words.mark(state)} {state}", tone)]
    if isinstance(run, ReplayedRun):
        cells = [Cell(f" « {replay_words(run)}", "live")]
    if run.kind == "search":
        return cells + search_cells(tab, history)
    if history.epochs_planned:
        size = len(str(history.epochs_planned))
        cells.append(Cell(f"  {history.epoch:>{size}}/{history.epochs_planned}", "strong"))
    for name, label in (("train_loss", "train"), ("val_loss", "val")):
        value = last_value(history, name)
        if value is not None:
            cells.append(Cell(f"  {label} {words.number(value):<7}", "plain"))
    metric = first_metric(history)
    if metric is not None:
        value = last_value(history, metric)
        if value is not None:
            shown = words.percent_or_number(metric, value)
            cells.append(Cell(f"  {metric.removeprefix('val_')} {shown:<6}", "plain"))
    if state == "running" and history.samples_per_second:
        cells.append(Cell(f"  {words.count(history.samples_per_second):>5}/s", "plain"))
    if state == "running" and history.eta is not None and math.isfinite(history.eta):
        cells.append(Cell(f"  eta {words.duration(history.eta)}", "plain"))
    if state == "running" and history.device_use is not None:
        cells.append(Cell(f"  {clean(short(history.device_use))}", "plain"))
    return cells


def search_cells(tab: Tab, history: History) -> list[Cell]:
    """`7/10 trials  best val loss 0.0612 in trial 4  2 at work`."""
    trials = history.trials
    planned = trials_planned(tab.context)
    done = len(trials.order)
    count = f"{done:>{len(str(planned))}}/{planned}" if planned else str(done)
    cells = [Cell(f"  {count} trials", "strong")]
    if trials.best is not None:
        value = value_of(trials.monitor, trials.best.value)
        cells.append(Cell(f"  best {value:<7} trial {trials.best.number}", "plain"))
    at_work, failed = trials.count("running"), trials.count("failed")
    if at_work:
        cells.append(Cell(f"  {at_work} at work", "plain"))
    if failed:
        cells.append(Cell(f"  {failed} failed", "error"))
    return cells


def searches(tab: Tab) -> bool:
    """Whether the recipe names something to search."""
    document = tab.context.document
    return document is not None and bool(document.get("search.space", None))


def play_hint(run: ReplayedRun) -> str:
    """What space does now."""
    return "again" if run.at_end else "hold" if run.playing else "go on"


def replay_words(run: ReplayedRun) -> str:
    """`replay 4× 0:12 of 1:03`."""
    speed = "max" if run.speed is None else f"{run.speed:g}×"
    state = "at the end" if run.at_end else "held" if not run.playing else speed
    return f"replay {state} {words.duration(run.clock)} of {words.duration(run.length)}"


def last_value(history: object, name: str) -> float | None:
    """The latest value of a series that is known once an epoch."""
    for row in reversed(history.epochs):  # type: ignore[attr-defined]
        value = row.get(name, (row.get("metrics") or {}).get(name))
        if value is not None:
            return float(value)
    return None


def first_metric(history: object) -> str | None:
    """The first metric that is one number."""
    for row in history.epochs[-1:]:  # type: ignore[attr-defined]
        for name, value in (row.get("metrics") or {}).items():
            if isinstance(value, int | float | str):
                return str(name)
    return None


def hint_cells(tab: Tab | None, typing: bool) -> list[Cell]:
    """The keys that matter now; while a person types, those that a text field does not take."""
    cells: list[Cell] = []
    if typing:
        cells += [Cell("esc", "key"), Cell(" leaves the text  ", "plain")]
    place = tab.place if tab is not None else None
    state = tab.context.run.history.state if tab is not None and tab.context.run is not None else ""
    run = tab.context.run if tab is not None else None
    ended = run is not None and not run.alive
    # Whoever watches a recording steers that first.
    actions = sorted(ACTIONS, key=lambda action: action.where != "recording") if place == "search_replay" else ACTIONS
    for action in actions:
        if not action.hint or not available(action, place) or action.id in ("view.palette", "view.keys"):
            continue
        if action.id in ("file.quick_open", "recipe.undo"):
            continue
        if action.id in ("run.pause", "run.stop") and ended:
            continue
        if action.id in ("run.resume", "run.fork", "run.replay") and not ended:
            continue
        if action.where == "trials" and not (run is not None and run.history.trials.rows):
            continue
        if action.id == "recipe.fix" and not (tab is not None and any(problem.fixes for problem in tab.problems)):
            continue
        if action.id == "search.start" and not (tab is not None and searches(tab)):
            continue
        if action.id == "recipe.save" and not (tab is not None and tab.dirty):
            continue
        hint = "go on" if action.id == "run.pause" and state == "paused" else action.hint
        if action.id == "run.play" and isinstance(tab.context.run if tab else None, ReplayedRun):
            hint = play_hint(tab.context.run)  # type: ignore[union-attr, arg-type]
        key = show_key(action.keys[0]) if typing else action.letter
        cells += [Cell(key, "key", action.id), Cell(f" {hint}  ", "plain", action.id)]
    if not typing and tab is not None and tab.kind == "recipe":
        cells += [Cell("enter", "key", "view.editor"), Cell(" edit  ", "plain", "view.editor")]
    return cells
