"""A first recipe for data that somebody brings: `goodfit new DATA`, `goodfit DATA`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.data.choose import nearest
from engine.data.column import Column, infer
from engine.data.draft import Draft
from engine.data.errors import DataError, listing
from engine.data.facts import Facts
from engine.data.notes import looks_like_id
from engine.data.pixels.folder import ENDS, list_classes, more_than_one_class, parts_of
from engine.data.prepare import prepare
from engine.data.read_arrays import array_rows, read_npy, read_npz
from engine.data.rows import Rows
from engine.data.sources import CLASS, FILE, TABLES, class_rows, read_bytes
from engine.parts.source import Source
from engine.recipe.schema import Data, Model, Recipe, Split

SOURCES = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "CSV"),
    **dict.fromkeys((".parquet", ".pq"), "Parquet"),
    ".npz": "NPZ",
    ".npy": "NPY",
}
USUAL = (
    *("target", "label", "labels", "class", "classes", "outcome", "response", "diagnosis", "species", "survived"),
    *("quality", "status", "churn", "default", "price", "category", "type", "result", "score", "rating", "medv"),
    *("salary", "income", "y"),
)
"""Names that targets often have."""
REASONS = {
    "id_like": "an id, by its looks",
    "empty": "empty",
    "text_ignored": "text with too many different values",
    "mostly_missing": "mostly empty",
    "constant": "one value only",
}
"""Why a column is left out, by the kind of note about it (`engine.data.notes`)."""


@dataclass(frozen=True)
class Found:
    """A file that a recipe could be about."""

    kind: str
    """The source's type: CSV, Parquet, NPZ, NPY or ImageFolder."""
    rows: Rows
    x_name: str = "x"
    """Arrays: the name, or the file, of the features."""
    y_names: tuple[str, ...] = ()
    """Arrays: the names, or the files, that could be the target."""
    image: str | None = None
    """The column that holds the paths of images."""
    own: tuple[str, ...] = ()
    """Parts that have a folder of their own."""


def columns(data_path: Path) -> list[dict[str, Any]]:
    """What could be predicted from a file: the likeliest column first, the others in the file's order.

    Each is `{name, type, example, unique, missing}`, type number | category | ignore (free text, ids, empty). For an
    NPZ or NPY file they are its arrays of targets. Raises DataError.
    """
    found = _open(data_path)
    if found.kind == "ImageFolder":
        return [_about(CLASS, found.rows.columns[CLASS])]
    if found.kind in ("NPZ", "NPY"):
        names = found.y_names
        held = {name: next(iter(found.rows.columns.values())) for name in names[:1]} if found.rows.columns else {}
        return [_about(name, held.get(name)) for name in names]
    names = tuple(found.rows.columns)
    likely = guess(found.rows.columns)
    return [_about(name, found.rows.columns[name]) for name in (likely, *(n for n in names if n != likely))]


def _about(name: str, column: Column | None) -> dict[str, Any]:
    if column is None:
        return {"name": name, "type": "number", "example": "", "unique": None, "missing": 0}
    missing = column.missing()
    first = column.take(np.flatnonzero(~missing)[:1]).texts()
    kind = "ignore" if looks_like_id(column) else infer(column)
    example = (first[0] or "")[:40] if first else ""
    holes = int(missing.sum())
    return {"name": name, "type": kind, "example": example, "unique": column.distinct(), "missing": holes}


def guess(table: dict[str, Column]) -> str:
    """The column that is probably the target: one with a usual name, else the last that could be one."""
    able = [name for name, column in table.items() if infer(column) != "ignore" and not looks_like_id(column)]
    for usual in USUAL:
        for name in able:
            if re.sub(r"[\W_]+", "", name.lower()) == usual:
                return name
    return able[-1] if able else list(table)[-1]


def _open(data_path: Path) -> Found:
    if data_path.is_dir():
        return _open_folder(data_path)
    kind = SOURCES.get(data_path.suffix.lower())
    if kind is None:
        ends = ", ".join(SOURCES)
        hint = f"it reads files that end in {ends}, and folders of images with a subfolder a class"
        raise DataError(f"{data_path.name} is no data that goodfit reads", hint, "data")
    content, path = read_bytes(Path(), str(data_path), "data.source.path")
    assert kind is not None
    if kind in TABLES:
        table = TABLES[kind](content, path, "data.source.path")
        if len(table) < 2:
            raise DataError(
                f"{path.name} has a single column", "a model needs something to predict from", "data.source.path"
            )
        rows = Rows(path.name, len(next(iter(table.values()))), table, root=path.parent)
        return Found(kind, rows, image=_image_column(rows))
    return _open_npz(content, path) if kind == "NPZ" else _open_npy(content, path)


