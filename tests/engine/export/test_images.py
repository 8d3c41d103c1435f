"""The exported file reads the images that goodfit reads, and trains on them to the same losses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.data.pictures import write_classes, write_image
from tests.engine.export.exported import executor_losses, losses_of, written
from tests.engine.export.test_data import same

NETWORK = "model: {layers: [Flatten, {type: Linear, out_features: outputs}]}\noptimizer: Adam\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOODFIT_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    "data", ["batch_size: 8", "normalize: minmax", "normalize: none, missing: drop", "limit: 9", "split: {test: 0}"]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder(data: str, channels: int, tmp_path: Path) -> None:
    root = write_classes(tmp_path / "pets", {"cat": 12, "Dog": 14, "9": 12}, suffix=".jpg")
    write_image(root / "cat" / "b" / "x.png")
    write_image(root / "cat" / "a" / "z.png")
    (root / "cat" / "notes.txt").write_text("x")
    source = f"source: {{type: ImageFolder, path: pets, size: [5, 6], channels: {channels}}}"
    text = f"data: {{{source}, {data}}}\n{NETWORK}"
    same(text, tmp_path)
    if data == "batch_size: 8":
        code, _, _ = written(text, tmp_path)
        assert losses_of(code, 5) == executor_losses(text, tmp_path, 5)


def test_folders_of_parts(tmp_path: Path) -> None:
    for part in ("train", "test"):
        write_classes(tmp_path / "pets" / part, {"cat": 12, "dog": 14})
    write_classes(tmp_path / "val", {"cat": 4, "dog": 3})
    source = "source: {type: ImageFolder, path: pets, size: 4}, split: {validation: {path: val}}"
    same(f"data: {{{source}}}\n{NETWORK}", tmp_path)


@pytest.mark.parametrize("kind", ["CSV", "Parquet"])
def test_a_column_of_paths(kind: str, tmp_path: Path) -> None:
    import polars as pl

    for number in range(40):
        write_image(tmp_path / "photos" / f"{number}.png", number)
    rows = [(f"photos/{number}.png" if number % 9 else None, number / 7, f"p{number // 4}") for number in range(40)]
    frame = pl.DataFrame(rows, schema=["photo", "weight", "who"], orient="row")
    frame.write_csv(tmp_path / "t.csv")
    frame.write_parquet(tmp_path / "t.parquet")
    source = f"{{type: {kind}, path: t.{kind.lower()}, target: weight, features: [photo], size: 6, channels: 3}}"
    more = "columns: {photo: image}, missing: drop, split: {group: who}"
    same(f"data: {{source: {source}, {more}}}\n{NETWORK}", tmp_path)
