"""A small application that hosts forms and panels as the workbench does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.widget import Widget

from engine.parts import catalog
from engine.recipe.document import Document
from engine.recipe.edits import Edit
from tui.forms.field import Field
from tui.forms.form import Form
from tui.workbench.context import Context
from tui.workbench.theme import DARK


class Bench(App[None]):
    """Holds widgets built on one context; a change from elsewhere is `change`."""

    def __init__(self, text: str, build: Callable[[Context], Iterable[Widget]], **context: Any) -> None:
        super().__init__()
        self.context = Context(Document.from_text(text), **context)
        self.build = build
        self.register_theme(DARK)
        self.theme = DARK.name

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield from self.build(self.context)

    def change(self, *edits: Edit) -> None:
        """Change the document as another place would."""
        assert self.context.document is not None
        self.context.document.apply(edits)
        for form in self.query(Form):
            form.sync()

    def field(self, path: str) -> Field:
        """The field at a path."""
        return next(f for f in self.query(Field) if f.path == path)

    @property
    def text(self) -> str:
        """The document's text."""
        assert self.context.document is not None
        return self.context.document.text


@pytest.fixture
def bench() -> type[Bench]:
    catalog.load()
    return Bench
