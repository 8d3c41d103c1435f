"""The model panel: the layers with shapes and parameters, and the settings of the one under the cursor."""

from __future__ import annotations

from math import prod

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from engine.parts import catalog
from engine.parts.part import Shape, find
from engine.parts.stack import Row
from tui.charts.scale import number
from tui.clean import clean
from tui.forms.form import FieldHelp, Form
from tui.panels.panel import Heading, Panel, Scroll, focus_in, put
from tui.panels.part_list import Item, PartList, main_value


class ModelPanel(Panel):
    """The layers of the recipe, bound both ways to the document."""

    DEFAULT_CSS = """
    ModelPanel .model--in { height: 1; color: $text-muted; }
    ModelPanel PartList { max-height: 45%; }
    ModelPanel .model--total { height: auto; color: $text-muted; }
    ModelPanel .model--keys { height: auto; color: $text-disabled; }
    ModelPanel.-low .model--keys { display: none; }
    ModelPanel.-low PartList { max-height: 40%; }
    ModelPanel Scroll { border-top: solid $border-blurred; }
    """

    _goal = ""
    """The setting to focus once its form is there."""

    def compose(self) -> ComposeResult:
        """Input, layers, totals, the form of one layer, help."""
        yield Static("", markup=False, classes="model--in")
        yield PartList(self.context, "model.layers", "layer", self.lines)
        yield Static("", markup=False, classes="model--total")
        yield Static("+ add  d delete  D copy  JK move", markup=False, classes="model--keys")
        yield Scroll()
        yield FieldHelp()

    def show_document(self) -> None:
        """Rows with shapes, totals, the form."""
        layers = self.query_one(PartList)
        facts = self.context.facts
        words = f"in {shape_words(facts.shape)}" if facts is not None else f"in {self._unknown()}"
        put(self.query_one(".model--in", Static), words)
        layers.sync()
        put(self.query_one(".model--total", Static), self._totals())
        super().show_document()

    def _unknown(self) -> str:
        if self.context.facts_error:
            return "? (the data cannot be read)"
        return "… (reading the data)" if self.context.facts_busy else "?"

    def _rows(self) -> dict[str, Row]:
        found: dict[str, Row] = {}

        def visit(rows: list[Row] | tuple[Row, ...]) -> None:
            for row in rows:
                found[row.path] = row
                visit(row.rows)

        if self.context.checked is not None:
            visit(self.context.checked.rows)
        return found

    def lines(self, found: list[Item], width: int) -> list[Text]:
        """A line a layer: index, type and main value, output shape, parameters; below it why it cannot work."""
        width = max(24, width)
        rows = self._rows()
        shapes = max((len(shape_words(row.output)) for row in rows.values() if row.output is not None), default=3)
        counts = max((len(number(row.parameters)) for row in rows.values() if row.parameters), default=3)
        columns = (min(shapes, 12) + 1, counts + 1) if rows else (0, 0)
        return [self._line(item, rows.get(item.path), width, columns) for item in found]

    def _line(self, item: Item, row: Row | None, width: int, columns: tuple[int, int]) -> Text:
        colors = self.app.theme_variables
        dim, bad, warn = colors.get("text-muted", ""), colors.get("error", "red"), colors.get("warning", "yellow")
        index = item.path.rsplit(".", 1)[-1]
        name = item.value.get("name") if isinstance(item.value, dict) else None
        main = main_value(item, "layer")
        shapes, counts = columns
        room = width - 3 - 2 * item.depth - shapes - counts
        line = Text(no_wrap=False, overflow="ellipsis")
        line.append("  " * item.depth + index.rjust(2) + " ", dim)
        severity = self._severity(item.path)
        color = bad if severity == "error" or (row is not None and row.error) else warn if severity else ""
        label = f"{clean(item.type)} "
        line.append(set_cell_size(label, min(room, cell_len(label))), color)
        left = room - min(room, cell_len(label))
        line.append(set_cell_size(clean(main), min(left, cell_len(main))), color or colors.get("accent", ""))
        left -= min(left, cell_len(main))
        note = f" {clean(name)}" if name else ""
        line.append(set_cell_size(note if cell_len(note) <= left else "", left), dim)
        if row is None:
            return line
        if row.error is not None:
            line.append("✗".rjust(shapes), bad)
            line.append(f"\n{'  ' * item.depth}   {clean(row.error.message)}", bad)
            return line
        output = shape_words(row.output) if row.output is not None else "?"
        line.append(output[: shapes - 1].rjust(shapes), dim if row.output == row.input else "")
        line.append((number(row.parameters) if row.parameters and not row.rows else "").rjust(counts), dim)
        return line

    def _severity(self, path: str) -> str:
        """The worst problem of a layer itself, not of the layers that it holds."""
        if self.context.checked is None:
            return ""
        found = {
            problem.severity
            for problem in self.context.checked.problems
            if (problem.path == path or problem.path.startswith(f"{path}."))
            and not problem.path.startswith(f"{path}.layers.")
        }
        return next((severity for severity in ("error", "warning", "info") if severity in found), "")

    def _totals(self) -> str:
        checked, facts = self.context.checked, self.context.facts
        rows = checked.rows if checked is not None else []
        if not rows or facts is None or any(row.output is None for row in rows):
            return "parameters: known once every shape fits" if rows or facts is None else ""
        parameters = sum(row.parameters for row in rows)
        batch = checked.recipe.data.batch_size if checked is not None and checked.recipe is not None else 32
        held = prod(facts.shape) + sum(_held(row) for row in rows)
        # Weights, gradients and two moments; every output, and its gradient.
        training = 4 * (4 * parameters + 2 * batch * held)
        return f"{number(parameters)} parameters, {size_words(4 * parameters)}; training about {size_words(training)}"

    async def on_part_list_picked(self, event: PartList.Picked) -> None:
        """Show the form of the layer under the cursor."""
        event.stop()
        if event.path != self.query_one(PartList).told:
            return
        item = self.query_one(PartList).picked
        cls = find("layer", item.type) if item is not None else None
        if self.query_one(PartList).has_focus:
            self.query_one(FieldHelp).say(clean(catalog.summary(cls)) if cls is not None else "")
        scroll = self.query_one(Scroll)
        await scroll.remove_children()
        forms = [] if event.path is None else [Form(self.context, event.path, family="layer")]
        await scroll.mount(
            *forms,
            Heading("every layer's start"),
            Form(
                self.context,
                "model.init",
                family="init",
                optional=True,
                default="PyTorch's own",
                label="init",
                help="how weights start in every layer that says nothing else",
            ),
        )
        self._go()

    def on_part_list_opened(self, event: PartList.Opened) -> None:
        """Enter goes to the layer's first setting."""
        event.stop()
        forms = self.query_one(Scroll).query(Form)
        if forms:
            focus_in(forms.first())

    def reveal(self, path: str) -> bool:
        """Select the layer that `path` lies in; focus its field where it is shown."""
        layers = self.query_one(PartList)
        holding = [item.path for item in layers.items if path == item.path or path.startswith(f"{item.path}.")]
        if not holding:
            return super().reveal(path)
        layers.focus()
        self._goal = path
        chosen = max(holding, key=len)
        if layers.told == chosen:
            self._go()
        else:
            layers.pick(chosen)
        return True

    def _go(self) -> None:
        """Focus the field that was asked for, once its layer's form is there."""
        if self._goal:
            super().reveal(self._goal)
            self._goal = ""


def _held(row: Row) -> int:
    inner = sum(_held(held) for held in row.rows)
    return inner + (prod(row.output) if row.output is not None else 0)


def shape_words(shape: Shape) -> str:
    """A shape as 1×8×8."""
    return "×".join(map(str, shape))


def size_words(size: int) -> str:
    """Bytes as 38 kB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} B"
