"""Folders of images and columns of their paths: what is read, what is refused, and what is kept in the cache."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.data import new_rows
from engine.data.errors import DataError
from engine.data.inspect import look
from engine.data.pixels import read as reading
from engine.data.pixels.read import Size, read_images
from engine.data.prepare import prepare, silent
from engine.data.samples import Mapped
from engine.data.start import columns, first_recipe
from engine.parts import catalog
from engine.recipe.check import check
from engine.recipe.document import Document
from tests.engine.data.pictures import write_classes, write_image

Ready = Callable[..., Any]
Build = Callable[..., Any]
FOLDER: dict[str, Any] = {"type": "ImageFolder", "path": "pets", "size": [7, 9]}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOODFIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return write_classes(tmp_path / "pets", {"dog": 20, "cat": 24})


def pixels(path: Path) -> np.ndarray[Any, Any]:
    return np.moveaxis(np.asarray(Image.open(path).convert("RGB")), -1, 0)


def test_a_folder(pets: Path, ready: Ready) -> None:
    found = ready(FOLDER)
    facts = found.facts
    assert (facts.task, facts.classes, facts.shape) == ("binary", ["cat", "dog"], (3, 7, 9))
    assert facts.rows == {"train": 30, "validation": 7, "test": 7}
    assert [(row["name"], row["type"], row["role"]) for row in facts.features] == [
        ("file", "image", "feature"),
        ("class", "category", "target"),
    ]
    assert (facts.duplicates, facts.shared, facts.warnings) == (0, {}, facts.warnings)
    names = [path.relative_to(pets) for path in sorted(pets.rglob("*.png"))]
    for part in (found.train, found.validation, found.test):
        assert isinstance(part.x, Mapped) and part.x.dtype == np.uint8
        for row, x, y in zip(part.rows, part.x[:], part.y, strict=True):
            assert np.array_equal(x, pixels(pets / names[row]))
            assert y.item() == (names[row].parts[0] == "dog")
    x = np.asarray(found.train.x).astype(np.float64) / 255
    assert np.allclose(found.scaling.mean, x.mean(axis=(0, 2, 3)))
    assert np.allclose(found.scaling.std, x.std(axis=(0, 2, 3)))
    row = facts.features[0]
    assert np.isclose(row["mean"], 255 * x.mean()) and np.isclose(row["std"], 255 * x.std())


def test_nested_hidden_and_other_files(tmp_path: Path, ready: Ready) -> None:
    root = write_classes(tmp_path / "pets", {"10": 20, "9": 20, "none": 20})
    write_image(root / "9" / "deep" / "er" / "x.JPG", 77)
    write_image(root / "9" / ".hidden.png")
    write_image(root / "9" / ".git" / "x.png")
    write_image(root / ".trash" / "x.png")
    (root / "9" / "deep" / "up").symlink_to(root / "9")
    (root / "9" / "notes.txt").write_text("x")
    (root / "empty").mkdir()
    write_image(root / "loose.png")
    facts = ready(FOLDER).facts
    assert sum(facts.rows.values()) == 61
    # names, not numbers or holes: but numbers are sorted as such where all are
    assert facts.classes == ["10", "9", "none"]
    notes = {note["kind"]: note["message"] for note in facts.warnings}
    assert "empty" in notes["empty_classes"] and "loose.png" in notes["loose_images"]
    assert "9/notes.txt" in notes["other_files"]


@pytest.mark.parametrize("names", [("train", "val", "test"), ("training", "validation"), ("Train", "TEST")])
def test_folders_of_parts(names: tuple[str, ...], tmp_path: Path, ready: Ready) -> None:
    for number, name in enumerate(names):
        for kind in ("a", "b"):
            for image in range(12):
                write_image(
                    tmp_path / "pets" / name / kind / f"{image}.png", 1000 * number + image + 100 * (kind == "b")
                )
    found = ready(FOLDER)
    own = {"val": "validation", "validation": "validation", "test": "test"}
    for name in names[1:]:
        assert found.facts.rows[own[name.lower()]] == 24
    total = 24 * len(names)
    assert sum(found.facts.rows.values()) == total
    assert found.facts.shared == {}


def test_parts_from_other_folders(tmp_path: Path, ready: Ready) -> None:
    write_classes(tmp_path / "pets", {"a": 12, "b": 12})
    write_classes(tmp_path / "later", {"b": 3, "a": 2}, size=(30, 30))
    found = ready(FOLDER, split={"validation": 0.25, "test": {"path": "later"}})
    assert found.facts.rows == {"train": 18, "validation": 6, "test": 5}
    assert found.test.y[:, 0].tolist() == [0, 0, 1, 1, 1]
    with pytest.raises(DataError, match="never seen in training") as error:
        write_classes(tmp_path / "later", {"c": 1})
        ready(FOLDER, split={"test": {"path": "later"}})
    assert error.value.path == "data.split.test.path"


def test_a_column_of_paths(tmp_path: Path, ready: Ready) -> None:
    for number in range(40):
        write_image(tmp_path / "photos" / f"{number}.jpg", number // 2, size=(20, 30))
    lines = [f"photos/{number}.jpg,{number / 7},p{number // 4},x" for number in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["photo,weight,who,note", *lines, ",3,p0,x"]))
    source = {"type": "CSV", "path": "t.csv", "target": "weight", "features": ["photo"], "size": 8, "channels": 1}
    more = {"columns": {"photo": "image"}, "split": {"group": "who"}, "missing": "drop"}
    found = ready(source, **more)
    assert (found.facts.task, found.facts.shape, sum(found.facts.rows.values())) == ("regression", (1, 8, 8), 40)
    # every photo is there twice, and both stand in one part: no rows are shared, none is a copy (its target differs)
    assert found.facts.shared == {} and found.facts.duplicates == 0
    groups = [{row // 4 for row in part.rows.tolist()} for part in (found.train, found.validation, found.test)]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    for refused, data, path in (
        (source, {"missing": "median"}, "data.missing"),
        (source | {"features": ["photo", "weight"]}, {}, "data.source.features"),
        (source | {"features": None}, {}, "data.source.features"),
        (source | {"size": None}, {}, "data.source.size"),
        (source, {"reshape": [64]}, "data.reshape"),
        (source, {"columns": {"photo": "image", "weight": "image"}}, "data.columns.weight"),
    ):
        with pytest.raises(DataError) as error:
            ready({key: value for key, value in refused.items() if value is not None}, **(more | data))
        assert error.value.path == path, error.value.message
        assert error.value.hint


def test_bad_files_are_named_at_once_and_nothing_else_is_lost(pets: Path, ready: Ready, counted: list[str]) -> None:
    whole = (pets / "cat" / "001.png").read_bytes()
    for number in range(12):
        (pets / "cat" / f"bad{number:02d}.png").write_bytes([b"", whole[:-30], b"no image", whole[:20]][number % 4] * 1)
    (pets / "cat" / "gone.png").symlink_to("nowhere")
    with pytest.raises(DataError) as error:
        ready(FOLDER)
    message = error.value.message
    assert message.startswith("13 of 57 images cannot be used: cat/bad00.png: it is empty; cat/bad01.png: ")
    assert message.count("cat/") == 10 and message.endswith("; and 3 more")
    assert error.value.path == "data.source.path" and error.value.hint
    for path in pets.glob("cat/bad*"):
        path.unlink()
    (pets / "cat" / "gone.png").unlink()
    counted.clear()
    assert sum(ready(FOLDER).facts.rows.values()) == 44
    assert counted == []


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were decoded."""
    found: list[str] = []
    plain = reading._pixels

    def count(path: Path, *rest: Any) -> Any:
        found.append(path.name)
        return plain(path, *rest)

    monkeypatch.setattr(reading, "_pixels", count)
    return found


