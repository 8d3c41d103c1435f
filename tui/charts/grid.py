"""A grid of styled terminal cells, and what changed between two of them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

JOIN = 16
"""Changed spans of one row that are closer than this are one: a cursor move and its colour cost about as much."""


class Grid:
    """`height` rows of `width` cells; a cell is one character and the name of its style.

    A wide character takes two cells, the second of which is empty text.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.cells = [[" "] * width for _ in range(height)]
        self.styles = [[""] * width for _ in range(height)]

    def put(self, x: int, y: int, text: str, style: str = "") -> int:
        """Write text from cell (x, y) on, cut at the right edge; return the cell behind it."""
        if not 0 <= y < self.height:
            return x
        cells, styles = self.cells[y], self.styles[y]
        for character in text:
            wide = cell_len(character)
            if wide == 0:
                continue
            if x + wide > self.width:
                break
            if x >= 0:
                cells[x], styles[x] = character, style
                if wide == 2:
                    cells[x + 1], styles[x + 1] = "", style
            x += wide
        return x

    def text(self, y: int) -> str:
        """The characters of a row."""
        return "".join(self.cells[y])

    def plain(self) -> str:
        """All rows, one a line, without styles or trailing blanks."""
        return "\n".join(self.text(y).rstrip() for y in range(self.height))

    def runs(self, y: int) -> Iterator[tuple[str, str]]:
        """The row as (text, style) with neighbours of one style joined. A blank takes the style to its left."""
        cells, styles = self.cells[y], self.styles[y]
        start, style = 0, styles[0] if styles else ""
        for x in range(1, self.width):
            if styles[x] != style and not (cells[x] == " " and styles[x] == ""):
                yield "".join(cells[start:x]), style
                start, style = x, styles[x]
        if self.width:
            yield "".join(cells[start:]), style


def changes(old: Grid, new: Grid) -> list[tuple[int, int, int]]:
    """Spans (y, first, end) in which two grids of one size differ, near ones joined."""
    found: list[tuple[int, int, int]] = []
    for y in range(new.height):
        was, now = old.cells[y], new.cells[y]
        before, after = old.styles[y], new.styles[y]
        if was == now and before == after:
            continue
        first = end = -1
        for x in range(new.width):
            if was[x] == now[x] and before[x] == after[x]:
                continue
            if first >= 0 and x - end >= JOIN:
                found.append((y, first, end))
                first = -1
            if first < 0:
                first = x - 1 if x and "" in (was[x], now[x]) else x
            end = x + 1
        if end < new.width and "" in (was[end], now[end]):
            end += 1
        found.append((y, first, end))
    return found