def _open_folder(root: Path) -> Found:
    key = "data.source.path"
    folders = parts_of(root, key)
    train = folders.get("train", root)
    listed = list_classes(train, key)
    more_than_one_class(listed, train, key)
    own = tuple(part for part in folders if part != "train")
    rows = class_rows(listed, train)
    return Found("ImageFolder", Rows(root.name, rows.n, rows.columns, None, [], [CLASS], train, listed), FILE, own=own)


def _image_column(rows: Rows) -> str | None:
    """The first column whose texts end as the names of images do, if the first of these is there."""
    assert rows.root is not None
    first = np.arange(min(1000, rows.n))
    for name, column in rows.columns.items():
        texts = [text for text in column.take(first).texts() if text] if column.number is None else []
        named = [text for text in texts if Path(text).suffix.lower() in ENDS]
        if texts and len(named) >= 0.9 * len(texts) and (rows.root / named[0]).is_file():
            return name
    return None


def _open_npz(content: bytes, path: Path) -> Found:
    arrays = read_npz(content, path, "data.source.path")
    stems = {re.sub(r"_train$", "", name): name for name in arrays if not re.search(r"_(val|test)$", name)}
    if not stems:
        raise DataError(f"{path.name} holds no arrays", "save x and y in it", "data.source.path")
    usual = [name for name in ("x", "X", "features", "data", "images") if name in stems]
    x_name = usual[0] if usual else max(stems, key=lambda name: arrays[stems[name]].size)
    x = arrays[stems[x_name]]
    rest = [name for name in stems if name != x_name and len(arrays[stems[name]].shape) in (1, 2)]
    rest = [name for name in rest if arrays[stems[name]].shape[:1] == x.shape[:1]]
    rest.sort(key=lambda name: name.lower() not in ("y", "target", "targets", "label", "labels"))
    if not rest:
        raise DataError(f"{path.name} has no array that could be the target of '{x_name}'", "add y", "data.source.path")
    rows = array_rows(x, arrays[stems[rest[0]]], path.name, (x_name, rest[0]), "data.source.path")
    return Found("NPZ", rows, x_name, tuple(rest))


def _open_npy(content: bytes, path: Path) -> Found:
    folder = path.parent
    others = sorted(p.name for p in folder.glob("*.npy") if p.name != path.name)
    swaps = (("x", "y"), ("X", "y"), ("features", "target"), ("features", "labels"), ("images", "labels"))
    likely = [path.stem.replace(a, b) + ".npy" for a, b in swaps if a in path.stem]
    y_name = next((name for name in likely if name in others), others[0] if len(others) == 1 else None)
    if y_name is None:
        raise DataError(
            f"{path.name} holds features, but no file beside it looks like their targets",
            "save the targets as y.npy in the same folder, or both arrays in one NPZ file",
            "data.source.target",
        )
    x = read_npy(content, path, "data.source.features")
    y = read_npy((folder / y_name).read_bytes(), folder / y_name, "data.source.target")
    return Found("NPY", array_rows(x, y, path.name, ("x", "y"), "data.source.features"), path.name, (y_name,))


def first_recipe(
    data_path: Path,
    target: str | list[str] | None = None,
    folder: Path | None = None,
    name: str | None = None,
) -> str:
    """YAML of a first recipe for a file: sensible choices, each with its reason as a comment.

    `target` is the column (or columns; for arrays the array) to predict, by default the likeliest of `columns`;
    `folder` the one that the recipe will stand in, by default the file's; `name` the recipe's, by default the file's.
    Raises DataError.
    """
    found = _open(data_path)
    folder = folder or data_path.parent
    source = _source(found, path_from(folder, data_path), target)
    data = {"source": source, "missing": "error", "split": {}}
    reasons: dict[str, str] = {}
    if found.image is not None and found.kind in TABLES:
        data["columns"], reasons = {found.image: "image"}, {found.image: "paths of images, from this table's folder"}
    data["missing"] = _missing(found, source)
    facts = _facts(data, folder.absolute(), reasons)
    return Draft(found.rows.label, found.rows.n, data, facts, reasons, found.own).text(name or data_path.stem)