def test_an_image_is_decoded_once_for_each_size(pets: Path, ready: Ready, counted: list[str], tmp_path: Path) -> None:
    first = ready(FOLDER)
    assert len(counted) == 44
    again = ready(FOLDER)
    shutil.copytree(pets, tmp_path / "copies")
    moved = ready(FOLDER | {"path": "copies"})
    assert len(counted) == 44
    assert first.facts.data_sha256 == again.facts.data_sha256 == moved.facts.data_sha256
    assert np.array_equal(first.train.x[:], moved.train.x[:])
    write_image(pets / "cat" / "003.png", 99)
    changed = ready(FOLDER)
    assert counted[44:] == ["003.png"] and changed.facts.data_sha256 != first.facts.data_sha256
    ready(FOLDER | {"channels": 1})
    assert len(counted) == 45 + 44


def test_a_file_changed_in_place_is_noticed(pets: Path, ready: Ready) -> None:
    path = pets / "cat" / "000.png"
    for image in pets.rglob("*.png"):
        os.utime(image, (1, 1))
    before = ready(FOLDER)
    stat = path.stat()
    values = np.asarray(Image.open(path)).copy()
    Image.fromarray(values[::-1]).save(path)
    path.write_bytes(path.read_bytes().ljust(stat.st_size, b"\0")[: max(stat.st_size, len(path.read_bytes()))])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert ready(FOLDER).facts.data_sha256 != before.facts.data_sha256


