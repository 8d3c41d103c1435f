"""One image file as an array. `goodfit code` copies these functions, so they use nothing but numpy and Pillow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[Any]
MOST_PIXELS = 80_000_000
"""Images with more pixels are refused before any of them is decoded: a small file can claim to hold a huge one."""
RULE = "1"
"""Part of the cache's name: count it up when the same file decodes to other pixels."""


def decoded(content: bytes, height: int, width: int, channels: int) -> Array:
    """An image file's content as (channels, height, width) uint8.

    Upright (EXIF orientation), on white where it is transparent, 16-bit numbers brought to 8, in grey or colour as
    `channels` say, and scaled to the size by a filter over all pixels that a new one covers. An image of that size
    keeps its pixels. Raises whatever Pillow raises for a file that is damaged, and ValueError.
    """
    image: Any = Image.open(io.BytesIO(content))
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"it has {image.width} x {image.height} pixels: more than {MOST_PIXELS // 1_000_000} million")
    if image.format == "TIFF":
        image.load()  # which turns it upright
    turn = orientation(image)
    size = (height, width) if turn in (5, 6, 7, 8) else (width, height)
    mode = "L" if channels == 1 else "RGB"
    image.draft(mode, (2 * size[0], 2 * size[1]))
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("its numbers do not fit 16 bits")
        image = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("it holds floating-point numbers")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert(mode)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    if turn > 1:
        image = image.transpose(Image.Transpose([0, 3, 1, 5, 4, 6, 2][turn - 2]))
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if channels == 1 else np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def orientation(image: Any) -> int:
    """How the camera was held, 1..8 as in EXIF; 1 (upright) where the file does not say, or nonsense."""
    try:
        found = image.getexif().get(0x0112, 1)
    except Exception:
        return 1
    return int(found) if found in range(1, 9) else 1
