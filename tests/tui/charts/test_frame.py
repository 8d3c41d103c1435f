"""What is written makes the terminal show what is meant, and nothing else is written."""

from __future__ import annotations

import pyte
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.charts.frame import Frame

COLUMNS, ROWS = 24, 3
SYSTEM = ColorSystem.TRUECOLOR
STYLES = (None, Style.parse("red on blue"), Style.parse("bold green"), Style.parse("underline"))
PIECES = st.lists(st.tuples(st.text("ab ⠤字", max_size=6), st.sampled_from(STYLES)), max_size=5)
UPDATES = st.lists(st.tuples(st.integers(0, COLUMNS - 1), st.integers(0, ROWS - 1), PIECES), min_size=1, max_size=8)


def strip_of(pieces: list[tuple[str, Style | None]]) -> Strip:
    return Strip([Segment(text, style) for text, style in pieces])


def shown(screen: pyte.Screen) -> list[list[tuple[str, str, str, bool, bool]]]:
    rows = []
    for y in range(ROWS):
        line = screen.buffer[y]
        rows.append([(c.data, c.fg, c.bg, c.bold, c.underscore) for c in (line[x] for x in range(COLUMNS))])
    return rows


@given(UPDATES)
def test_differences_make_the_same_screen_as_writing_everything(
    updates: list[tuple[int, int, list[tuple[str, Style | None]]]],
) -> None:
    blank = Strip([Segment(" " * COLUMNS)])
    known = Frame()
    screens = [pyte.Screen(COLUMNS, ROWS), pyte.Screen(COLUMNS, ROWS)]
    streams = [pyte.Stream(screen) for screen in screens]
    streams[0].feed(known.write(iter([(0, y, blank) for y in range(ROWS)]), SYSTEM))
    rows = [[(" ", None)] * COLUMNS for _ in range(ROWS)]
    for x, y, pieces in updates:
        strip = strip_of(pieces).crop(0, COLUMNS - x)
        whole = Strip([Segment(c, s) for c, s in rows[y]])
        rest = whole.crop(x + strip.cell_length, COLUMNS)
        row = Strip.join([whole.crop(0, x), strip, rest]).adjust_cell_length(COLUMNS)
        rows[y] = [(c, style) for text, style, _ in row for c in text]
        streams[0].feed(known.write(iter([(0, y, row)]), SYSTEM))
        assert known.write(iter([(0, y, row)]), SYSTEM) == ""
    for y in range(ROWS):
        streams[1].feed(Frame().write(iter([(0, y, Strip([Segment(c, s) for c, s in rows[y]]))]), SYSTEM))
    assert shown(screens[0]) == shown(screens[1])


def test_only_the_cells_that_change_are_written() -> None:
    frame = Frame()
    first = strip_of([("epoch 12 of 40", STYLES[1])])
    assert "epoch" in frame.write(iter([(2, 1, first)]), SYSTEM)
    second = strip_of([("epoch 13 of 40", STYLES[1])])
    assert frame.write(iter([(2, 1, second)]), SYSTEM) == "\x1b[2;10H\x1b[0;31;44m3\x1b[0m"
    frame.forget()
    assert "epoch" in frame.write(iter([(2, 1, second)]), SYSTEM)
