"""The files that a recipe's data section names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BUILTIN = Path(__file__).parent / "builtin"


def source_files(data: Any, base: Path) -> list[Path]:
    """Every file that the data section (`engine.recipe.schema.Data`) reads, whether it is there or not."""
    source = data.source
    kind = type(source).type_name()
    parts = (data.split.validation, data.split.test)
    files = [base / Path(part.path).expanduser() for part in parts if not is_share(part)]
    if kind == "Builtin":
        return [BUILTIN / f"{source.name}.npz", *files]
    if kind == "NPY":
        return [base / Path(source.features).expanduser(), base / Path(source.target).expanduser(), *files]
    path = getattr(source, "path", None)
    return [base / Path(path).expanduser(), *files] if path is not None else files


def is_share(value: Any) -> bool:
    """Whether a part of the split is a share of the rows, not a file of its own."""
    return isinstance(value, int | float)
