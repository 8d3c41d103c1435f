"""From a recipe's data section to arrays: read, choose columns, split, fit on the training part, encode, report.

The order is fixed, so that a short script can repeat it: rows with missing cells are dropped (where the recipe says
so), the rest are split, statistics are fitted on the whole training part, and `data.limit` then keeps a choice of
its rows (so a limited run has the same inputs and widths as a full one).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data import features, images, split, target
from engine.data.choose import Roles, choose
from engine.data.column import Column, number_column
from engine.data.errors import DataError as DataError
from engine.data.prepared import Fitted, Part, Prepared, Scaling
from engine.data.report import report
from engine.data.rows import Rows
from engine.data.sources import load
from engine.recipe.schema import Recipe

Progress = Callable[[str, int, int | None], None]
Array = npt.NDArray[Any]
PARTS = ("train", "validation", "test")


class Usable:
    """Rows of one file that can be used: those without a missing cell, or all where cells are filled."""

    def __init__(
        self, rows: Rows, roles: Roles, image: bool, bytes_: bool, missing: str, path: str, where: str
    ) -> None:
        self.path, self.where = path, where
        self.targets = [_column(rows, name, path, where) for name in roles.targets]
        self.columns = [] if image else features.pick(rows, roles.features, path, where)
        self.x = rows.x if image else None
        gone = features.missing_rows(self.targets, rows.n)
        if gone.any() and missing != "drop":
            first = int(gone.argmax())
            raise DataError(
                f"{where}the target is empty in {int(gone.sum())} rows, first in row {first} (from 0)",
                "a row without its target teaches nothing: remove these rows, or set data.missing: drop",
                "data.missing" if not where else path,
            )
        if missing in ("error", "drop"):
            gone |= self._missing(rows, missing)
        if self.x is not None and self.x.dtype.kind == "f" and missing != "drop":
            self._refuse_holes()
        self.rows = np.flatnonzero(~gone).astype(np.int64)
        """Row numbers in the file."""
        if not len(self.rows):
            raise DataError(
                f"{where}no row is without a missing cell", "fill them: data.missing: median", "data.missing"
            )
        self.targets = [column.take(self.rows) for column in self.targets]
        self.columns = [column.take(self.rows) for column in self.columns]
        if bytes_:
            self.columns = [Column(c.name, c.cells, _bytes(c.number)) for c in self.columns]
        if self.x is not None:
            self.x = self.x[self.rows]

    def _missing(self, rows: Rows, missing: str) -> npt.NDArray[np.bool_]:
        if self.x is not None:
            if self.x.dtype.kind != "f":
                return np.zeros(rows.n, dtype=bool)
            return np.asarray(~np.isfinite(self.x.reshape(rows.n, -1)).all(axis=1))
        gone = features.missing_rows(self.columns, rows.n)
        if missing == "error" and gone.any():
            holes = {column.name: int(column.missing().sum()) for column in self.columns}
            worst = max(holes, key=lambda name: holes[name])
            first = int(next(c for c in self.columns if c.name == worst).missing().argmax())
            raise DataError(
                f"{self.where}{int(gone.sum())} rows have missing cells: column '{worst}' has {holes[worst]}, "
                f"first in row {first} (from 0)",
                "choose data.missing: median or mean (fill them), or drop (leave such rows out)",
                "data.missing",
            )
        return gone

    def _refuse_holes(self) -> None:
        assert self.x is not None
        bad = ~np.isfinite(self.x.reshape(len(self.x), -1)).all(axis=1)
        if bad.any():
            raise DataError(
                f"{self.where}{int(bad.sum())} samples hold NaN or infinite values, first row {int(bad.argmax())}",
                "mend them, or set data.missing: drop",
                "data.missing",
            )


def _bytes(values: Array | None) -> Array | None:
    return None if values is None else values / 255


def _column(rows: Rows, name: str, path: str, where: str) -> Column:
    if name not in rows.columns:
        raise DataError(f"{where}there is no target column '{name}'", f"columns: {list(rows.columns)[:20]}", path)
    return rows.columns[name]


def as_table(rows: Rows) -> Rows:
    """A flat array as a table of number columns."""
    assert rows.x is not None
    names = rows.names or [f"x{index}" for index in range(rows.x.shape[1])]
    columns = {name: number_column(name, rows.x[:, index]) for index, name in enumerate(names)}
    return Rows(rows.label, rows.n, columns | rows.columns, None, names, rows.targets)


def arrange(rows: Rows, reshape: list[int] | None) -> Rows:
    """An array source in the shape that the recipe asks for: images stay an array, flat rows become a table."""
    if rows.x is None:
        return rows
    x = images.view(rows.x, reshape)
    names = rows.names if x.ndim == 2 and x.shape == rows.x.shape else []
    shaped = Rows(rows.label, rows.n, rows.columns, x, names, rows.targets)
    return as_table(shaped) if x.ndim == 2 else shaped


def prepare(recipe: Recipe, base: Path, progress: Progress | None = None) -> Prepared:
    """Read and prepare the data of a recipe; relative paths are relative to `base`. Raises DataError."""
    tell = progress or (lambda stage, done, total: None)
    data = recipe.data
    tell("loading", 0, None)
    loaded = load(data, base)
    is_bytes = loaded.main.x is not None and loaded.main.x.dtype == np.uint8
    main = arrange(loaded.main, data.reshape)
    others = {name: arrange(rows, data.reshape) for name, rows in loaded.parts.items()}
    image = main.x is not None
    roles = _roles(main, data)
    usable = {"main": Usable(main, roles, image, is_bytes, data.missing, "data.source", "")}
    for name, rows in others.items():
        _same_kind(main, rows, name)
        path = (
            f"data.split.{name}.path" if not isinstance(getattr(data.split, name), int | float) else "data.source.path"
        )
        where = f"{rows.label} ({name}): "
        usable[name] = Usable(rows, roles, image, is_bytes, data.missing, path, where)

    goal = target.decide(usable["main"].targets, recipe.task, dict(data.columns))
    codes = None
    if goal["kind"] in ("classes", "onehot"):
        codes = target.encode(goal, usable["main"].targets).reshape(-1).astype(np.int64)
    parts = _split(data, main, usable["main"], set(others), codes, goal)
    goal = target.fit_scale(goal, usable["main"].targets, parts["train"], data.target_scale)

    tell("preparing", 0, None)
    scaling: Scaling | None = None
    fits: list[features.Fit] = []
    if image:
        assert usable["main"].x is not None
        shape = tuple(usable["main"].x.shape[1:])
        scaling = images.fit(images.raw(usable["main"].x[parts["train"]]), data.normalize)
    else:
        wide = data.reshape is not None and len(data.reshape) > 1
        fits = features.fit(
            usable["main"].columns, roles.features, parts["train"], data.missing, "none" if wide else data.normalize
        )
        shape = (features.width(fits),)

    def encode(source: Usable, rows: Array) -> Part:
        y = target.encode(goal, [c.take(rows) for c in source.targets], source.where, source.path)
        if source.x is not None:
            return Part(images.raw(source.x[rows]), y, source.rows[rows])
        x: Array = features.encode([c.take(rows) for c in source.columns], fits)
        if data.reshape is not None:
            x = images.view(x, data.reshape)
        return Part(x, y, source.rows[rows])

    encoded = {name: encode(usable["main"], parts[name]) for name in PARTS if name not in others and name in parts}
    for name in others:
        encoded[name] = encode(usable[name], np.arange(len(usable[name].rows)))
    if not image and data.reshape is not None:
        shape = tuple(data.reshape)
        if len(shape) > 1:
            if any(kind == "category" for _, kind in roles.features):
                raise DataError(
                    "rows with categories cannot be viewed as images", "use number columns alone", "data.reshape"
                )
            scaling = images.fit(encoded["train"].x, data.normalize)
    fitted_train = encoded["train"]
    if data.limit is not None:
        kept = split.limited(
            None if codes is None else codes[parts["train"]], len(fitted_train.rows), data.limit, data.split.seed
        )
        encoded["train"] = Part(fitted_train.x[kept], fitted_train.y[kept], fitted_train.rows[kept])
    state = {
        "version": 1,
        "task": goal["task"],
        "shape": list(shape),
        "outputs": goal["outputs"],
        "missing": data.missing,
        "reshape": data.reshape,
        "bytes": is_bytes,
        "images": image,
        "array_names": main.names,
        "features": fits,
        "target": goal,
        "scaling": None
        if scaling is None
        else {"scale": scaling.scale, "mean": list(scaling.mean), "std": list(scaling.std)},
    }
    facts = report(recipe, main, others, roles, goal, encoded, loaded.sha256, split_sha256(encoded), shape)
    return Prepared(
        encoded["train"],
        encoded["validation"],
        encoded["test"] if len(encoded.get("test", fitted_train).rows) and "test" in encoded else None,
        facts,
        Fitted(state),
        scaling,
    )


def _roles(main: Rows, data: Any) -> Roles:
    if main.x is not None:
        if data.columns:
            raise DataError("images have no columns to declare", "remove data.columns", "data.columns")
        return Roles(main.targets, [], {}, {})
    wanted = main.targets or data.source.target
    return choose(main.columns, [wanted] if isinstance(wanted, str) else list(wanted), data)


def _same_kind(main: Rows, other: Rows, part: str) -> None:
    if main.x is None or other.x is None:
        return
    if main.x.shape[1:] != other.x.shape[1:] or main.x.dtype != other.x.dtype:
        raise DataError(
            f"the {part} samples are {other.x.shape[1:]} {other.x.dtype}, "
            f"but the training samples are {main.x.shape[1:]} {main.x.dtype}",
            "save both parts with the same shape and type",
            "data.source.path",
        )


def _split(data: Any, main: Rows, usable: Usable, own: set[str], codes: Array | None, goal: dict[str, Any]) -> Any:
    wanted = [name for name in (data.split.group, data.split.time, data.split.column) if name is not None]
    if wanted and main.x is not None:
        raise DataError("an array source has no columns to split by", "split by shares", "data.split")
    columns = {name: main.columns[name].take(usable.rows) for name in wanted}
    if data.split.stratify and codes is not None:
        sizes = np.bincount(codes, minlength=len(goal["classes"])).tolist()
        shares = [getattr(data.split, name) for name in ("validation", "test") if name not in own]
        error = split.too_small(dict(zip(goal["classes"], sizes, strict=True)), 1 + sum(1 for share in shares if share))
        if error is not None:
            raise error
    parts = split.divide(data.split, len(usable.rows), own, columns, codes)
    for name in PARTS:
        asked = name == "train" or (name not in own and (data.split.column or getattr(data.split, name)))
        if name == "test" and data.split.column:
            continue
        if asked and not len(parts.get(name, ())):
            raise DataError(
                f"the {name} part is empty ({len(usable.rows)} rows in all)",
                "change data.split: other shares, another seed, or another column",
                "data.split",
            )
    if codes is not None:
        seen = set(codes[parts["train"]].tolist())
        lost = [name for code, name in enumerate(goal["classes"]) if code not in seen]
        if lost:
            raise DataError(
                f"no training row has class {', '.join(map(repr, lost[:8]))}, but other parts do",
                "use data.split.stratify: true, another seed, or leave such rows out",
                "data.split",
            )
    return parts


def split_sha256(parts: dict[str, Part]) -> str:
    """Fingerprint of the split: sha256 over each part's name and row numbers (int64, little-endian)."""
    digest = hashlib.sha256()
    for name in PARTS:
        digest.update(name.encode())
        if name in parts:
            digest.update(parts[name].rows.astype("<i8").tobytes())
    return digest.hexdigest()
