"""The optimizer panel: how weights move, how fast, for how long, and what is minimised."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.widgets import Static

from engine.parts.scheduler import Clock, lr_factor
from engine.recipe.schema import Recipe, Train
from tui.charts.line import LineChart
from tui.charts.picture import Picture, Trace
from tui.forms.fields import fields_of
from tui.forms.form import FieldHelp, Form
from tui.forms.values import show
from tui.panels.data import steps_per_epoch
from tui.panels.panel import Heading, Panel, Scroll, put

POINTS = 400
"""Updates at which the schedule is evaluated, however long the run."""
LENGTH = ("epochs", "clip_grad_norm", "clip_grad_value", "precision")
MACHINE = ("device", "executor", "threads", "deterministic", "checkpoints")


class OptimizerPanel(Panel):
    """Optimizer, schedule, loss and the length of the run, bound both ways to the document."""

    DEFAULT_CSS = """
    OptimizerPanel LineChart { height: 8; margin-top: 1; }
    """

    def compose(self) -> ComposeResult:
        """Forms, with the schedule drawn below its own."""
        fields = fields_of(Train)
        with Scroll():
            yield Heading("optimizer", first=True)
            yield Form(self.context, "optimizer", family="optimizer")
            yield Heading("schedule")
            yield Form(
                self.context,
                "scheduler",
                family="scheduler",
                optional=True,
                default="constant",
                help=_help("scheduler"),
            )
            yield LineChart()
            yield Static("", markup=False, classes="panel--note optimizer--schedule")
            yield Heading("length")
            yield Form(self.context, "train", fields=fields, only=LENGTH)
            yield Heading("loss")
            yield Form(
                self.context, "loss", family="loss", optional=True, default="usual for the task", help=_help("loss")
            )
            yield Heading("machine")
            yield Form(self.context, "train", fields=fields, only=MACHINE)
        yield FieldHelp()

    def show_document(self) -> None:
        """Forms and the schedule."""
        super().show_document()
        recipe = self.context.checked.recipe if self.context.checked is not None else None
        note = self.query_one(".optimizer--schedule", Static)
        if recipe is None:
            put(note, "The schedule is drawn once the recipe has no errors.")
            return
        document = self.context.document
        steps = None
        if self.context.facts is not None and document is not None:
            steps = steps_per_epoch(self.context.facts, document.get("data", {}))
        picture = schedule_picture(recipe, steps or 100)
        if picture is None:
            put(note, "This schedule cannot be drawn for so short a run.")
            return
        self.query_one(LineChart).show(picture)
        known = "" if steps else " Steps an epoch are not known yet."
        waits = (
            " It falls only when validation no longer improves."
            if recipe.scheduler is not None and recipe.scheduler.type_name() == "ReduceLROnPlateau"
            else ""
        )
        put(note, f"From {show(recipe.optimizer.lr, True)} over {recipe.train.epochs} epochs.{waits}{known}")


def _help(section: str) -> str:
    return Recipe.model_fields[section].description or ""


def schedule_picture(recipe: Recipe, steps: int) -> Picture | None:
    """The learning rate over the planned run, for `steps` updates an epoch; None where it cannot be computed."""
    import numpy as np

    epochs, base = recipe.train.epochs, recipe.optimizer.lr
    total = epochs * steps
    at = np.unique(np.linspace(0, total - 1, min(total, POINTS)).round().astype(int))
    try:
        # A plateau schedule is drawn for validation that always improves: no history, and so no fall.
        clocks = (Clock(int(step), int(step) // steps, steps, epochs, (), base) for step in at)
        rates = np.array([base * lr_factor(recipe.scheduler, clock) for clock in clocks])
    except (ArithmeticError, ValueError):
        return None
    xs = at / steps

    def window(low: float, high: float, columns: int) -> tuple[Any, Any, Any, Any]:
        return xs, rates, rates, rates

    return Picture("learning rate", [Trace("lr", "chart--train", window)], 0.0, float(epochs))
