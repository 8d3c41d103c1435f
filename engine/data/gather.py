"""Everything that is decided before anything is fitted: the rows, the columns' roles, the target, the split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data import images, split, target
from engine.data.choose import Roles, choose
from engine.data.column import number_column
from engine.data.errors import DataError, listing
from engine.data.pixels.read import Progress, Size, read_images, size_of
from engine.data.rows import Rows
from engine.data.source_files import is_share
from engine.data.sources import FILE, load
from engine.data.usable import Usable, usable
from engine.recipe.paths import child

Array = npt.NDArray[Any]
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Gathered:
    """A recipe's rows, shared out."""

    main: Rows
    """The source as read."""
    usable: dict[str, Usable]
    """By `main`, and `validation` and `test` where they have files or arrays of their own."""
    roles: Roles
    goal: dict[str, Any]
    """The target (`engine.data.target.decide`)."""
    codes: npt.NDArray[np.int64] | None
    """Class of each usable row of the source; None where the target holds no classes."""
    parts: dict[str, tuple[Usable, npt.NDArray[np.int64]]]
    """By train, validation and test: the rows, and which of them."""
    others: dict[str, Rows]
    """Rows of the parts that have files or arrays of their own, as read."""
    is_bytes: bool
    array_keys: list[str | None]
    """Names of an archive's arrays of features and targets."""
    sha256: str
    size: Size | None = None
    """Of the images that a table or a folder names."""

    @property
    def pictures(self) -> bool:
        """Whether samples are images as they are read, not rows of a table."""
        return self.usable["main"].x is not None


def silent(stage: str, done: int, total: int | None) -> None:
    """Tells nobody how far the work has come."""


def gather(data: Any, task: str | None, base: Path, tell: Progress = silent) -> Gathered:
    """Read a recipe's data section and decide. Raises DataError."""
    loaded = load(data, base)
    is_bytes = loaded.main.x is not None and loaded.main.x.dtype == np.uint8
    main = arrange(loaded.main, data.reshape)
    roles = _roles(main, data)
    found = {"main": usable(main, roles.features, roles.targets, missing=data.missing, is_bytes=is_bytes)}
    others = {}
    for name, rows in loaded.parts.items():
        _same_kind(loaded.main, rows, name)
        others[name] = arrange(rows, data.reshape)
        is_file = not is_share(getattr(data.split, name))
        found[name] = usable(
            others[name],
            roles.features,
            roles.targets,
            missing=data.missing,
            is_bytes=is_bytes,
            path=f"data.split.{name}.path" if is_file else "data.source.path",
            where=f"{rows.label} ({name}): ",
        )
    size, sha256 = None, loaded.sha256
    if roles.image is not None:
        if data.reshape:
            raise DataError("images have their shape by data.source.size", "remove data.reshape", "data.reshape")
        size, is_bytes = size_of(data.source), True
        every = {"main": main, **others}
        key = "data.source.path" if main.listed is not None else child("data.columns", roles.image)
        for name in found:
            path = key if name == "main" or main.listed is None else found[name].path
            found[name], images_sha256 = with_images(found[name], every[name], size, tell, path)
            sha256 = hashlib.sha256(f"{sha256}\n{images_sha256}\n".encode()).hexdigest()
    goal = target.decide(found["main"].targets, task, data.columns)
    codes = None
    if goal["kind"] in ("classes", "onehot"):
        codes = target.encode(goal, found["main"].targets).reshape(-1).astype(np.int64)
    shares = _split(data.split, main, found, codes, goal["classes"])
    parts = {name: (found["main"], shares[name]) for name in PARTS if name in shares and name not in found}
    parts |= {name: (found[name], np.arange(len(found[name].rows))) for name in PARTS if name in found}
    keys = [data.source.features, data.source.target] if type(data.source).type_name() == "NPZ" else [None, None]
    return Gathered(main, found, roles, goal, codes, parts, others, is_bytes, keys, sha256, size)


