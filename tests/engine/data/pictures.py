"""Image files for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def write_image(path: Path, seed: int = 0, size: tuple[int, int] = (9, 7), mode: str = "RGB", **how: Any) -> Path:
    """An image of noise, (width, height) in size; its format is that of the file's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(values).convert(mode).save(path, **how)
    return path


def write_classes(root: Path, classes: dict[str, int], suffix: str = ".png", **how: Any) -> Path:
    """A folder with so many different images of each class."""
    for place, (name, count) in enumerate(classes.items()):
        for number in range(count):
            write_image(root / name / f"{number:03d}{suffix}", 1000 * place + number, **how)
    return root
