"""CSV files: what Python's csv module reads, whichever of the two readers reads it; and what is refused."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.column import BLANKS, EMPTY
from engine.data.errors import DataError
from engine.data.read_csv import _plain, read_csv

PATH = Path("data.csv")
KEY = "data.source.path"
CELLS = st.one_of(
    st.sampled_from(["", "NA", "1", "-2.5", "1e-4", "a", " b ", "x,y", 'q"q', "two\nlines", "0x1", "inf", "é", "."]),
    st.floats(allow_nan=False).map(repr),
    st.text(st.characters(exclude_characters="\x00\r", exclude_categories=["Cs"]), max_size=6),
)


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=6)))
def test_reads_what_the_csv_module_wrote(rows: list[list[str]]) -> None:
    text = io.StringIO()
    header = [f"c{index}" for index in range(len(rows[0]))]
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([header, *rows])
    columns = read_csv(text.getvalue().encode(), PATH, KEY)
    assert list(columns) == header
    for index, column in enumerate(columns.values()):
        wanted = [row[index].strip(BLANKS) for row in rows]
        assert column.texts() == [None if cell in EMPTY else cell for cell in wanted]


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=6)))
def test_both_readers_agree(rows: list[list[str]]) -> None:
    plain = [[cell.replace('"', "").replace(",", "").replace("\n", "") or "NA" for cell in row] for row in rows]
    lines = [",".join(f"c{index}" for index in range(len(plain[0]))), *(",".join(row) for row in plain)]
    fast = read_csv("\n".join(lines).encode(), PATH, KEY)
    quoted = read_csv("\n".join([",".join(f'"{c}"' for c in line.split(",")) for line in lines]).encode(), PATH, KEY)
    for name, column in fast.items():
        assert column.texts() == quoted[name].texts()
        assert (column.number is None) == (quoted[name].number is None)


ROWS = st.lists(
    st.lists(st.text('a" ,', max_size=4) | CELLS.map(lambda cell: '"' + cell.replace('"', '""') + '"'), max_size=3),
    min_size=1,
    max_size=5,
)


@settings(max_examples=300)
@given(ROWS, st.sampled_from(["\n", "\r\n"]))
def test_what_the_fast_reader_takes_it_reads_as_the_csv_module_does(rows: list[list[str]], newline: str) -> None:
    text = newline.join(["x,y", *(",".join(row) for row in rows), ""])
    fast = _plain(text, ",", 2)
    if fast is None:
        return
    wanted = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row][1:]
    assert [column.fill_null("").to_list() for column in fast] == [[row[at] for row in wanted] for at in (0, 1)]


@pytest.mark.parametrize("line", ['"a","b"', 'a,"b"', '"a,a",""', '"a""b","""c"""', 'é,"ü"'])
def test_the_fast_reader_takes_plain_quotes(line: str) -> None:
    fast = _plain(f"x,y\n{line}\n1,2\n", ",", 2)
    assert fast is not None
    assert [column.fill_null("").to_list()[0] for column in fast] == next(csv.reader([line]))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_are_read_to_the_last_bit(values: list[float]) -> None:
    text = "x\n" + "\n".join(repr(value) for value in values)
    found = read_csv(text.encode(), PATH, KEY)["x"].number
    assert found is not None
    assert found.tobytes() == np.array(values).tobytes()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_separators_newlines_blank_lines_and_a_byte_order_mark(separator: str, newline: str) -> None:
    lines = ["a,b", "1,x", "", "2,", ""]
    text = newline.join(lines).replace(",", separator)
    columns = read_csv(b"\xef\xbb\xbf" + text.encode(), PATH, KEY)
    assert columns["a"].texts() == ["1", "2"]
    assert columns["b"].texts() == ["x", None]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"  \n \n", "empty"),
        (b"a,b\n", "no rows"),
        (b"a,b\n\n\n", "no rows"),
        (b"a,b\n1,\x002\n", "NUL"),
        (b"a,b\n1,2\n3\n", "line 3"),
        (b"a,b\n1,2\n3,4,5\n", "line 3"),
        (b'a,b\n1,"2\n3,4\n', "line"),
        (b",".join(b"c%d" % n for n in range(30_000)) + b"\n", "30000 columns"),
        (b"a,a\n1,2\n", "two columns named 'a'"),
        (b"a, a\n1,2\n", "two columns named 'a'"),
        (b"a,b\n1,\xe9\n", "line 2 holds byte 0xe9"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_refuses_with_the_place_and_a_way_out(content: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as error:
        read_csv(content, PATH, KEY)
    assert error.value.path == KEY
    assert error.value.hint
