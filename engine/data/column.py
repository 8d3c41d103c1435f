"""One column of a table as it was read: its texts, its numbers where every cell is one, and which type that makes it.

An empty cell, and a cell that holds one of the words in `EMPTY`, is missing. Cells lose white space at both ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data.errors import DataError

EMPTY = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "-nan", "NULL", "null", "None", "?")
"""Cells that count as missing."""
HUGE = 1e37
"""Numbers are refused beyond this: float32 ends at 3.4e38."""
BLANKS = " \t\r\n\v\f\u00a0"
"""White space that cells lose at both ends."""
MOST_LEVELS = 100
"""A text column with more distinct values than this is free text or an id: ignored unless it is declared a category."""
FEW = 20_000
"""Up to so many cells of text are looked at one by one: polars' threads take longer to wake."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """A column. `cells` is a polars series of text (null: missing), or None where the file held numbers."""

    name: str
    cells: Any
    number: Numbers | None
    """(N,) NaN where missing; None where some cell is not a number."""

    def __len__(self) -> int:
        return len(self.number) if self.number is not None else len(self.cells)

    def texts(self) -> list[str | None]:
        """Every cell as text, None where missing; numbers in their shortest form (`7`, `0.25`)."""
        if self.cells is not None:
            found: list[str | None] = self.cells.to_list()
            return found
        assert self.number is not None
        return [None if math.isnan(value) else plain_number(value) for value in self.number.tolist()]

    def levels(self) -> list[str]:
        """The distinct texts, in no order; missing cells left out."""
        if self.cells is not None:
            if len(self.cells) <= FEW:
                return [text for text in set(self.cells.to_list()) if text is not None]
            found: list[str] = self.cells.drop_nulls().unique().to_list()
            return found
        assert self.number is not None
        return [plain_number(value) for value in np.unique(self.number[~np.isnan(self.number)]).tolist()]

    def codes(self, names: Sequence[str]) -> npt.NDArray[np.int64]:
        """(N,) place of each cell's text in `names`, -1 for others and for missing cells."""
        if self.cells is not None:
            if len(self.cells) <= FEW:
                known_text = {name: index for index, name in enumerate(names)}
                return np.array([known_text.get(text, -1) for text in self.cells.to_list()], np.int64)
            import polars as pl

            places = list(range(len(names)))
            kind = pl.Int64
            coded = self.cells.replace_strict(list(names), places, default=-1, return_dtype=kind).fill_null(-1)
            found: npt.NDArray[np.int64] = coded.to_numpy()
            return found
        assert self.number is not None
        values, inverse = np.unique(self.number, return_inverse=True)
        place = {name: index for index, name in enumerate(names)}
        known = [-1 if math.isnan(value) else place.get(plain_number(value), -1) for value in values.tolist()]
        return np.array(known, dtype=np.int64)[inverse]

    def distinct(self) -> int:
        """How many different values there are, missing cells left out."""
        if self.number is not None:
            return distinct(self.number[~np.isnan(self.number)])
        return int(self.cells.drop_nulls().n_unique())

    def missing(self) -> npt.NDArray[np.bool_]:
        """(N,) which cells are missing."""
        if self.number is not None:
            return np.isnan(self.number)
        found: npt.NDArray[np.bool_] = self.cells.is_null().to_numpy()
        return found

    def numbers(self, path: str, where: str = "") -> Numbers:
        """The cells as numbers. Raises DataError, naming the first row that holds something else or is infinite."""
        values = self.number
        if values is None:
            texts, read = self.texts(), _to_numbers(self.cells)
            wrong = [row for row, number in enumerate(read.tolist()) if math.isnan(number) and texts[row] is not None]
            if wrong:
                more = f", and {len(wrong) - 1} more rows hold others" if len(wrong) > 1 else ""
                raise DataError(
                    f"{where}column '{self.name}' should hold numbers, but row {wrong[0]} (from 0) holds "
                    f"{str(texts[wrong[0]])[:40]!r}{more}",
                    "correct the cell or leave it empty, or set the column's type under data.columns",
                    path,
                )
            values = np.full(len(self), np.nan)
        huge = np.abs(values) > HUGE
        if huge.any():
            raise DataError(
                f"{where}column '{self.name}' holds an infinite value, or one beyond {HUGE:g}, in row "
                f"{int(huge.argmax())} (from 0)",
                "replace it by a number, or leave the cell empty and choose data.missing",
                path,
            )
        return values

    def take(self, rows: npt.NDArray[np.int64]) -> Column:
        """The same column with only these rows."""
        return Column(
            self.name,
            None if self.cells is None else self.cells.gather(rows),
            None if self.number is None else self.number[rows],
        )


def text_column(name: str, cells: Any) -> Column:
    """A column from a polars series of text, blanks and words for 'missing' not yet taken out."""
    import polars as pl

    numbers = _to_numbers(cells)
    if len(cells) and not np.isnan(numbers).any():
        return Column(name, cells, numbers)
    stripped = cells.str.strip_chars(BLANKS)
    stripped = pl.select(pl.when(stripped.is_in(list(EMPTY))).then(None).otherwise(stripped)).to_series()
    numbers = _to_numbers(stripped)
    filled = len(stripped) - stripped.null_count()
    is_numeric = filled > 0 and int(np.isnan(numbers).sum()) == stripped.null_count()
    return Column(name, stripped, numbers if is_numeric else None)


def _to_numbers(cells: Any) -> Numbers:
    """Cells as numbers, NaN where they are none or missing."""
    import polars as pl

    found: Numbers = cells.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy().astype(np.float64)
    return found


def number_column(name: str, values: npt.NDArray[Any]) -> Column:
    """A column from numbers, NaN where missing."""
    return Column(name, None, np.asarray(values, dtype=np.float64))


def distinct(values: npt.NDArray[Any]) -> int:
    """How many different values there are. (numpy's own count hashes them, which is slower than sorting.)"""
    ordered = np.sort(values)
    return int((ordered[1:] != ordered[:-1]).sum()) + (len(ordered) > 0)


def is_number(text: str) -> bool:
    """Whether a cell reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def plain_number(value: float) -> str:
    """A number in its shortest form: whole numbers without a point, others as Python writes them."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e16 else repr(value)


def in_order(names: Iterable[str]) -> list[str]:
    """Distinct names sorted: as numbers where all of them are numbers, else by code point."""
    distinct = list(set(names))
    if all(is_number(name) for name in distinct):
        return sorted(distinct, key=lambda name: (float(name), name))
    return sorted(distinct)


def infer(column: Column) -> str:
    """`number`, `category` or `ignore` for a column that nobody declared.

    All numbers: number. Text with at most `MOST_LEVELS` distinct values, not all of them different: category. Free
    text, ids and empty columns: ignore.
    """
    if column.number is not None:
        return "ignore" if np.isnan(column.number).all() else "number"
    levels, filled = column.distinct(), len(column) - int(column.missing().sum())
    if levels == 0 or levels > MOST_LEVELS or (levels == filled and levels >= 20):
        return "ignore"
    return "category"
