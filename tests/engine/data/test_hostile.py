"""Whatever a file holds: it is read, or refused in words."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.data.errors import DataError
from engine.data.new_rows import transform
from engine.data.prepare import prepare
from engine.data.start import columns, first_recipe
from engine.parts import catalog
from engine.recipe.check import check
from engine.recipe.document import Document

QUIET = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
CELL = st.sampled_from(["", "NA", "0", "1", "2", "-1e300", "1e400", "inf", "a", "b", "é", '"', "'", ";", "\t", "true"])
NAME = st.one_of(st.sampled_from(["a", "id", "y", "", "a.b", "x: #", "null", "1", "yes"]), st.text(max_size=4))
TABLE = st.integers(1, 5).flatmap(
    lambda width: st.tuples(
        st.lists(NAME, min_size=width, max_size=width),
        st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=4),
        st.integers(1, 12),
    )
)


@pytest.fixture(autouse=True)
def parts() -> None:
    catalog.load()


def try_all(file: Path) -> None:
    """Draft a recipe, prepare its data, and send the file through the fitted state. Only DataError may be raised."""
    try:
        found = columns(file)
    except DataError as error:
        assert error.message
        return
    for column in found[:2]:
        try:
            text = first_recipe(file, column["name"])
        except DataError as error:
            assert error.message
            assert error.path
            continue
        checked = check(Document.from_text(text))
        assert checked.recipe is not None, (text, checked.problems)
        prepared = prepare(checked.recipe, file.parent)
        assert np.isfinite(prepared.train.x).all()
        assert np.isfinite(prepared.train.y).all()
        json.dumps(prepared.fitted.state, allow_nan=False)
        try:
            rows = transform(prepared.fitted.state, prepared.facts, file)
        except DataError as error:
            assert file.suffix == ".npz", error.message
            continue
        assert (rows.n, len(rows.x)) == (len(rows.valid), rows.valid.sum())


@QUIET
@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    for name in ("d.csv", "d.parquet", "d.npz"):
        (tmp_path / name).write_bytes(content)
        try_all(tmp_path / name)


@QUIET
@given(TABLE, st.sampled_from([",", ";", "\t"]))
def test_any_table(tmp_path: Path, table: tuple[list[str], list[list[str]], int], separator: str) -> None:
    header, rows, times = table
    (tmp_path / "d.csv").write_text("\n".join([separator.join(line) for line in [header, *rows * times]]), "utf-8")
    try_all(tmp_path / "d.csv")


@QUIET
@given(TABLE)
def test_any_parquet_table(tmp_path: Path, table: tuple[list[str], list[list[str]], int]) -> None:
    header, rows, times = table
    names = list(dict.fromkeys(header))
    frame = pl.DataFrame({name: [row[index] for row in rows * times] for index, name in enumerate(names)})
    typed = [pl.col(name).cast(kind, strict=False) for name, kind in zip(names, KINDS, strict=False)]
    frame.with_columns(typed).write_parquet(tmp_path / "d.parquet")
    try_all(tmp_path / "d.parquet")


KINDS: list[Any] = [pl.Float32, pl.String, pl.Int8, pl.Int64, pl.Categorical]
ARRAY = st.tuples(
    st.lists(st.integers(0, 4), max_size=5).map(tuple),
    st.sampled_from(["f8", "f4", "i8", "u1", "?", "c8", "U3", "S2", "f2"]),
    st.sampled_from([0, 1, 2.5, np.nan, np.inf, -1]),
)


@QUIET
@given(st.dictionaries(st.sampled_from(["x", "y", "x_train", "y_train", "x_val", "y_val", "z"]), ARRAY), st.booleans())
def test_any_arrays(tmp_path: Path, arrays: dict[str, tuple[tuple[int, ...], str, float]], many: bool) -> None:
    made = {}
    for name, (shape, kind, value) in arrays.items():
        full = (shape[0] * 10, *shape[1:]) if many and shape else shape
        with np.errstate(all="ignore"):
            array = np.arange(int(np.prod(full)) or 0).reshape(full) % 3
            made[name] = array.astype("f8").astype(kind) if kind[0] in "US?" else (array * value).astype(kind)
    buffer = io.BytesIO()
    np.savez(buffer, **made)
    (tmp_path / "d.npz").write_bytes(buffer.getvalue())
    try_all(tmp_path / "d.npz")
