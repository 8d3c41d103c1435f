"""The residual block as a torch module."""

from __future__ import annotations

from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """y = layers(x) + shortcut(x) (arXiv:1512.03385)."""

    def __init__(self, layers: nn.Sequential, shortcut: nn.Module) -> None:
        super().__init__()
        self.layers = layers
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layers(x) + self.shortcut(x)
        return result
