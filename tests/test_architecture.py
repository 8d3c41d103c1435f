"""The walls of the house: who may import whom. Read off the source, then checked again in fresh interpreters."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TORCH = ("torch", "torchmetrics", "torchvision", "lightning_utilities")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for top in ("engine", "tui")
    for path in sorted((ROOT / top).rglob("*.py"))
}


def imports(path: Path, *, only_on_import: bool = False) -> Iterator[str]:
    """Dotted names that a file imports; with `only_on_import`, only those that run when it is imported."""

    def walk(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}: relative import"
                yield str(child.module)
                yield from (f"{child.module}.{alias.name}" for alias in child.names)
            elif only_on_import and (
                isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or is_type_checking(child)
            ):
                continue
            else:
                yield from walk(child)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def test_the_source_is_found() -> None:
    assert len(MODULES) > 30


@pytest.mark.parametrize("module", MODULES)
def test_walls(module: str) -> None:
    names = set(imports(MODULES[module]))
    if within(module, "engine"):
        assert not [n for n in names if within(n, "tui")], "engine never imports tui"
        assert not [n for n in names if within(n, "textual")], "engine knows no screen"
    if within(module, "tui"):
        assert not [n for n in names if within(n, "engine.train")], "tui never imports engine.train"
    if not within(module, "engine.train"):
        assert not [n for n in names for t in TORCH if within(n, t)], "torch lives in engine.train alone"
        if not within(module, "tui"):
            assert not [n for n in names if within(n, "engine.train")], "only the worker imports engine.train"


def test_no_import_circles() -> None:
    graph = {m: {n for n in imports(p, only_on_import=True) if n in MODULES and n != m} for m, p in MODULES.items()}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail[trail.index(module) :], module))
        if module not in done:
            for name in sorted(graph[module]):
                visit(name, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_packages_export_nothing() -> None:
    for module, path in MODULES.items():
        if path.name == "__init__.py":
            assert not list(imports(path)), f"{module} re-exports"


def fresh(code: str) -> str:
    """Run `code` in a new interpreter and return what it prints."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    ).stdout


def test_nothing_outside_train_loads_torch() -> None:
    outside = [m for m in MODULES if not within(m, "engine.train")]
    loaded = fresh(
        "import importlib, sys\n"
        f"for name in {outside!r}: importlib.import_module(name)\n"
        "print(sorted(n for n in sys.modules if n.split('.')[0] in ('torch', 'torchmetrics', 'sklearn', 'scipy')))"
    )
    assert loaded.strip() == "[]"


def test_the_engine_loads_no_screen() -> None:
    engine = [m for m in MODULES if within(m, "engine") and not within(m, "engine.train")]
    loaded = fresh(
        "import importlib, sys\n"
        f"for name in {engine!r}: importlib.import_module(name)\n"
        "print(sorted(n for n in sys.modules if n.split('.')[0] in ('textual', 'tui', 'plotext', 'click')))"
    )
    assert loaded.strip() == "[]"


def test_recipes_are_read_by_our_reader_alone() -> None:
    for module, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        for call in ("yaml.load(", "yaml.safe_load(", "yaml.full_load(", "pickle.load", "torch.load("):
            assert call not in text, f"{module} calls {call}"
