"""Data that is large for two cores: a folder of 12,000 images, and a table of 1,000,000 rows, with their recipes.

    python bench/make_images.py FOLDER     writes FOLDER/photos, FOLDER/photos.yaml, FOLDER/rows.csv, FOLDER/rows.yaml

Then, in FOLDER: `/usr/bin/time -v goodfit train photos.yaml`, and the same with rows.yaml.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SHAPES = ("circle", "square", "triangle", "cross")
TRAIN = """optimizer: {type: AdamW, lr: 1e-3}
train: {epochs: %d, device: cpu}
"""
PHOTOS = """data:
  source: {type: ImageFolder, path: photos, size: 64}
  batch_size: 64
model:
  layers:
    - {type: Conv2d, out_channels: 16, kernel_size: 3, padding: 1}
    - ReLU
    - {type: MaxPool2d, kernel_size: 4}
    - {type: Conv2d, out_channels: 32, kernel_size: 3, padding: 1}
    - ReLU
    - {type: MaxPool2d, kernel_size: 4}
    - Flatten
    - {type: Linear, out_features: outputs}
"""
ROWS = """data:
  source: {type: CSV, path: rows.csv, target: y}
  batch_size: 256
model:
  layers:
    - {type: Linear, out_features: 64}
    - ReLU
    - {type: Linear, out_features: 32}
    - ReLU
    - {type: Linear, out_features: outputs}
"""


def photo(shape: str, rng: np.random.Generator, side: int = 160) -> Image.Image:
    """A shape of some size, place and colour on a noisy ground."""
    ground = rng.integers(0, 96, (side // 4, side // 4, 3), dtype=np.uint8)
    image = Image.fromarray(ground).resize((side, side))
    draw = ImageDraw.Draw(image)
    r = int(rng.integers(side // 8, side // 3))
    x, y = (int(v) for v in rng.integers(r, side - r, 2))
    colour = tuple(int(v) for v in rng.integers(128, 256, 3))
    if shape == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    elif shape == "square":
        draw.rectangle((x - r, y - r, x + r, y + r), fill=colour)
    elif shape == "triangle":
        draw.polygon([(x - r, y + r), (x + r, y + r), (x, y - r)], fill=colour)
    else:
        draw.line((x - r, y, x + r, y), fill=colour, width=r // 2)
        draw.line((x, y - r, x, y + r), fill=colour, width=r // 2)
    return image


def make_photos(root: Path, count: int) -> None:
    """So many JPEG files in a folder for each shape."""
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        (root / shape).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        shape = SHAPES[number % len(SHAPES)]
        photo(shape, rng).save(root / shape / f"{number:05d}.jpg", quality=85)


def make_rows(file: Path, count: int) -> None:
    """Ten numbers, a category and two classes that a small network can tell apart."""
    rng = np.random.default_rng(1)
    with file.open("w", encoding="ascii") as stream:
        stream.write(",".join(f"x{index}" for index in range(10)) + ",kind,y\n")
        for start in range(0, count, 50_000):
            x = rng.normal(size=(min(50_000, count - start), 10))
            kind = rng.integers(0, 4, len(x))
            y = np.where(x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + 0.3 * kind > 0.4, "yes", "no")
            rows = zip(x.tolist(), kind.tolist(), y.tolist(), strict=True)
            lines = (",".join(f"{value:.5f}" for value in row) + f",{'abcd'[k]},{label}\n" for row, k, label in rows)
            stream.writelines(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.images:
        make_photos(given.folder / "photos", given.images)
        (given.folder / "photos.yaml").write_text(PHOTOS + TRAIN % given.epochs, encoding="utf-8")
    if given.rows:
        make_rows(given.folder / "rows.csv", given.rows)
        (given.folder / "rows.yaml").write_text(ROWS + TRAIN % given.epochs, encoding="utf-8")
    print(f"{given.folder}: {given.images} images, {given.rows} rows")


if __name__ == "__main__":
    main()
