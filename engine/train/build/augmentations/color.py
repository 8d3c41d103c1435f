"""Changes of brightness, contrast, saturation and hue, each image by factors of its own.

No product is added in one call: fused kernels may round the end of a tensor differently from its middle, and then
a sample would depend on its place in the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.train.build.augmentations.values import column


def jittered(x: Tensor, factors: Tensor, brightness: float, contrast: float, saturation: float, hue: float) -> Tensor:
    """Images (B, C, H, W), changed by factors (B, 4) as far as the settings are not 0."""
    light, range_, vividness, turn = factors.view(-1, 4, 1, 1, 1).unbind(1)
    if brightness:
        x = brightened(x, light)
    if contrast:
        x = contrasted(x, range_)
    if saturation and x.shape[1] == 3:
        x = saturated(x, vividness)
    if hue and x.shape[1] == 3:
        x = recolored(x, turn)
    return x


def brightened(x: Tensor, factor: Tensor) -> Tensor:
    """f x, cut to [0, 1]; images (B, C, H, W), factor (B, 1, 1, 1), as below."""
    return (x * factor).clamp_(0.0, 1.0)


def contrasted(x: Tensor, factor: Tensor) -> Tensor:
    """f x + (1 - f) mean(grey), cut to [0, 1]."""
    return blended(x, grey(x).mean(dim=(1, 2, 3), keepdim=True), factor)


def saturated(x: Tensor, factor: Tensor) -> Tensor:
    """f x + (1 - f) grey, cut to [0, 1]."""
    return blended(x, grey(x), factor)


def blended(x: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """f x + (1 - f) other, cut to [0, 1]."""
    return (x * factor).add_(other * (1.0 - factor)).clamp_(0.0, 1.0)


def grey(x: Tensor) -> Tensor:
    """(B, 1, H, W): what the eye sees of red, green and blue; the mean of other channels."""
    if x.shape[1] != 3:
        return x.mean(dim=1, keepdim=True)
    red, green, blue = x[:, :1], x[:, 1:2], x[:, 2:]
    light: Tensor = (red * 0.2989).add_(green * 0.587).add_(blue * 0.114)
    return light


def recolored(x: Tensor, turn: Tensor) -> Tensor:
    """Images (B, 3, H, W) with the hue of every pixel moved by turn (B, 1, 1, 1), a share of the circle."""
    red, green, blue = x[:, :1], x[:, 1:2], x[:, 2:]
    value, low = x.amax(dim=1, keepdim=True), x.amin(dim=1, keepdim=True)
    chroma = value - low
    safe = torch.where(chroma == 0, 1.0, chroma)
    sector = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, (blue - red) / safe + 2.0, (red - green) / safe + 4.0),
    )
    sector = torch.remainder(sector + turn * 6.0, 6.0)
    # Each channel falls from the value by the chroma and climbs again on its way round the circle.
    place = torch.remainder(sector + column((5.0, 3.0, 1.0), x.device), 6.0)
    return value - torch.minimum(place, 4.0 - place).clamp_(0.0, 1.0).mul_(chroma)
