"""Panels on a recipe of digits, checked after every change as the workbench does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.widget import Widget

from engine.data.facts import Facts
from engine.parts import catalog
from engine.recipe.check import check
from engine.recipe.document import Document
from engine.recipe.edits import Edit
from tui.forms.field import Field
from tui.workbench.context import Context, DocumentChanged, FactsChanged
from tui.workbench.theme import DARK

RECIPE = """\
name: digits
data:
  source: {type: Builtin, name: digits}
  batch_size: 32   # small
model:
  layers:
    - Flatten
    - {type: Linear, out_features: 128}
    - ReLU
    - {type: Dropout, p: 0.3, name: drop1}
    - {type: Residual, layers: [{type: Linear, out_features: 128}, ReLU]}
    - {type: Linear, out_features: outputs}
optimizer: {type: Adam, lr: 1e-3, weight_decay: 1e-4}
scheduler: {type: CosineAnnealingLR, warmup: {epochs: 2, start_factor: 0.1}}
train:
  epochs: 40
"""

DIGITS = Facts(
    task="classification",
    shape=(1, 8, 8),
    outputs=10,
    rows={"train": 1257, "validation": 270, "test": 270},
    classes=[str(digit) for digit in range(10)],
    class_counts={
        "train": [120, 130, 125, 127, 126, 128, 122, 130, 124, 125],
        "validation": [27] * 10,
        "test": [27] * 10,
    },
    features=[
        {"name": "pixels", "type": "image", "missing": 0, "unique": 1797},
        {"name": "zip\x1b[31m code", "type": "number", "missing": 12, "unique": 900},
    ],
    missing=12,
    duplicates=3,
    shared={"train/test": 2},
    warnings=[{"kind": "id_like", "message": "zip code looks like an identifier", "columns": ["zip code"]}],
    baseline={"CrossEntropyLoss": 2.303},
)


class PanelApp(App[None]):
    def __init__(
        self, panel: Callable[[Context], Widget], text: str = RECIPE, facts: Facts | None = DIGITS, **more: Any
    ):
        super().__init__()
        self.said: list[str] = []
        self.context = Context(
            Document.from_text(text),
            on_apply=more.pop("on_apply", self.take),
            on_say=lambda message, severity: self.said.append(message),
            **more,
        )
        self.context.facts = facts
        self.panel = panel
        self.register_theme(DARK)
        self.theme = DARK.name
        self.check()

    def compose(self) -> ComposeResult:
        yield self.panel(self.context)

    def check(self) -> None:
        assert self.context.document is not None
        self.context.checked = check(self.context.document, self.context.facts)

    def take(self, context: Context, edits: tuple[Edit, ...], words: str) -> bool:
        """Do edits as the workbench does: apply, check, tell the panel."""
        assert context.document is not None
        context.document.apply(edits)
        self.check()
        for widget in self.query("Panel"):
            widget.post_message(DocumentChanged())
        return True

    def learn(self, facts: Facts | None) -> None:
        self.context.facts = facts
        self.check()
        for widget in self.query("Panel"):
            widget.post_message(FactsChanged())

    def field(self, path: str) -> Field:
        return next(f for f in self.query(Field) if f.path == path)

    @property
    def text(self) -> str:
        assert self.context.document is not None
        return self.context.document.text

    @property
    def lines(self) -> str:
        """What is on the screen, as text."""
        return "\n".join(
            "".join(segment.text for segment in strip) for strip in self.screen._compositor.render_strips()
        )


@pytest.fixture
def panel_app() -> type[PanelApp]:
    catalog.load()
    return PanelApp
