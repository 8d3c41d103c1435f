"""What every contender that is written in PyTorch shares: network, data sets, augmentation as people write them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from bench.data import read
from bench.works import Work


def network(work: Work) -> nn.Sequential:
    """The work's network."""
    layers: list[nn.Module] = []
    width, side = 1, work.shape[-1]
    for channels in work.channels:
        layers += [nn.Conv2d(width, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        width, side = channels, side // 2
    if len(work.shape) > 1:
        layers.append(nn.Flatten())
    width = width * side * side if work.channels else int(np.prod(work.shape))
    for hidden in work.hidden:
        layers += [nn.Linear(width, hidden), nn.ReLU()]
        if work.dropout:
            layers.append(nn.Dropout(work.dropout))
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, work.classes))


class Turned(Dataset[Any]):
    """Images that Pillow rotates and flips one by one, as torchvision's transforms on pictures do."""

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = x, torch.from_numpy(y)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        from PIL import Image

        image = Image.fromarray(self.x[index]).rotate(random.uniform(-15, 15))
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = np.asarray(image, np.float32) / 255
        return torch.from_numpy(pixels).unsqueeze(0), self.y[index]


def data_sets(work: Work, path: Path) -> tuple[Dataset[Any], Dataset[Any]]:
    """Training and validation samples: float32 tensors made beforehand, which is the fastest that these peers have."""
    arrays = read(path)
    train: Dataset[Any] = TensorDataset(*pair(arrays, "train"))
    if work.turned:
        train = Turned(arrays["x_train"], arrays["y_train"])
    return train, TensorDataset(*pair(arrays, "val"))


def pair(arrays: dict[str, Any], part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """A part as tensors: images as (N, 1, H, W) in [0, 1]."""
    x = torch.from_numpy(arrays[f"x_{part}"])
    if x.dtype == torch.uint8:
        x = x.float().div_(255).unsqueeze(1)
    return x, torch.from_numpy(arrays[f"y_{part}"])
