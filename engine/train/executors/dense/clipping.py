"""Clipping of flat gradients, one model or several."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.recipe.schema import Recipe
from engine.train.executors.dense.layout import Layout


class Clipping:
    """Scales or cuts the gradients of each model, as `torch.nn.utils` does."""

    def __init__(self, layout: Layout, gradients: torch.Tensor) -> None:
        self._layout, self._gradients = layout, gradients
        self._owners = layout.owners() if layout.models > 1 else None
        self.zeros = torch.zeros_like(gradients)
        self.broken: list[bool] = [False] * layout.models
        """Models with a gradient that was not finite before it was cut."""
        self._norms: list[float] | None = None
        self._values: list[float] | None = None

    def set(self, recipes: Sequence[Recipe]) -> None:
        """Take over the recipes' limits."""
        norms = [recipe.train.clip_grad_norm for recipe in recipes]
        values = [recipe.train.clip_grad_value for recipe in recipes]
        infinite = float("inf")
        self._norms = [norm or infinite for norm in norms] if any(norms) else None
        self._values = [value or infinite for value in values] if any(values) and not any(norms) else None

    @property
    def active(self) -> bool:
        return self._norms is not None or self._values is not None

    def __call__(self) -> None:
        if self._norms is not None:
            self._scale(self._norms)
        elif self._values is not None:
            self._cut(self._values)

    def _scale(self, most: list[float]) -> None:
        g = self._gradients
        if self._layout.models == 1:
            factor = most[0] / (torch.linalg.vector_norm(g).item() + 1e-6)
            if not factor >= 1.0:
                g.mul_(factor)
            return
        squares = torch.zeros(self._layout.models)
        for segment in self._layout.segments.values():
            parts = [g[segment.start : segment.split], g[segment.split : segment.end]]
            for part in parts:
                if part.numel():
                    squares += part.view(self._layout.models, -1).square().sum(1)
        factors = (torch.tensor(most) / (squares.sqrt() + 1e-6)).clamp(max=1.0)
        assert self._owners is not None
        g.mul_(factors.index_select(0, self._owners))

    def _cut(self, most: list[float]) -> None:
        g = self._gradients
        # 0 times anything is 0, unless that is infinite or no number
        if torch.dot(g, self.zeros).item() != 0.0:
            for model in range(self._layout.models):
                views = self._layout.named(g, model).values()
                self.broken[model] |= not all(bool(torch.isfinite(view).all()) for view in views)
        if all(value == most[0] for value in most):
            g.clamp_(-most[0], most[0])
            return
        assert self._owners is not None
        limits = torch.tensor(most).index_select(0, self._owners)
        torch.minimum(torch.maximum(g, -limits, out=g), limits, out=g)
