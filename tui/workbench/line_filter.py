"""The workbench's part of the one seam: no line is painted that holds what a terminal would act on."""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from tui.clean import clean


class CleanFilter(LineFilter):
    """Strips control characters from every line on its way to the terminal; columns stay where they are."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """As `clean`, with spaces in place of what was removed."""
        if all(segment.text.isprintable() for segment in segments):
            return segments
        return [self._segment(segment) for segment in segments]

    @staticmethod
    def _segment(segment: Segment) -> Segment:
        text, style, control = segment
        if control or text.isprintable():
            return segment
        shown = clean(text)
        return Segment(shown + " " * max(0, cell_len(text) - cell_len(shown)), style)
