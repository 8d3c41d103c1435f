"""Which rows are for training, validation and test. Plain numpy, so that a few lines of a script can repeat it.

Random splits draw one permutation, `np.random.default_rng(seed).permutation(n)`, and nothing else. Counts are
`int(n * share + 0.5)`, at least 1 where the share is above 0. Rows keep the source's order inside every part.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data.column import Column
from engine.data.errors import DataError, listing

Index = npt.NDArray[np.int64]
NAMES = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


def count(n: int, share: float) -> int:
    """Rows in a share of n."""
    return max(1, int(n * share + 0.5)) if share > 0 else 0


def at_random(n: int, validation: float, test: float, seed: int) -> dict[str, Index]:
    """The permutation's first rows are the test part, the next the validation part, the rest the training part."""
    order = np.random.default_rng(seed).permutation(n)
    n_test, n_validation = count(n, test), count(n, validation)
    return _sorted(order[n_test + n_validation :], order[n_test : n_test + n_validation], order[:n_test])


def quotas(sizes: list[int], total: int) -> list[int]:
    """Share `total` out by size, by largest remainder (the first wins a tie), leaving at least one of each size."""
    whole = sum(sizes)
    exact = [total * size / whole for size in sizes]
    found = [min(math.floor(value), max(0, size - 1)) for value, size in zip(exact, sizes, strict=True)]
    ranked = sorted(range(len(sizes)), key=lambda index: (found[index] - exact[index], index))
    while sum(found) < total:
        free = [index for index in ranked if found[index] < sizes[index] - 1]
        if not free:
            break
        for index in free[: total - sum(found)]:
            found[index] += 1
    return found


def by_class(codes: Index, validation: float, test: float, seed: int) -> dict[str, Index]:
    """Every class gives its quota of the test part, then of the validation part, in the permutation's order.

    A class always keeps at least one row for training.
    """
    order = np.random.default_rng(seed).permutation(len(codes))
    members = [order[codes[order] == code] for code in range(int(codes.max()) + 1)]
    members = [rows for rows in members if len(rows)]
    tests = quotas([len(rows) for rows in members], count(len(codes), test))
    left = [rows[taken:] for rows, taken in zip(members, tests, strict=True)]
    validations = quotas([len(rows) for rows in left], count(len(codes), validation))
    return _sorted(
        np.concatenate([rows[taken:] for rows, taken in zip(left, validations, strict=True)]),
        np.concatenate([rows[:taken] for rows, taken in zip(left, validations, strict=True)]),
        np.concatenate([rows[:taken] for rows, taken in zip(members, tests, strict=True)]),
    )


def by_group(groups: list[str], validation: float, test: float, seed: int) -> dict[str, Index]:
    """Whole groups: numbered by first appearance and permuted, they fill the test part until it has its rows, then the
    validation part; the rest is for training."""
    numbers = {name: index for index, name in enumerate(dict.fromkeys(groups))}
    codes = np.array([numbers[name] for name in groups], dtype=np.int64)
    sizes = np.bincount(codes)
    part_of = np.zeros(len(numbers), dtype=np.int64)
    wanted = [(2, count(len(codes), test)), (1, count(len(codes), validation))]
    for group in np.random.default_rng(seed).permutation(len(numbers)).tolist():
        while wanted and wanted[0][1] <= 0:
            wanted.pop(0)
        if not wanted:
            break
        part, open_rows = wanted[0]
        part_of[group] = part
        wanted[0] = (part, open_rows - int(sizes[group]))
    rows = part_of[codes]
    return _sorted(np.flatnonzero(rows == 0), np.flatnonzero(rows == 1), np.flatnonzero(rows == 2))


def by_time(column: Column, validation: float, test: float) -> dict[str, Index]:
    """The latest rows are the test part, those before them the validation part. Numbers are ordered as numbers, text
    by code point (so dates should be written year first); equal times keep the source's order."""
    if column.number is not None:
        order = np.argsort(column.number, kind="stable")
    else:
        texts = [text or "" for text in column.texts()]
        order = np.array(sorted(range(len(texts)), key=texts.__getitem__), dtype=np.int64)
    n = len(order)
    n_test, n_validation = count(n, test), count(n, validation)
    end = n - n_test
    return _sorted(order[: max(0, end - n_validation)], order[max(0, end - n_validation) : end], order[end:])


