"""The recipes that come with goodfit: `recipes/` in a checkout, `engine/bundled/recipes/` in an installed wheel."""

from __future__ import annotations

from pathlib import Path


def folder() -> Path | None:
    """The folder of the bundled recipes, or None where there is none."""
    here = Path(__file__).resolve().parent
    for candidate in (here / "recipes", here.parent.parent / "recipes"):
        if candidate.is_dir() and any(candidate.glob("*.yaml")):
            return candidate
    return None


def recipes() -> list[Path]:
    """The bundled recipes, by name."""
    found = folder()
    return sorted(found.glob("*.yaml")) if found else []


def bundled(word: str) -> Path | None:
    """The bundled recipe that `word` names: `digits`, `digits.yaml` or `recipes/digits.yaml`."""
    wanted = word.removeprefix("recipes/").removesuffix(".yaml")
    return next((path for path in recipes() if path.stem == wanted), None)
