"""The model panel."""

from __future__ import annotations

from textual.containers import VerticalScroll

from tui.workbench.context import Context


class ModelPanel(VerticalScroll):
    """The model of the recipe, bound both ways to the document."""

    def __init__(self, context: Context, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.context = context