def by_column(column: Column) -> dict[str, Index]:
    """A column that says `train`, `validation` (or `val`) or `test` in every row."""
    texts = column.texts()
    for row, text in enumerate(texts):
        if (text or "").lower() not in NAMES:
            raise DataError(
                f"column '{column.name}' should say train, validation or test, but row {row} (from 0) says {text!r}",
                "correct the cell, or split by shares",
                "data.split.column",
            )
    parts = np.array([NAMES[(text or "").lower()] for text in texts])
    return {name: np.flatnonzero(parts == name).astype(np.int64) for name in ("train", "validation", "test")}


def limited(codes: Index | None, n: int, limit: int, seed: int) -> Index:
    """Positions of `limit` training rows out of n: the first of a permutation, of each class its quota.

    A class keeps at least one row where the limit allows it.
    """
    order = np.random.default_rng(seed).permutation(n)
    if limit >= n:
        return np.arange(n, dtype=np.int64)
    if codes is None:
        return np.sort(order[:limit]).astype(np.int64)
    members = [order[codes[order] == code] for code in range(int(codes.max()) + 1)]
    members = [rows for rows in members if len(rows)]
    left_out = quotas([len(rows) for rows in members], n - limit)
    kept = np.concatenate([rows[: len(rows) - out] for rows, out in zip(members, left_out, strict=True)])
    # Fewer rows than classes: every class kept its one row, so the permutation decides which of them stay.
    if len(kept) > limit:
        wanted = set(kept.tolist())
        kept = np.array([row for row in order.tolist() if row in wanted][:limit], dtype=np.int64)
    return np.sort(kept).astype(np.int64)


def _sorted(train: Index, validation: Index, test: Index) -> dict[str, Index]:
    parts = {"train": train, "validation": validation, "test": test}
    return {name: np.sort(rows).astype(np.int64) for name, rows in parts.items()}


def check_sizes(sizes: dict[str, int], parts: int) -> None:
    """Raises DataError where a class has fewer rows than there are parts to put them in."""
    small = [f"'{name}' ({size})" for name, size in sizes.items() if size < parts]
    if small:
        raise DataError(
            f"cannot stratify into {parts} parts: too few rows of class {listing(small)}",
            "leave such rows out, collect more, or remove data.split.stratify",
            "data.split.stratify",
        )


def divide(split: Any, n: int, own: set[str], columns: dict[str, Column], codes: Index | None) -> dict[str, Index]:
    """Rows 0..n-1 by part, after the recipe's `data.split`.

    `own` are the parts that have rows of their own (files, arrays): their shares count as 0 here. `columns` are those
    that the split names, `codes` the classes (None: nothing to stratify by). Raises DataError.
    """
    by = [name for name in ("group", "time", "column") if getattr(split, name) is not None]
    if len(by) > 1:
        raise DataError(f"a split is by {' or by '.join(by)}, not by both", f"remove one: {listing(by)}", "data.split")
    if by and split.stratify:
        raise DataError(
            f"a split by {by[0]} cannot be stratified too", "remove stratify, or set it to false", "data.split.stratify"
        )
    if split.stratify and codes is None:
        raise DataError("stratify needs classes", "remove stratify: the target holds no classes", "data.split.stratify")
    validation = 0.0 if "validation" in own else float(split.validation)
    test = 0.0 if "test" in own else float(split.test)
    if validation + test >= 1:
        raise DataError(
            f"validation {validation:g} and test {test:g} leave nothing for training", "lower them", "data.split"
        )
    if by == ["column"]:
        parts = by_column(columns[split.column])
        return {name: rows for name, rows in parts.items() if name not in own}
    if by == ["time"]:
        return by_time(columns[split.time], validation, test)
    if by == ["group"]:
        texts = columns[split.group].texts()
        if None in texts:
            row = texts.index(None)
            raise DataError(
                f"group column '{split.group}' is empty in row {row} (from 0)", "fill it in", "data.split.group"
            )
        return by_group([str(text) for text in texts], validation, test, split.seed)
    if codes is None or split.stratify is False:
        return at_random(n, validation, test, split.seed)
    return by_class(codes, validation, test, split.seed)
