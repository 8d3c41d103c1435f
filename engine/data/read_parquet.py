"""Parquet files: numbers as they are, everything else as text."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from engine.data.column import Column, number_column, text_column
from engine.data.errors import DataError


def read_parquet(data: bytes, path: Path, key: str) -> dict[str, Column]:
    """The columns of a Parquet file, by name, in the file's order. Nested columns are left out. Raises DataError."""
    import polars as pl

    try:
        frame = pl.read_parquet(io.BytesIO(data), use_pyarrow=False)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path.name} cannot be read as Parquet: {reason}", "is it whole, and Parquet?", key) from None
    if not frame.height:
        raise DataError(f"{path.name} holds no rows", "add rows", key)
    columns: dict[str, Column] = {}
    for series in frame.get_columns():
        kind = series.dtype
        if kind.is_numeric():
            columns[series.name] = number_column(
                series.name, series.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
            )
        elif not (kind.is_nested() or kind in (pl.Binary, pl.Object)):
            columns[series.name] = text_column(series.name, series.cast(pl.String))
    return columns