class Stop(Exception):
    """What a stop raises."""


def test_a_stop_is_heard_and_what_is_done_is_kept(
    pets: Path, build: Build, tmp_path: Path, counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int, int | None]] = []

    def tell(stage: str, done: int, total: int | None) -> None:
        told.append((stage, done, total))
        if (stage, done) == ("decoding", 17):
            raise Stop

    recipe = build(FOLDER)
    with pytest.raises(Stop):
        prepare(recipe, tmp_path, tell)
    assert ("loading", 44, 44) in told and ("decoding", 16, 44) in told
    counted.clear()
    told.clear()
    prepare(recipe, tmp_path, lambda *row: told.append(row))
    assert len(counted) == 44 - 17
    decoding = [done for stage, done, total in told if stage == "decoding"]
    assert decoding == list(range(18, 45))


SIZE = Size(7, 9, 3)


def names_of(pets: Path) -> list[str]:
    return [path.relative_to(pets).as_posix() for path in sorted(pets.rglob("*.png"))]


@pytest.mark.parametrize(
    "damage",
    ["flip", "cut pixels", "cut index", "grow pixels", "grow index", "flip index", "no pixels", "no index", "no seal"],
)
def test_a_damaged_cache_is_noticed_and_mended(damage: str, pets: Path, cache: Path, counted: list[str]) -> None:
    names = names_of(pets)
    expected = read_images(pets, names, SIZE, silent, "k")[0][:]
    folder = next((cache / "images").glob("3x7x9-*"))
    held, index, seal = folder / "pixels", folder / "index", folder / "seal"
    verb, _, which = damage.partition(" ")
    file = {"index": index, "seal": seal}.get(which, held)
    content = bytearray(file.read_bytes())
    if verb == "flip":
        content[len(content) // 2] ^= 255
        file.write_bytes(content)
    elif verb == "cut":
        file.write_bytes(content[: len(content) // 2 + 5])
    elif verb == "grow":
        file.write_bytes(content + b"torn")
    else:
        file.unlink()
    counted.clear()
    for _ in range(2):
        assert np.array_equal(read_images(pets, names, SIZE, silent, "k")[0][:], expected)
    lost = {"cut pixels": 22, "cut index": 22, "no pixels": 44, "no index": 44, "no seal": 0}
    if damage in ("grow pixels", "grow index"):
        assert not counted
    else:
        assert abs(len(counted) - lost.get(damage, 1)) <= 1
    # and the next images find their place
    write_image(pets / "cat" / "new.png", 5)
    assert np.array_equal(read_images(pets, ["cat/new.png"], SIZE, silent, "k")[0][0], pixels(pets / "cat" / "new.png"))
    assert np.array_equal(read_images(pets, names, SIZE, silent, "k")[0][:], expected)


def decode_all(pets: Path, names: list[str], start: Any) -> None:
    start.wait()
    read_images(pets, names, SIZE, silent, "k")


def test_two_processes_at_once(tmp_path: Path, cache: Path) -> None:
    pets = write_classes(tmp_path / "pets", {"a": 150, "b": 150})
    names = names_of(pets)
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(3)
    orders = (names, names[::-1])
    workers = [context.Process(target=decode_all, args=(pets, order, start)) for order in orders]
    for worker in workers:
        worker.start()
    start.wait()
    found = read_images(pets, names, SIZE, silent, "k")[0]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    for read in (found, read_images(pets, names[::-1], SIZE, silent, "k")[0].pick(np.arange(300)[::-1])):
        assert all(np.array_equal(x, pixels(pets / name)) for x, name in zip(read[:], names, strict=True))


def test_a_cache_that_cannot_be_written(pets: Path, cache: Path, ready: Ready) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(DataError, match="cannot be kept") as error:
        ready(FOLDER)
    assert "GOODFIT_CACHE" in error.value.hint


def test_too_little_room(pets: Path, ready: Ready) -> None:
    with pytest.raises(DataError, match="GB left") as error:
        ready(FOLDER | {"size": 200_000})
    assert error.value.path == "data.source.size"


def test_samples_outlive_the_cache(pets: Path, cache: Path, ready: Ready) -> None:
    found = ready(FOLDER)
    before = found.train.x[:]
    shutil.rmtree(cache)
    assert np.array_equal(found.train.x[:], before)
    assert found.validation.x[:].shape == (7, 3, 7, 9)


@pytest.mark.parametrize(
    ("make", "words", "path"),
    [
        (lambda root: None, "no folder pets", "data.source.path"),
        (lambda root: root.write_text("x"), "is a file", "data.source.path"),
        (lambda root: root.mkdir(), "no images", "data.source.path"),
        (lambda root: write_image(root / "x.png"), "no subfolders with images", "data.source.path"),
        (lambda root: write_classes(root, {"a": 5}), "one class alone", "data.source.path"),
        (lambda root: [write_classes(root / p, {"a": 5, "b": 5}) for p in ("train", "val", "valid")], "which", None),
    ],
)
def test_refuses_a_folder(make: Any, words: str, path: str | None, tmp_path: Path, ready: Ready) -> None:
    make(tmp_path / "pets")
    with pytest.raises(DataError, match=words) as error:
        ready(FOLDER)
    assert error.value.path == (path or "data.source.path")
    assert error.value.hint


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are any bytes")
def test_names_that_are_no_text_are_refused(pets: Path, ready: Ready) -> None:
    odd = write_image(pets / "cat" / "a \n:'ü.png", 5)
    assert sum(ready(FOLDER).facts.rows.values()) == 45
    odd.rename(os.fsdecode(bytes(pets / "cat") + b"/\xff.png"))
    with pytest.raises(DataError) as error:
        ready(FOLDER)
    assert error.value.message == r"these names of images are not UTF-8: 'cat/\xff.png'"
    with pytest.raises(DataError, match="not UTF-8"):
        first_recipe(pets)


def test_facts_follow_the_files(pets: Path, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = build(FOLDER)
    facts, rows = look(recipe, tmp_path)
    assert {row["class"] for row in rows} == {"cat", "dog"} and len(rows) == 20
    with monkeypatch.context() as still:
        still.setattr("engine.data.gather.gather", None)  # not asked for
        assert look(recipe, tmp_path) == (facts, rows)
    write_image(pets / "cat" / "new.png", 3)
    assert sum(look(recipe, tmp_path)[0].rows.values()) == 45


def test_facts_follow_the_files_of_a_column(tmp_path: Path, build: Build) -> None:
    for number in range(30):
        write_image(tmp_path / f"{number}.png", number)
    (tmp_path / "t.csv").write_text("\n".join(["f,y", *(f"{number}.png,{number % 3}" for number in range(30))]))
    source = {"type": "CSV", "path": "t.csv", "target": "y", "size": 8, "channels": 3}
    recipe = build(source, columns={"f": "image"})
    before = look(recipe, tmp_path)[0]
    assert look(recipe, tmp_path)[0] == before
    write_image(tmp_path / "7.png", 1234)
    assert look(recipe, tmp_path)[0].data_sha256 != before.data_sha256


def test_new_rows(pets: Path, ready: Ready, tmp_path: Path) -> None:
    found = ready(FOLDER)
    state = found.fitted.state
    names = names_of(pets)
    rows = new_rows.transform(state, found.facts, pets)
    assert (rows.files, rows.y, rows.n) == (names, None, 44)
    assert all(np.array_equal(x, pixels(pets / name)) for x, name in zip(rows.x[:], names, strict=True))
    flat = tmp_path / "flat"
    write_image(flat / "b.png", 2)
    write_image(flat / "a.png", 1)
    assert new_rows.transform(state, found.facts, flat).files == ["a.png", "b.png"]
    tested = new_rows.transform(state, found.facts, pets, with_target=True)
    assert tested.y is not None and tested.y.sum() == 20
    (tmp_path / "rows.csv").write_text("class,file\ndog,pets/dog/003.png\ncat,\n")
    with pytest.raises(DataError, match="names no image"):
        new_rows.transform(state, found.facts, tmp_path / "rows.csv")
    (tmp_path / "rows.csv").write_text("class,file\ndog,pets/dog/003.png\ncat,pets/cat/001.png\n")
    named = new_rows.transform(state, found.facts, tmp_path / "rows.csv", with_target=True)
    assert named.y is not None and named.y[:, 0].tolist() == [1, 0]
    assert np.array_equal(named.x[1], pixels(pets / "cat" / "001.png"))
    table = new_rows.predictions(state, np.full((44, 1), 0.25), rows.valid, rows.files)
    assert table.header == ["row", "prediction", "p_cat", "p_dog", "file"]
    assert table.rows[0] == [0, "cat", 0.75, 0.25, "cat/000.png"]
    with pytest.raises(DataError, match="arrays"):
        np.savez(tmp_path / "a.npz", x=np.zeros((2, 3, 7, 9), np.uint8))
        new_rows.transform(state, found.facts, tmp_path / "a.npz")


def checked(text: str, base: Path) -> Any:
    catalog.load()
    document = Document.from_text(text)
    recipe = check(document).recipe
    assert recipe is not None, check(document).problems
    facts = prepare(recipe, base).facts
    assert not check(document, facts).errors
    return document, facts


@pytest.mark.parametrize(("size", "mode", "expected"), [((9, 7), "L", ([7, 9], 1)), ((300, 300), "RGB", (64, 3))])
def test_a_first_recipe(size: tuple[int, int], mode: str, expected: Any, tmp_path: Path) -> None:
    write_classes(tmp_path / "pets", {"dog": 12, "cat": 14}, size=size, mode=mode)
    assert [column["name"] for column in columns(tmp_path / "pets")] == ["class"]
    document, facts = checked(first_recipe(tmp_path / "pets"), tmp_path)
    source = document.get("data.source")
    assert (source["path"], source["size"], source["channels"]) == ("pets", *expected)
    assert facts.rows["train"] == 18
    assert document.get("model.layers.0.type") == "Conv2d"


def test_a_first_recipe_for_folders_of_parts(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        write_classes(tmp_path / "pets" / part, {"dog": 8, "cat": 8})
    document, facts = checked(first_recipe(tmp_path / "pets"), tmp_path)
    assert document.get("data.split") is None
    assert facts.rows == {"train": 16, "validation": 16, "test": 16}


def test_a_first_recipe_for_a_table_of_images(tmp_path: Path) -> None:
    for number in range(30):
        write_image(tmp_path / "photos" / f"{number}.jpg", number, size=(20, 20))
    lines = [f"{number},photos/{number}.jpg,{'ab'[number % 2]},{number * 0.37}" for number in range(30)]
    (tmp_path / "t.csv").write_text("\n".join(["id,photo,label,weight", *lines]))
    document, facts = checked(first_recipe(tmp_path / "t.csv", "label"), tmp_path)
    assert document.get("data.source.features") == ["photo"]
    assert (document.get("data.columns.photo"), facts.shape) == ("image", (3, 20, 20))


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ("source: {type: ImageFolder, path: pets}", "data.source"),
        ("source: {type: ImageFolder, path: pets, size: 0}", "data.source.size"),
        ("source: {type: ImageFolder, path: pets, size: [8]}", "data.source.size"),
        ("source: {type: ImageFolder, path: pets, size: 8, channels: 2}", "data.source.channels"),
        ("source: {type: ImageFolder, path: pets, size: 8}, reshape: [8, 8]", "data.reshape"),
        ("source: {type: CSV, path: t.csv, target: y, channels: 3}, columns: {f: image}", "data.source.size"),
        ("source: {type: CSV, path: t.csv, target: y, size: 8}, columns: {f: image}", "data.source.channels"),
        ("source: {type: CSV, path: t.csv, target: y, size: 8}", "data.source.size"),
        ("source: {type: NPZ, path: t.npz}, columns: {f: image}", "data.columns.f"),
    ],
)
def test_problems_of_form(data: str, path: str) -> None:
    catalog.load()
    text = f"data: {{{data}}}\nmodel: {{layers: [Flatten, {{type: Linear, out_features: 2}}]}}\noptimizer: Adam\n"
    assert path in {problem.path for problem in check(Document.from_text(text)).problems}
