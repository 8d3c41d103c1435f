"""The wheel holds all that is needed, and works away from the checkout."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAIN = "from tui.main import main; main()"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built as anybody would."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--quiet", "--wheel-dir", str(folder)]
    if importlib.util.find_spec("hatchling"):
        command.append("--no-build-isolation")
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return zipfile.ZipFile(next(folder.glob("goodfit-*.whl")))


@pytest.fixture(scope="module")
def site(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked, as pip would put it into site-packages."""
    folder = tmp_path_factory.mktemp("site")
    wheel.extractall(folder)
    return folder


def goodfit(site: Path, *arguments: str, program: str = MAIN) -> str:
    """Run the installed goodfit in an empty folder; returns its output."""
    away = site.parent / "away"
    away.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", "GOODFIT_CACHE": str(away / "cache")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments],
        cwd=away,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_file_of_the_packages_is_in_it(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for top in ("engine", "tui"):
        for path in (ROOT / top).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert path.relative_to(ROOT).as_posix() in names


def test_the_bundled_recipes_and_their_data_are_in_it(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    recipes = [path for path in (ROOT / "recipes").rglob("*") if path.is_file()]
    assert len(recipes) > 5
    for path in recipes:
        assert f"engine/bundled/{path.relative_to(ROOT).as_posix()}" in names


def test_nothing_else_is_in_it(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.startswith("goodfit-")} == {"engine", "tui"}
    assert not [name for name in wheel.namelist() if "__pycache__" in name or name.endswith((".pyc", ".log"))]


def test_it_has_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    words = {name.rpartition("/")[2]: wheel.read(name).decode() for name in wheel.namelist() if ".dist-info/" in name}
    assert "goodfit = tui.main:main" in words["entry_points.txt"]
    assert "Requires-Python: >=3.11" in words["METADATA"] and words["LICENSE"]


def test_it_works_away_from_the_checkout(site: Path) -> None:
    where = goodfit(site, program="import engine, tui, engine.bundled.find as f\nprint(engine.__file__, f.folder())")
    assert all(Path(word).is_relative_to(site) for word in where.split())
    assert goodfit(site, "check", "digits", "penguins", "--json").splitlines()[-1].startswith('{"type":"checked"')
    words = goodfit(site, "train", "penguins", "--set", "train.epochs=1", "--runs", "runs")
    assert "completed" in words
