"""The keys of a list of layers or augmentations, for the palette: they act on the list in the room that is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import UserError
from tui.keymap import LOCALS
from tui.panels.part_list import PartList
from tui.workbench.picker import Row

if TYPE_CHECKING:
    from tui.app import Workbench

VERBS = {
    "add": "add",
    "add_inside": "add_inside",
    "delete": "delete",
    "copy": "copy",
    "move(-1)": "move_up",
    "move(1)": "move_down",
}
"""The list's actions, and the functions of this module."""


def shown(app: Workbench) -> PartList | None:
    """The list in the room on the screen."""
    panel = app.side_bar.panel if not app.side_bar.has_class("-hidden") else None
    found = panel.query(PartList) if panel is not None else None
    return found.first() if found else None


def rows(app: Workbench) -> list[Row]:
    """Lines for the palette; none where no list is shown."""
    found = shown(app)
    if found is None:
        return []
    return [
        Row(f"layers.{VERBS[local.action]}", f"{found.family.capitalize()}: {local.title.lower()}", local.shown)
        for local in LOCALS
        if local.where == "layers"
    ]


def _list(app: Workbench) -> PartList:
    found = shown(app)
    if found is None:
        raise UserError("no list of layers is shown", "g m shows the model, g r the augmentations")
    found.focus()
    return found


def add(app: Workbench) -> None:
    """Below the cursor."""
    _list(app).action_add()


def add_inside(app: Workbench) -> None:
    """Inside a layer that holds layers."""
    _list(app).action_add_inside()


def delete(app: Workbench) -> None:
    """The one under the cursor."""
    _list(app).action_delete()


def copy(app: Workbench) -> None:
    """Once more, behind it."""
    _list(app).action_copy()


def move_up(app: Workbench) -> None:
    """One place up."""
    _list(app).action_move(-1)


def move_down(app: Workbench) -> None:
    """One place down."""
    _list(app).action_move(1)