def path_from(folder: Path, file: Path) -> str:
    """A file's path as a recipe in `folder` names it: relative where it is in that folder or below, else absolute."""
    real = file.parent.resolve() / file.name
    for start, end in ((folder.absolute(), file.absolute()), (folder.resolve(), real)):
        if end.is_relative_to(start):
            return end.relative_to(start).as_posix()
    return str(real)


def _source(found: Found, path: str, target: str | list[str] | None) -> dict[str, Any]:
    if found.kind in TABLES:
        wanted = target or guess(found.rows.columns)
        for name in [wanted] if isinstance(wanted, str) else wanted:
            if name not in found.rows.columns:
                raise DataError(
                    f"there is no column '{name}'", nearest(name, list(found.rows.columns)), "data.source.target"
                )
        table = {"type": found.kind, "path": path, "target": wanted}
        if found.image is not None and found.image not in wanted:
            table |= {"features": [found.image], **_size(found, found.image)}
        return table
    if found.kind == "ImageFolder":
        if target not in (None, CLASS, [CLASS]):
            hint = "a folder of images says the class alone; a CSV file with a column of paths can say more"
            raise DataError(f"there is no column {target!r}", hint, "data.source.target")
        return {"type": found.kind, "path": path, **_size(found, FILE)}
    chosen = target or found.y_names[0]
    if not isinstance(chosen, str) or chosen not in found.y_names:
        hint = f"the arrays are: {listing(list(found.y_names))}"
        raise DataError(f"there is no target array {chosen!r}", hint, "data.source.target")
    if found.kind == "NPZ":
        return {"type": "NPZ", "path": path, "features": found.x_name, "target": chosen}
    return {"type": "NPY", "features": path, "target": str(Path(path).parent / chosen)}


def _size(found: Found, column: str) -> dict[str, Any]:
    """`size` and `channels` that suit the images."""
    from engine.data.pixels.first_size import first_size

    assert found.rows.root is not None
    texts = [found.rows.root / text for text in found.rows.columns[column].texts() if text]
    size, channels = first_size(texts)
    return {"size": size, "channels": channels}


def _missing(found: Found, source: dict[str, Any]) -> str:
    """`drop` where the target has holes (no policy fills those), `median` where features have, else `error`."""
    wanted = source["target"] if found.kind in TABLES else found.rows.targets
    wanted = [wanted] if isinstance(wanted, str) else wanted
    table = found.rows.columns
    if any(table[name].missing().any() for name in wanted if name in table):
        return "drop"
    if found.image is not None:
        return "drop" if table[found.image].missing().any() else "error"
    if found.rows.x is not None:
        x = found.rows.x
        return "error" if x.dtype.kind != "f" or np.isfinite(x).all() else "drop" if x.ndim > 2 else "median"
    used = [column for name, column in table.items() if name not in wanted and infer(column) != "ignore"]
    return "median" if any(column.missing().any() for column in used) else "error"


def _facts(data: dict[str, Any], folder: Path, reasons: dict[str, str]) -> Facts:
    """Facts of the data section so far: ids and the like are taken out, and groups kept together, in `data`; `reasons`
    take up why."""
    for _ in range(3):
        facts = prepare(_recipe(data), folder).facts
        changed = False
        for note in facts.warnings:
            if note["kind"] in REASONS and (note["kind"] != "constant" or note["severity"] == "warning"):
                for name in note["columns"]:
                    if name not in data.setdefault("columns", {}):
                        data["columns"][name] = "ignore"
                        reasons[name] = REASONS[note["kind"]]
                        changed = True
            if note["kind"] == "straddling_groups" and not data["split"]:
                data["split"] = {"group": note["columns"][0]}
                changed = True
        if not changed:
            break
    return facts


def _recipe(data: dict[str, Any]) -> Recipe:
    from engine.parts import catalog, part

    catalog.load()
    source = dict(data["source"])
    cls = part.find("source", source.pop("type"))
    assert cls is not None and issubclass(cls, Source)
    section = Data(
        source=cls(**source), columns=data.get("columns", {}), missing=data["missing"], split=Split(**data["split"])
    )
    return Recipe.model_construct(task=None, data=section, model=Model.model_construct(layers=[]), loss=None)
