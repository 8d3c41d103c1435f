"""The file being written: imports, constants, functions, each once and in order."""

from __future__ import annotations

import inspect
import json
import math
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

RENAMED = (
    (r"npt\.NDArray\[[^\]]*\]", "np.ndarray"),
    (r"\b(Array|Index)\b", "np.ndarray"),
    (r"Iterable\[str\]", "list[str]"),
    (r"\b_sorted\b", "in_source_order"),
    (r"\b_channel\b", "shift_and_scale"),
)
"""goodfit's own names in copied source, and what stands for them in a file of its own."""
WIDTH = 110


@dataclass
class Script:
    """Pieces of a Python file."""

    modules: set[str] = field(default_factory=set)
    """Whole import lines."""
    constants: list[str] = field(default_factory=list)
    functions: dict[str, str] = field(default_factory=dict)
    """Source by name, in the order in which they were first asked for."""

    def use(self, *lines: str) -> None:
        """Import lines that some piece needs."""
        self.modules.update(lines)

    def constant(self, name: str, value: Any, comment: str = "") -> None:
        """A constant at the top of the file."""
        text = f"{name} = {literal(value)}"
        if len(text) > WIDTH and isinstance(value, list | tuple | dict):
            text = f"{name} = {folded(value)}"
        self.constants.append(text + (f"  # {comment}" if comment else ""))

    def copy(self, *functions: Callable[..., Any]) -> None:
        """goodfit's own source of plain functions, so that the file computes the same."""
        for function in functions:
            source = inspect.getsource(function).rstrip()
            for ours, plain in RENAMED:
                source = re.sub(ours, plain, source)
            self.functions.setdefault(function.__name__, source)

    def define(self, source: str) -> None:
        """A function or class written for the file."""
        source = textwrap.dedent(source).strip("\n")
        name = source.split("(")[0].split(":")[0].split()[-1]
        self.functions.setdefault(name, source)

    def section(self) -> str:
        """The functions so far as text; they are taken out."""
        text = "\n\n\n".join(self.functions.values())
        self.functions = {}
        return text

    def imports(self) -> str:
        """Import lines as usual: the standard library first."""
        standard = sorted((line for line in self.modules if not _third_party(line)), key=_place)
        others = sorted((line for line in self.modules if _third_party(line)), key=_place)
        return "\n".join(standard) + "\n\n" + "\n".join(others)


def _place(line: str) -> tuple[bool, str]:
    """Where an import line stands: `import` before `from`, then by module."""
    return line.startswith("from"), line.split()[1]


def literal(value: Any) -> str:
    """A plain value as Python text, strings in double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(literal, value)) + ("," if len(value) == 1 else "") + ")"
    return repr(value)


def folded(value: list[Any] | tuple[Any, ...] | dict[Any, Any]) -> str:
    """A long list or mapping over several lines, broken between its items."""
    whole = literal(value)
    items = [literal({key: item})[1:-1] for key, item in value.items()] if isinstance(value, dict) else None
    lines = [""]
    for item in items or [literal(item) for item in value]:
        if len(lines[-1]) + len(item) > WIDTH:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + item + ","
    return "\n".join([whole[0], *(f"    {line}" for line in lines), whole[-1]])


def _third_party(line: str) -> bool:
    return line.split()[1].split(".")[0] in ("numpy", "torch", "torchmetrics", "polars", "PIL")
