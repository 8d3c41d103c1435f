"""Changes of a recipe while it trains: which are possible, and what the recipe then is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel

from engine.errors import UserError
from engine.recipe.edits import edit_from_json
from engine.recipe.schema import Recipe
from engine.recipe.splice import apply_edits

POSSIBLE = "lr, weight_decay, momentum, dropout's p, clip_grad_norm, clip_grad_value, epochs and early_stopping"
LIVE_PATHS = ("train.early_stopping",)
"""Live as a whole: they may also come and go."""


def change(
    text: str, recipe: Recipe, edits: list[dict[str, Any]], read: Callable[[str], Recipe], epoch: int
) -> tuple[str, Recipe]:
    """The effective recipe after these edits, as text and resolved. Raises UserError where it cannot be so live.

    `epoch` counts the epochs that have begun: the run cannot be made shorter than they are.
    """
    try:
        transaction = tuple(edit_from_json(edit) for edit in edits)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError("the edits cannot be read") from error
    after = apply_edits(text, transaction)
    changed = read(after)
    fixed = [path for path, live in differences(recipe, changed) if not live]
    if fixed:
        raise UserError(
            f"{fixed[0]} cannot change while the run trains", f"these can: {POSSIBLE}; for others, fork the run"
        )
    if changed.train.epochs < epoch:
        raise UserError(f"epoch {epoch} has begun, so the run cannot have {changed.train.epochs}", "stop it instead")
    if monitor(recipe) != monitor(changed):
        raise UserError(
            f"the run judges its epochs by {monitor(recipe)}, and has kept the best weights by it",
            f"fork it to judge by {monitor(changed)}",
        )
    return after, changed


def monitor(recipe: Recipe) -> str:
    """The series that decides which epoch is the best."""
    return recipe.train.early_stopping.monitor if recipe.train.early_stopping else "val_loss"


def fields(model: BaseModel) -> list[str]:
    """The fields of a part or section that are declared to be live."""
    found = []
    for name, field in type(model).model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("live"):
            found.append(name)
    return found


def differences(a: Any, b: Any, path: str = "", live: bool = False) -> Iterator[tuple[str, bool]]:
    """Paths at which two recipes differ, and whether each may change while training."""
    if path in LIVE_PATHS:
        live = True
    if isinstance(a, BaseModel) and type(a) is type(b):
        own = fields(a)
        for name in type(a).model_fields:
            below = f"{path}.{name}" if path else name
            yield from differences(getattr(a, name), getattr(b, name), below, live or name in own)
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for index, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from differences(one, other, f"{path}.{index}", live)
    elif a != b:
        yield path, live
