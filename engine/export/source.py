"""goodfit's own functions as text, with all that they call: found in the files, so that torch is not imported."""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from engine.export.script import RENAMED, Script


def copy_from(script: Script, module: str, *names: str) -> None:
    """Put functions of `module` into the file, those that they call in front of them, and the imports that they need.

    What they call must stand beside them or be imported by name from another module of goodfit.
    """
    text, tree = _parsed(module)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for name in names:
        if name in script.functions:
            continue
        used = {node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)}
        for line in tree.body:
            if isinstance(line, ast.ImportFrom) and (line.module or "").startswith("engine."):
                called = [each.name for each in line.names if each.name in used and each.name != "Array"]
                copy_from(script, line.module or "", *called)
            elif isinstance(line, ast.Import | ast.ImportFrom):
                _import(script, line, used)
        copy_from(script, module, *(each for each in functions if each in used and each != name))
        script.functions[name] = _source(text, functions[name])


@cache
def _parsed(module: str) -> tuple[str, ast.Module]:
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None
    text = Path(spec.origin).read_text(encoding="utf-8")
    return text, ast.parse(text)


def _import(script: Script, line: ast.Import | ast.ImportFrom, used: set[str]) -> None:
    for each in line.names:
        if (each.asname or each.name) in used:
            alias = f" as {each.asname}" if each.asname else ""
            source = f"from {line.module} " if isinstance(line, ast.ImportFrom) else ""
            script.use(f"{source}import {each.name}{alias}")


def _source(text: str, function: ast.FunctionDef) -> str:
    first = min([function.lineno, *(each.lineno for each in function.decorator_list)])
    source = "\n".join(text.splitlines()[first - 1 : function.end_lineno])
    for ours, plain in RENAMED:
        source = re.sub(ours, plain, source)
    return source
