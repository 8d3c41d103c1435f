"""Draw the images of recipes/data/shapes: circles, squares, triangles and crosses on noisy ground, 28 x 28 in grey.

python scripts/make_shapes.py
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

FOLDER = Path(__file__).parent.parent / "recipes" / "data" / "shapes"
EACH, SIDE, FINE = 100, 28, 4
CORNERS = {"square": 4, "triangle": 3}


def shape(name: str, rng: np.random.Generator) -> Image.Image:
    """One image: drawn FINE times as large, turned by any angle, and scaled down."""
    side = SIDE * FINE
    ground = Image.fromarray(rng.integers(20, 90, (SIDE // 4, SIDE // 4), dtype=np.uint8)).resize((side, side))
    draw = ImageDraw.Draw(ground)
    r = rng.uniform(0.26, 0.42) * side
    x, y = rng.uniform(r, side - r, 2)
    angle, light = rng.uniform(0, 2 * math.pi), int(rng.integers(170, 250))

    def at(turn: float, reach: float = 1.0) -> tuple[float, float]:
        return x + reach * r * math.cos(angle + turn), y + reach * r * math.sin(angle + turn)

    if name == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=light)
    elif name == "cross":
        for turn in (0, math.pi / 2):
            draw.line((at(turn), at(turn + math.pi)), fill=light, width=int(0.45 * r))
    else:
        corners = CORNERS[name]
        draw.polygon([at(2 * math.pi * corner / corners) for corner in range(corners)], fill=light)
    small = np.asarray(ground.resize((SIDE, SIDE), Image.Resampling.BOX)).astype(np.float64)
    noisy = np.clip(small + rng.normal(0, 12, small.shape), 0, 255)
    return Image.fromarray((noisy // 8 * 8).astype(np.uint8))  # fewer shades: smaller files


def main() -> None:
    rng = np.random.default_rng(2026)
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name in ("circle", "cross", "square", "triangle"):
        (FOLDER / name).mkdir(parents=True)
        for number in range(EACH):
            shape(name, rng).save(FOLDER / name / f"{number:02d}.png", optimize=True)
    size = sum(path.stat().st_size for path in FOLDER.rglob("*.png"))
    print(f"{FOLDER}: {4 * EACH} images, {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
