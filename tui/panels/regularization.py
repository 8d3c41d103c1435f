"""The regularization panel: everything that keeps the network from learning the training rows by heart.

It shows no settings of its own: dropout belongs to layers, weight decay to the optimizer, label smoothing to the loss,
augmentation to the data, early stopping to the loop. They stand side by side here because they are weighed together.
"""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from engine.parts.part import FieldInfo, find
from engine.recipe.paths import child
from engine.recipe.schema import Train
from tui.clean import clean
from tui.forms.field import Field
from tui.forms.fields import fields_of
from tui.forms.form import FieldHelp, Form
from tui.panels.panel import Heading, Panel, Scroll, focus_in, put
from tui.panels.part_list import Item, PartList, items, main_value

USUAL = "CrossEntropyLoss"


class RegularizationPanel(Panel):
    """Dropout, decay, smoothing, augmentation and early stopping, bound both ways to the document."""

    DEFAULT_CSS = """
    RegularizationPanel .fields { height: auto; }
    RegularizationPanel .augmentation { height: auto; }
    """

    def compose(self) -> ComposeResult:
        """One group after the other."""
        stopping = next(info for info in fields_of(Train) if info.name == "early_stopping")
        with Scroll():
            yield Heading("dropout", first=True)
            yield Vertical(classes="fields dropout")
            yield Static("", markup=False, classes="panel--note dropout--none")
            yield Heading("weights and labels")
            yield Vertical(classes="fields decay")
            yield Heading("early stopping")
            yield Form(
                self.context,
                "train.early_stopping",
                fields=stopping.fields,
                optional=True,
                label="early stopping",
                live=True,
                help=stopping.help,
            )
            yield Heading("augmentation")
            yield PartList(self.context, "data.augment", "augmentation", self.lines)
            yield Static("", markup=False, classes="panel--note augment--keys")
            yield Vertical(classes="augmentation")
        yield FieldHelp()

    def show_document(self) -> None:
        """Rows for what the recipe has."""
        self._fill(".dropout", self._dropouts())
        put(
            self.query_one(".dropout--none", Static),
            "" if self._dropouts() else "No dropout layers. The model panel adds them; never on the output.",
        )
        decay = self._decay()
        self._fill(".decay", decay)
        augment = self.query_one(PartList)
        augment.sync()
        put(
            self.query_one(".augment--keys", Static),
            "+ add  d delete  D copy  JK move" if augment.items else "",
        )
        super().show_document()

    def lines(self, found: list[Item], _: int) -> list[Text]:
        """A line an augmentation: type and main value."""
        return [Text(clean(f"{item.type} {main_value(item, 'augmentation')}")) for item in found]

    def _fill(self, where: str, wanted: list[tuple[str, FieldInfo, str]]) -> None:
        """Fields for `wanted` (path, field, label); those that are there already stay, with the focus."""
        holder = self.query_one(f".fields{where}", Vertical)
        there = [(field.path, field.info.name, field.label) for field in holder.query(Field)]
        if there != [(path, info.name, label) for path, info, label in wanted]:
            holder.remove_children()
            holder.mount(*(Field(self.context, path, info, label=label, under=USUAL) for path, info, label in wanted))

    def _dropouts(self) -> list[tuple[str, FieldInfo, str]]:
        document = self.context.document
        found = []
        for item in items(document.get("model.layers", []) if document is not None else [], "model.layers"):
            cls = find("layer", item.type)
            if cls is None or "Dropout" not in item.type:
                continue
            info = next((info for info in fields_of(cls) if info.name == "p"), None)
            name = item.value.get("name") if isinstance(item.value, dict) else None
            place = item.path.removeprefix("model.layers.").replace(".layers.", ".")
            if info is not None:
                found.append((child(item.path, "p"), info, clean(f"{place} {name or item.type}")))
        return found

    def _decay(self) -> list[tuple[str, FieldInfo, str]]:
        found = []
        for family, names in (("optimizer", ("weight_decay",)), ("loss", ("label_smoothing",))):
            cls = find(family, self._type(family) or self._usual(family))
            for info in fields_of(cls) if cls is not None else []:
                if info.name in names:
                    found.append((child(family, info.name), info, info.name))
        return found

    def _type(self, family: str) -> str:
        value = self.context.document.get(family) if self.context.document is not None else None
        return str(value.get("type", "")) if isinstance(value, dict) else str(value or "")

    def _usual(self, family: str) -> str:
        """The loss that a classification has without being told."""
        facts = self.context.facts
        return USUAL if family == "loss" and facts is not None and facts.task == "classification" else ""

    async def on_part_list_picked(self, event: PartList.Picked) -> None:
        """The settings of the augmentation under the cursor."""
        event.stop()
        if event.path != self.query_one(PartList).told:
            return
        holder = self.query_one(".augmentation", Vertical)
        await holder.remove_children()
        if event.path is not None:
            await holder.mount(Form(self.context, event.path, family="augmentation"))

    def on_part_list_opened(self, event: PartList.Opened) -> None:
        """Enter goes to its first setting."""
        event.stop()
        focus_in(self.query_one(".augmentation"))