def with_images(found: Usable, rows: Rows, size: Size, tell: Progress, key: str) -> tuple[Usable, str]:
    """The rows with the images that their one feature column names, and the images' sha256. Raises DataError."""
    assert rows.root is not None
    names = [str(name) for name in found.columns[0].texts()]
    x, sha256 = read_images(rows.root, names, size, tell, key)
    return replace(found, columns=[], x=x), sha256


def arrange(rows: Rows, reshape: list[int] | None) -> Rows:
    """An array source in the shape that the recipe asks for: pictures stay an array, flat rows become a table."""
    if rows.x is None:
        return rows
    x = images.view(rows.x, reshape)
    if x.ndim > 2:
        return Rows(rows.label, rows.n, rows.columns, x, [], rows.targets)
    names = rows.names if x.shape == rows.x.shape and rows.names else [f"x{index}" for index in range(x.shape[1])]
    columns = {name: number_column(name, x[:, index]) for index, name in enumerate(names)}
    return Rows(rows.label, rows.n, columns | rows.columns, None, names, rows.targets)


def _roles(main: Rows, data: Any) -> Roles:
    if main.x is not None:
        if data.columns:
            raise DataError("images have no columns to declare", "remove data.columns", "data.columns")
        return Roles(main.targets, [], {}, {})
    wanted = main.targets or data.source.target
    image = FILE if main.listed is not None else None
    return choose(main.columns, [wanted] if isinstance(wanted, str) else list(wanted), data, image)


def _same_kind(main: Rows, other: Rows, part: str) -> None:
    if main.x is None or other.x is None:
        return
    if main.x.shape[1:] != other.x.shape[1:] or (main.x.dtype == np.uint8) != (other.x.dtype == np.uint8):
        raise DataError(
            f"the {part} samples are {other.x.shape[1:]} {other.x.dtype}, "
            f"but the training samples are {main.x.shape[1:]} {main.x.dtype}",
            "save both parts with the same shape and type",
            "data.source.path",
        )


def _split(
    wanted: Any, main: Rows, found: dict[str, Usable], codes: Array | None, classes: list[str]
) -> dict[str, npt.NDArray[np.int64]]:
    """Positions among the usable rows of the source, by part; checked to be non-empty and to teach every class."""
    rows, own = found["main"].rows, set(found) - {"main"}
    named = {name: getattr(wanted, name) for name in ("group", "time", "column") if getattr(wanted, name) is not None}
    if named and main.x is not None:
        raise DataError("images have no column to split by", "split by shares", f"data.split.{next(iter(named))}")
    if "column" in named and own:
        raise DataError(
            f"the {listing(sorted(own))} part has a file of its own: a split column cannot say it too",
            "remove one of the two",
            "data.split.column",
        )
    columns = {name: main.columns[name].take(rows) for name in named.values()}
    if wanted.stratify and codes is not None and not named:
        sizes = dict(zip(classes, np.bincount(codes, minlength=len(classes)).tolist(), strict=True))
        shares = [getattr(wanted, name) for name in ("validation", "test") if name not in own]
        split.check_sizes(sizes, 1 + sum(1 for share in shares if share))
    parts = split.divide(wanted, len(rows), own, columns, codes)
    for name in PARTS:
        asked = name == "train" or (name == "validation" and "column" in named)
        asked = asked or (name not in own and "column" not in named and getattr(wanted, name) > 0)
        if asked and not len(parts.get(name, ())):
            raise DataError(
                f"the {name} part is empty: there are only {len(rows)} rows"
                if "column" not in named
                else f"column '{wanted.column}' says '{name}' in no row",
                "change data.split: other shares, another seed, or another column",
                "data.split.column" if "column" in named else "data.split",
            )
    if codes is not None:
        seen = set(codes[parts["train"]].tolist())
        lost = [repr(name) for code, name in enumerate(classes) if code not in seen]
        if lost:
            raise DataError(
                f"no training row is of class {listing(lost)}, but rows of other parts are",
                "set data.split.stratify: true, or another seed, or leave such rows out",
                "data.split",
            )
    return parts
