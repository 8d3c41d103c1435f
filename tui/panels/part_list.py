"""A list of parts that a person builds: layers, augmentations. Add, delete, copy, move, all as edits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from engine.parts import catalog
from engine.parts.part import find, names
from engine.recipe.edits import Edit
from engine.recipe.paths import child, join, split
from tui.forms.fields import fields_of
from tui.forms.starting import starting_part
from tui.forms.values import show
from tui.keymap import bindings
from tui.workbench.context import Context


@dataclass(frozen=True)
class Item:
    """One part of the list, or of a list inside it."""

    path: str
    value: Any
    depth: int = 0

    @property
    def type(self) -> str:
        """Name of the part."""
        found = self.value.get("type", "?") if isinstance(self.value, dict) else self.value
        return str(found)


def items(value: Any, path: str, depth: int = 0) -> list[Item]:
    """The parts of a list in order, those that a part holds right behind it."""
    found: list[Item] = []
    for index, part in enumerate(value if isinstance(value, list) else []):
        here = child(path, index)
        found.append(Item(here, part, depth))
        if isinstance(part, dict) and isinstance(part.get("layers"), list):
            found += items(part["layers"], child(here, "layers"), depth + 1)
    return found


class PartList(OptionList):
    """The parts at `path`, with a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("layers")
    DEFAULT_CSS = """
    PartList { height: auto; border: none; padding: 0; background: transparent; scrollbar-size-vertical: 1; }
    PartList:focus { border: none; background-tint: transparent; }
    PartList > .option-list--option { padding: 0; }
    """

    class Picked(Message):
        """Another part is under the cursor; `path` is None on an empty list."""

        def __init__(self, path: str | None) -> None:
            super().__init__()
            self.path = path

    class Opened(Message):
        """The person pressed Enter on a part."""

    def __init__(
        self,
        context: Context,
        path: str,
        family: str,
        lines: Callable[[list[Item], int], list[Text]],
        *,
        id: str | None = None,
    ) -> None:
        """`lines` draws the parts for a width in cells."""
        super().__init__(id=id, markup=False)
        self._row_texts = lines
        self.context = context
        self.path = path
        self.family = family
        self.items: list[Item] = []
        self._drawn: list[Text] = []
        self._wanted: str | None = None
        """Where the cursor goes once the document has changed."""
        self._last: str | None = None
        self._told = False

    @property
    def picked(self) -> Item | None:
        """The part under the cursor."""
        at = self.highlighted
        return self.items[at] if at is not None and at < len(self.items) else None

    def on_resize(self) -> None:
        """The lines are drawn for the width that the list really has."""
        self.sync()

    def sync(self) -> None:
        """Show the document."""
        document = self.context.document
        self.items = items(document.get(self.path, []) if document is not None else [], self.path)
        # A column is left to the scrollbar, so that it never makes a line wrap, nor by that keeps itself alive.
        padding = self.get_component_styles("option-list--option").padding.width
        rows = self._row_texts(self.items, self.content_region.width - padding - 1)
        was = self._wanted or self._last
        self._wanted = None
        if not self.items:
            rows = [Text("none yet: + adds one", self.app.theme_variables.get("text-muted", ""))]
        if len(rows) == self.option_count:
            for index, row in enumerate(rows):
                if index >= len(self._drawn) or self._drawn[index] != row or self._drawn[index].spans != row.spans:
                    self.replace_option_prompt_at_index(index, row)
        else:
            self.clear_options()
            self.add_options(Option(row) for row in rows)
        self._drawn = list(rows)
        self.pick(was)

    @property
    def told(self) -> str | None:
        """The path that was last told by `Picked`."""
        return self._last

    def pick(self, path: str | None) -> None:
        """Put the cursor on a path, or on the nearest one there is."""
        if not self.items:
            self._tell(None)
            return
        at = next((index for index, item in enumerate(self.items) if item.path == path), None)
        if at is None:
            at = min(self.highlighted or 0, len(self.items) - 1)
        if self.highlighted != at:
            self.highlighted = at
        self._tell(self.items[at].path)

    def _tell(self, path: str | None) -> None:
        if self._last != path or not self._told:
            self._last, self._told = path, True
            self.post_message(self.Picked(path))

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """The cursor moved."""
        event.stop()
        if event.option_index < len(self.items):
            self._tell(self.items[event.option_index].path)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter on a part."""
        event.stop()
        self.post_message(self.Opened())

    def _free(self) -> bool:
        why = self.context.locked(False)
        if why:
            self.context.say(f"The list cannot be changed here: {why}.", "warning")
        return not why

    def _apply(self, edits: tuple[Edit, ...], words: str, then: str | None) -> None:
        self._wanted = then
        if not self.context.apply(edits, words):
            self._wanted = None

    def action_add(self) -> None:
        """Choose a part and put it behind the cursor."""
        if self._free():
            item = self.picked
            parts = split(item.path) if item else [*split(self.path), -1]
            self._choose(join([*parts[:-1], int(parts[-1]) + 1]))

    def action_add_inside(self) -> None:
        """Choose a part and put it at the end of what the part under the cursor holds."""
        item = self.picked
        if item is not None and isinstance(item.value, dict) and "layers" in item.value and self._free():
            self._choose(child(child(item.path, "layers"), len(item.value["layers"] or [])))

    def _choose(self, path: str) -> None:
        from tui.workbench.picker import Picker, Row

        rows = []
        for name in names(self.family):
            cls = find(self.family, name)
            rows.append(Row(name, name, catalog.summary(cls).split(". ")[0].rstrip(".") if cls is not None else ""))

        def picked(name: str | None) -> None:
            if name is not None:
                self.add(path, name)

        self.app.push_screen(Picker(lambda: rows, columns=True, placeholder=f"Which {self.family}?"), picked)

    def add(self, path: str, name: str) -> None:
        """Put a new part at `path`."""
        value = starting_part(self.family, name)
        document = self.context.document
        if document is not None and not isinstance(document.get(self.path), list):
            self._apply((Edit("set", self.path, [value]),), f"{self.path}: {name} added", path)
        else:
            self._apply((Edit("insert", path, value),), f"{path}: {name} added", path)

    def action_delete(self) -> None:
        """Take the part under the cursor out."""
        item = self.picked
        if item is not None and self._free():
            self._apply((Edit("unset", item.path, expect=item.value),), f"{item.path}: {item.type} deleted", item.path)

    def action_copy(self) -> None:
        """The same part once more, behind it. A name of its own stays with the first."""
        item = self.picked
        if item is None or not self._free():
            return
        value = item.value
        if isinstance(value, dict):
            value = {key: inner for key, inner in value.items() if key != "name"}
        parts = split(item.path)
        path = join([*parts[:-1], int(parts[-1]) + 1])
        self._apply((Edit("insert", path, value),), f"{path}: {item.type} copied", path)

    def action_move(self, by: int) -> None:
        """Move the part up or down within its list."""
        item = self.picked
        document = self.context.document
        if item is None or document is None or not self._free():
            return
        parts = split(item.path)
        to = int(parts[-1]) + by
        if 0 <= to < len(document.get(join(parts[:-1]), [])):
            path = join([*parts[:-1], to])
            self._apply((Edit("move", item.path, to=to),), f"{item.path}: {item.type} moved to {to}", path)


def main_value(item: Item, family: str) -> str:
    """What says most about a part: the values that it needs, or the probability of a dropout."""
    cls = find(family, item.type)
    if cls is None:
        return ""
    given = item.value if isinstance(item.value, dict) else {}
    words = []
    for info in fields_of(cls):
        if info.kind in ("layers", "part", "mapping"):
            continue
        if info.required or info.name in ("p", "kernel_size", "shortcut", "degrees", "std"):
            value = given.get(info.name, info.default)
            if info.name == "kernel_size" and isinstance(value, int):
                words.append(f"{value}×{value}" if item.type.endswith("2d") else str(value))
            elif info.name != "shortcut" or value == "projection":
                words.append(show(value, info.log))
    return " ".join(words)
