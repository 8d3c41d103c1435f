"""What stands on the terminal, cell by cell, so that only cells that change are written.

Textual writes whole widgets: opening a room repaints the screen with a colour sequence before and a reset behind every
piece, about 60 kB at 120x40, and a key that opens a list for a moment costs that twice. Here an update is compared
with what the terminal shows, and the difference is written, with a colour only where it changes. Over a slow line the
difference is the whole cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.strip import Strip

JOIN = 4
"""Unchanged cells between two changed ones that are written again: as cheap as moving over them."""

Cell = tuple[str, str]
"""Character and colour sequence. The second cell of a wide character is empty text."""


class Frame:
    """The terminal's cells as far as they are known."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Cell | None]] = {}

    def forget(self) -> None:
        """The terminal may show anything: after a resize, or when somebody else had it."""
        self._rows.clear()

    def write(self, pieces: Iterator[tuple[int, int, Strip]], system: ColorSystem) -> str:
        """What makes the terminal show the pieces (x, y, content); "" where it does already."""
        written: list[str] = []
        colour: str | None = None
        at = (-1, -1)
        for left, y, strip in pieces:
            row = self._rows.setdefault(y, [])
            new = cells(strip, system)
            if len(row) < left + len(new):
                row += [None] * (left + len(new) - len(row))
            for first, end in _changed(row, new, left):
                if at != (left + first, y):
                    ahead = left + first - at[0]
                    written.append(
                        f"\x1b[{ahead}C" if at[1] == y and ahead > 0 else f"\x1b[{y + 1};{left + first + 1}H"
                    )
                for character, wanted in new[first:end]:
                    if wanted != colour:
                        written.append(f"\x1b[0;{wanted}m" if wanted else "\x1b[0m")
                        colour = wanted
                    written.append(character)
                at = (left + end, y)
            row[left : left + len(new)] = new
        if colour:
            written.append("\x1b[0m")
        return "".join(written)


def cells(strip: Strip, system: ColorSystem) -> list[Cell]:
    """A strip as cells."""
    found: list[Cell] = []
    for text, style, control in strip:
        if control:
            continue
        colour = "" if style is None else style._ansi
        if style is not None and colour is None:
            colour = style._make_ansi_codes(system)
        colour = colour or ""
        if text.isascii():
            found += [(character, colour) for character in text]
            continue
        for character in text:
            wide = cell_len(character)
            if wide:
                found.append((character, colour))
                found += [("", colour)] * (wide - 1)
            elif found:
                found[-1] = (found[-1][0] + character, found[-1][1])
    return found


def _changed(row: list[Cell | None], new: list[Cell], left: int) -> Iterator[tuple[int, int]]:
    """Spans of `new` that differ from the row, near ones joined, none of which cuts a wide character in two."""
    if row[left : left + len(new)] == new:
        return
    first = end = -1
    for x, cell in enumerate(new):
        if row[left + x] == cell:
            continue
        if first >= 0 and x - end > JOIN:
            yield first, end
            first = -1
        if first < 0:
            first = x
            while first and not new[first][0]:
                first -= 1
        end = x + 1
        while end < len(new) and not new[end][0]:
            end += 1
    yield first, end


_frames: WeakKeyDictionary[Console, Frame] = WeakKeyDictionary()


def frame_of(console: Console) -> Frame:
    """The frame of an app's terminal."""
    if console not in _frames:
        _frames[console] = Frame()
    return _frames[console]


def _system(console: Console) -> ColorSystem:
    return console._color_system or ColorSystem.TRUECOLOR


def _write_layout(update: LayoutUpdate, console: Console) -> str:
    def pieces() -> Iterator[tuple[int, int, Strip]]:
        for y, line in enumerate(update.strips, update.region.y):
            yield update.region.x, y, Strip([segment for strip in line for segment in strip])

    return frame_of(console).write(pieces(), _system(console))


def _write_chops(update: ChopsUpdate, console: Console) -> str:
    def pieces() -> Iterator[tuple[int, int, Strip]]:
        for y, first, end in update.spans:
            for right, (left, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if strip is None or left >= end or right <= first:
                    continue
                start = max(left, first)
                if left < first or right > end:
                    strip = strip.crop(start - left, min(right, end) - left)
                yield start, y, strip

    return frame_of(console).write(pieces(), _system(console))


def narrow_updates() -> None:
    """Write every update of the screen as its difference. Calling it again does nothing."""
    LayoutUpdate.render_segments = _write_layout  # type: ignore[assignment, method-assign]
    ChopsUpdate.render_segments = _write_chops  # type: ignore[assignment, method-assign]
