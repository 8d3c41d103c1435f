"""Colours of small pieces of text, straight from the theme.

A component class costs each widget that names it a walk through the style sheet; a form has dozens of widgets.
"""

from __future__ import annotations

from rich.style import Style
from textual.widget import Widget


def tone(widget: Widget, name: str) -> Style:
    """The colour that the theme calls `name`, on the widget's own ground."""
    colour = widget.app.theme_variables.get(name)
    return widget.rich_style + Style(color=colour) if colour and colour.startswith("#") else widget.rich_style
