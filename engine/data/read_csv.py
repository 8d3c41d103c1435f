"""CSV files, as Python's `csv` module reads them: comma, semicolon or tab; a header; UTF-8.

Blank lines are skipped. Where the file is plain, polars does the same work faster.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data.column import Column, text_column
from engine.data.errors import DataError, listing

Array = npt.NDArray[Any]
SEPARATORS = (",", ";", "\t")
MOST_COLUMNS = 20_000


def read_csv(data: bytes, path: Path, key: str) -> dict[str, Column]:
    """The columns of a CSV file, by name, in the file's order. Raises DataError."""
    text = _decode(data, path, key)
    first = text.lstrip("\r\n").split("\n", 1)[0]
    separator = max(SEPARATORS, key=lambda mark: (first.count(mark), -SEPARATORS.index(mark)))
    csv.field_size_limit(1 << 24)
    header = _header(text, separator, path, key)
    frame = _plain(text, separator, len(header))
    series = frame if frame is not None else _quoted(text, separator, header, path, key)
    if not len(series[0]):
        raise DataError(f"{path.name} holds a header and no rows", "add rows below the header", key)
    return {name: text_column(name, cells) for name, cells in zip(header, series, strict=True)}


def _decode(data: bytes, path: Path, key: str) -> str:
    if not data.strip():
        raise DataError(f"{path.name} is empty", "the first line must hold the column names", key)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path.name} is UTF-16, not UTF-8", "save it again as CSV UTF-8", key)
    if b"\x00" in data:
        raise DataError(
            f"{path.name} holds NUL bytes (first at byte {data.index(0)}): it is no text file, or damaged",
            "save it again as CSV, in UTF-8",
            key,
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path.name} is not UTF-8: line {line} holds byte 0x{data[error.start]:02x}",
            f"save it as UTF-8, such as: iconv -f latin1 -t utf-8 {path.name}",
            key,
        ) from None


def _header(text: str, separator: str, path: Path, key: str) -> list[str]:
    try:
        found = next((row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row), [])
    except csv.Error as error:
        raise DataError(f"{path.name}: the header cannot be read: {error}", "", key) from None
    header = [name.strip() for name in found]
    if len(header) > MOST_COLUMNS:
        raise DataError(
            f"{path.name} has {len(header)} columns; goodfit takes {MOST_COLUMNS}", "put them in an NPZ file", key
        )
    twice = [name for name, times in Counter(header).items() if times > 1]
    if twice:
        raise DataError(f"{path.name} has two columns named {listing([repr(n) for n in twice])}", "rename one", key)
    return header


def _plain(text: str, separator: str, width: int) -> list[Any] | None:
    """Columns by polars, where the text is so plain that both readers agree; None where it is not: cells that hold line
    ends, or quotes that do not stand around a whole cell."""
    import polars as pl

    text = text.replace("\r\n", "\n")
    if "\r" in text:
        return None
    data = np.frombuffer(text.strip("\n").encode() + b"\n", dtype=np.uint8)
    ends, marks = np.flatnonzero(data == ord("\n")), np.flatnonzero(data == ord(separator))
    quotes = np.flatnonzero(data == ord('"'))
    if len(quotes):
        if not _around_cells(data, quotes, separator) or (np.searchsorted(quotes, ends) % 2).any():
            return None
        marks = marks[np.searchsorted(quotes, marks) % 2 == 0]
    marks = np.searchsorted(marks, ends)
    lengths = np.diff(ends, prepend=-1)
    if (np.diff(marks, prepend=0) != width - 1).any() or (lengths == 1).any():
        return None
    body = data[ends[0] + 1 :].tobytes()
    if not body:
        return [pl.Series([], dtype=pl.String) for _ in range(width)]
    mark = '"' if len(quotes) else None
    frame = pl.read_csv(body, has_header=False, separator=separator, quote_char=mark, infer_schema=False)
    return list(frame.get_columns()) if frame.shape == (len(ends) - 1, width) else None


def _around_cells(data: Array, quotes: Array, separator: str) -> bool:
    """Whether every quote opens a cell, closes it, or stands twice inside it."""
    if len(quotes) % 2:
        return False
    edge = np.isin(np.arange(256), [ord("\n"), ord(separator), ord('"')])
    opening, closing = quotes[::2], quotes[1::2]
    return bool(edge[data[opening[opening > 0] - 1]].all() and edge[data[closing + 1]].all())


def _quoted(text: str, separator: str, header: list[str], path: Path, key: str) -> list[Any]:
    """Columns by the `csv` module, row by row."""
    import polars as pl

    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise DataError(
                    f"{path.name}, line {reader.line_num}: {len(cells)} cells, but the header has {len(header)}",
                    'every row needs as many cells as the header; a cell that holds the separator needs "quotes"',
                    key,
                )
            rows.append(cells)
    except csv.Error as error:
        raise DataError(
            f"{path.name}, line {reader.line_num}: {error}", "look for a quote that is never closed", key
        ) from None
    return [pl.Series(list(cells), dtype=pl.String) for cells in zip(*rows[1:], strict=True)] or [
        pl.Series([], dtype=pl.String) for _ in header
    ]
