"""What is left of a recipe that has mistakes of form: enough for whatever can be said about the rest."""

from __future__ import annotations

from typing import Any


class Unsound(Exception):
    """A key that has a mistake of form was asked for: there is nothing to say about it yet."""


class Sound:
    """Stands for a section of the recipe: its keys without mistakes. Touching another one raises Unsound."""

    def __init__(self, keys: dict[str, Any]) -> None:
        self._keys = keys

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self._keys:
            raise Unsound(name)
        return self._keys[name]
