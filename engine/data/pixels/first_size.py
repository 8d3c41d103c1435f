"""A size for images that nobody has looked at yet, by the headers of some of their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.data.pixels.decode import orientation

LONGEST = 64
"""Side of a first model's images at most: enough to tell most things apart, and quick to train on."""
SAMPLE = 200
GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L")


def first_size(files: Sequence[Path]) -> tuple[int | list[int], int]:
    """(size, channels) as a recipe writes them: the images' own where all are small and equal, else scaled down."""
    from PIL import Image

    shapes, modes = [], set()
    for file in files[:: max(1, len(files) // SAMPLE)]:
        try:
            with Image.open(file) as image:
                turned = image.format == "JPEG" and orientation(image) > 4
                shapes.append((image.width, image.height) if turned else (image.height, image.width))
                modes.add(image.mode)
        except Exception:  # a damaged file is told by its name when all are read
            continue
    channels = 1 if modes and modes <= set(GREY) else 3
    if not shapes:
        return LONGEST, channels
    alike = len(set(shapes)) == 1
    height, width = shapes[0] if alike else (max(map(max, shapes)),) * 2
    shrink = min(1.0, LONGEST / max(height, width))
    height, width = max(1, round(height * shrink)), max(1, round(width * shrink))
    return height if height == width else [height, width], channels
