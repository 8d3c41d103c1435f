"""The base of everything that moves: a widget that repaints only the cells that changed."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.charts.frame import narrow_updates
from tui.charts.grid import Grid, changes


class Canvas(Widget):
    """A widget that paints itself into a grid of cells.

    Subclasses implement `paint` and name their styles in COMPONENT_CLASSES. `repaint` paints anew, compares with
    what is on the screen, and refreshes the spans that differ: nothing changed, nothing is written.
    """

    DEFAULT_CSS = """
    Canvas { width: 1fr; height: 1fr; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._grid = Grid(0, 0)
        self._strips: dict[int, Strip] = {}
        self._looks: dict[str, Style] = {}

    def on_mount(self) -> None:
        """Let Textual write no more than what is refreshed."""
        narrow_updates()

    def paint(self, grid: Grid) -> None:
        """Fill the grid: the widget's whole content, from what is true now."""

    def repaint(self) -> list[Region]:
        """Paint anew; refresh and return the regions that changed."""
        width, height = self.content_size
        if not self.is_mounted or not width or not height:
            return []
        new = Grid(width, height)
        self.paint(new)
        old, self._grid = self._grid, new
        if (old.width, old.height) != (width, height):
            self._strips.clear()
            self.refresh()
            return [Region(0, 0, width, height)]
        regions = [Region(first, y, end - first, 1) for y, first, end in changes(old, new)]
        for region in regions:
            self._strips.pop(region.y, None)
        if regions:
            self.refresh(*regions)
        return regions

    def plain(self) -> str:
        """What is painted, as text."""
        return self._grid.plain()

    def render_line(self, y: int) -> Strip:
        """One row of the content."""
        width, height = self.content_size
        if (self._grid.width, self._grid.height) != (width, height):
            self._grid = Grid(width, height)
            self._strips.clear()
            self.paint(self._grid)
        if y >= height:
            return Strip.blank(width, self.rich_style)
        strip = self._strips.get(y)
        if strip is None:
            segments = [Segment(text, self._look(style)) for text, style in self._grid.runs(y)]
            strip = self._strips[y] = Strip(segments, width)
        return strip

    def notify_style_update(self) -> None:
        """Forget colours when the theme or the state of the widget changes."""
        self._looks.clear()
        self._strips.clear()
        super().notify_style_update()

    def _look(self, name: str) -> Style:
        if name not in self._looks:
            self._looks[name] = self.get_component_rich_style(name) if name else self.rich_style
        return self._looks[name]
