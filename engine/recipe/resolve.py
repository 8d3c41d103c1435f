"""A recipe with every default written out, and recipes as plain data and as YAML."""

from __future__ import annotations

from typing import Any, cast, get_args

from pydantic import BaseModel

from engine.data.facts import Facts
from engine.errors import UserError
from engine.parts import catalog
from engine.parts.layer import Layer
from engine.parts.loss import USUAL_LOSS, Loss
from engine.parts.metric import Metric
from engine.parts.part import Part, find
from engine.parts.stack import bind
from engine.recipe.document import Document
from engine.recipe.scalars import write_block, write_key
from engine.recipe.schema import Recipe, Task
from engine.recipe.validate import validate


def usual_loss(task: str) -> Loss:
    """The loss of a recipe that names none."""
    catalog.load()
    cls = find("loss", USUAL_LOSS[task])
    assert cls is not None and issubclass(cls, Loss)
    return cls()


def usual_metrics(task: str) -> list[Metric]:
    """The metrics of a recipe that names none: Accuracy, for a regression R2Score."""
    catalog.load()
    cls = find("metric", "R2Score" if task == "regression" else "Accuracy")
    assert cls is not None and issubclass(cls, Metric)
    return [cls()]


def resolve(recipe: Recipe, facts: Facts, name: str = "recipe") -> Recipe:
    """The recipe with task, loss, metrics and name written out and a number for every `outputs`.

    `name` is the recipe's name where it has none of its own: its file's, without the ending.
    """
    task: Task = recipe.task or _task(facts.task)
    layers: list[Layer] = [bind(layer, facts.outputs) for layer in recipe.model.layers]
    return recipe.model_copy(
        update={
            "name": recipe.name or name,
            "task": task,
            "model": recipe.model.model_copy(update={"layers": layers}),
            "loss": recipe.loss or usual_loss(task),
            "metrics": usual_metrics(task) if recipe.metrics is None else recipe.metrics,
        }
    )


def _task(name: str) -> Task:
    if name in get_args(Task):
        return cast(Task, name)
    raise UserError(f"the data asks for an unknown task {name!r}")


def recipe_of(document: Document) -> Recipe:
    """The document's recipe. Raises UserError with the first problem where it has any."""
    recipe, problems = validate(document.tree)
    if recipe is None:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        name = document.path or "recipe"
        raise UserError(f"{name}:{first.line}:{first.column}: {first.message}{more}", first.hint)
    return recipe


def to_data(recipe: BaseModel) -> dict[str, Any]:
    """A recipe, a section or a part as plain data: parts carry their `type` first."""
    values: dict[str, Any] = {"type": type(recipe).type_name()} if isinstance(recipe, Part) else {}
    for name in type(recipe).model_fields:
        values[name] = _plain(getattr(recipe, name))
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return to_data(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value


def dump(data: dict[str, Any]) -> str:
    """Plain data as a recipe's YAML: sections as blocks, parts in one line where they fit."""
    return "".join(f"{write_key(key)}:{write_block(value, 2, top=True)}\n" for key, value in data.items())
