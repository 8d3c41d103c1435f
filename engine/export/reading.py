"""The part of the file that reads: the columns of a table, or the arrays of an archive, as goodfit reads them."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from engine.data import column
from engine.data.gather import Gathered
from engine.data.pixels.folder import ENDS
from engine.data.source_files import is_share
from engine.export.script import Script, literal
from engine.recipe.schema import Data


def own_parts(found: Gathered) -> list[str]:
    """Parts with files or arrays of their own."""
    return [name for name in ("validation", "test") if name in found.usable]


def write_constants(script: Script, data: Data, found: Gathered, base: Path) -> None:
    """Where the data is, and what its columns are."""
    source: Any = data.source
    kind = source.type_name()
    if kind == "Builtin":
        script.use("from importlib.resources import files")
        script.constants.append(f'DATA = files("engine.data") / "builtin/{source.name}.npz"  # comes with goodfit')
    elif kind == "NPY":
        script.constant("FEATURES_FILE", _path(base, source.features))
        script.constant("TARGET_FILE", _path(base, source.target))
    elif kind == "ImageFolder":
        script.constant("DATA", str(found.main.root))
        for part in own_parts(found):
            script.constant(f"{part.upper()}_DATA", str(found.others[part].root))
    else:
        script.constant("DATA", _path(base, source.path))
    for part in ("validation", "test") if kind != "ImageFolder" else ():
        value = getattr(data.split, part)
        if not is_share(value):
            script.constant(f"{part.upper()}_DATA", _path(base, value.path))
    goal = found.goal
    script.constant("TARGETS" if len(goal["columns"]) > 1 else "TARGET", _single(goal["columns"]))
    if goal["classes"]:
        script.constant("CLASSES", goal["classes"])
    if found.size is not None:
        script.constant("IMAGE", found.roles.image, "the column of image files")
        script.constant("SIZE", (found.size.height, found.size.width, found.size.channels), "height, width, channels")
    elif found.main.x is None:
        chosen = found.roles.features
        kinds = {kind for _, kind in chosen}
        if kinds == {"number"}:
            _numbers(script, [name for name, _ in chosen])
        else:
            script.constant("FEATURES", dict(chosen))


def _numbers(script: Script, names: list[str]) -> None:
    """The number columns: those of an array are counted, others named."""
    stem = names[0].removesuffix("0")
    if len(names) > 8 and stem.isidentifier() and names == [f"{stem}{index}" for index in range(len(names))]:
        script.constants.append(f'NUMBERS = [f"{stem}{{index}}" for index in range({len(names)})]')
    else:
        script.constant("NUMBERS", names)


def _path(base: Path, name: str) -> str:
    return str((base / Path(name).expanduser()).absolute())


def _single(names: list[str]) -> Any:
    return names[0] if len(names) == 1 else names


def write_reading(script: Script, data: Data, found: Gathered) -> None:
    """Define `read`, and what turns its columns into numbers."""
    kind = data.source.type_name()
    if found.size is not None:
        _write_images(script)
    if kind == "ImageFolder":
        script.constant("ENDS", tuple(sorted(ENDS)))
        script.use("import os")
        script.define(READ_FOLDER)
        if data.missing == "drop":
            script.define(MISSING)
        return
    if kind in ("CSV", "Parquet"):
        script.constant("EMPTY", column.EMPTY)
        script.define(READ_CSV if kind == "CSV" else READ_PARQUET)
        if kind == "CSV":
            script.use("import csv", "import io")
        else:
            script.use("import polars as pl")
    else:
        script.define(_read_arrays(script, data, found))
    if kind in ("CSV", "Parquet") or any(column_.cells is not None for column_ in found.usable["main"].targets):
        script.constant("BLANKS", column.BLANKS)
    script.use("import math")
    script.define(NUMBERS_OF)
    if data.missing == "drop" and kind in ("CSV", "Parquet"):
        script.define(MISSING)
    elif data.missing == "drop":
        script.constant("EMPTY", column.EMPTY)
        script.define(MISSING_IN_ARRAYS)


def _write_images(script: Script) -> None:
    """Define `images`."""
    from engine.data.pixels import decode

    script.use("import io", "import os", "from typing import Any", "from PIL import Image")
    script.constant("MOST_PIXELS", decode.MOST_PIXELS)
    script.copy(decode.decoded, decode.orientation)
    script.define(IMAGES)


IMAGES = '''
def images(folder: str, files: np.ndarray) -> np.ndarray:
    """Image files as (N, channels, height, width) uint8."""
    found = []
    for file in files:
        with open(os.path.join(folder, file), "rb") as stream:
            found.append(decoded(stream.read(), *SIZE))
    return np.stack(found)
'''

READ_FOLDER = '''
def read(folder: str) -> dict[str, np.ndarray]:
    """The images of a folder with a subfolder a class: their files and classes, in the order of their names."""
    def shown(names: list[str]) -> list[str]:
        return sorted(name for name in names if not name.startswith(".") and name != "__MACOSX")

    files, classes = [], []
    for name in shown(each.name for each in os.scandir(folder) if each.is_dir()):
        for place, folders, inside in os.walk(os.path.join(folder, name), followlinks=True):
            folders[:] = shown(folders)
            found = [file for file in shown(inside) if os.path.splitext(file)[1].lower() in ENDS]
            files += [os.path.relpath(os.path.join(place, file), folder) for file in found]
            classes += [name] * len(found)
    return {"file": np.array(files, dtype=object), "class": np.array(classes, dtype=object)}
'''

READ_CSV = '''
def read(path) -> dict[str, np.ndarray]:
    """Columns of a CSV file by name: text, None where a cell is empty."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        text = file.read()
    first = text.lstrip("\\r\\n").split("\\n", 1)[0]
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\\t", key=first.count)) if row]
    columns = {}
    for name, *cells in zip(*rows):
        cells = [cell.strip(BLANKS) for cell in cells]
        columns[name.strip()] = np.array([None if cell in EMPTY else cell for cell in cells], dtype=object)
    return columns
'''

READ_PARQUET = '''
def read(path) -> dict[str, np.ndarray]:
    """Columns of a Parquet file by name: numbers (NaN: missing) or text (None: missing)."""
    columns = {}
    for series in pl.read_parquet(path).get_columns():
        if series.dtype.is_numeric():
            columns[series.name] = series.cast(pl.Float64).fill_null(math.nan).to_numpy().astype(np.float64)
        elif not series.dtype.is_nested() and series.dtype not in (pl.Binary, pl.Object):
            cells = [None if cell is None else cell.strip(BLANKS) for cell in series.cast(pl.String).to_list()]
            columns[series.name] = np.array([None if cell in EMPTY else cell for cell in cells], dtype=object)
    return columns
'''

NUMBERS_OF = '''
def numbers(cells: np.ndarray) -> np.ndarray:
    """A column as float64, NaN where a cell is missing."""
    if cells.dtype == object:
        return np.array([math.nan if cell is None else float(cell) for cell in cells], dtype=np.float64)
    return cells.astype(np.float64)
'''

MISSING = '''
def missing(cells: np.ndarray) -> np.ndarray:
    """Which cells of a column are missing."""
    return np.array([cell is None for cell in cells]) if cells.dtype == object else np.isnan(cells)
'''


MISSING_IN_ARRAYS = '''
def missing(cells: np.ndarray) -> np.ndarray:
    """Which entries of an array are missing."""
    if cells.dtype.kind in "US":
        return np.array([str(cell).strip(BLANKS) in EMPTY for cell in cells])
    return np.isnan(cells) if cells.dtype.kind == "f" else np.zeros(len(cells), dtype=bool)
'''


def _read_arrays(script: Script, data: Data, found: Gathered) -> str:
    """`read`: features and target of each part, as arrays."""
    source: Any = data.source
    kind = source.type_name()
    lines = ["def read() -> dict[str, tuple[np.ndarray, np.ndarray]]:"]
    lines.append(
        '    """Features and targets as they are in the file: all rows, and parts that have arrays of their own."""'
    )
    if kind == "NPY":
        lines.append('    return {"all": (np.load(FEATURES_FILE), np.load(TARGET_FILE))}')
        return "\n".join(lines)
    lines.append("    arrays = np.load(DATA)")
    x, y = ("x", "y") if kind == "Builtin" else (source.features, source.target)
    if kind == "Builtin":
        lines.append('    return {"all": (arrays["x"].astype(np.float64), arrays["y"])}')
        return "\n".join(lines)
    import numpy as np

    path = next(iter(_sources(script)))
    with np.load(path) as archive:
        names = set(archive.files)
    end = "_train" if f"{x}_train" in names else ""
    lines.append(f'    parts = {{"all": (arrays[{literal(x + end)}], arrays[{literal(y + end)}])}}')
    for part in own_parts(found):
        value = getattr(data.split, part)
        short = {"validation": "_val", "test": "_test"}[part]
        if is_share(value):
            lines.append(f"    parts[{literal(part)}] = (arrays[{literal(x + short)}], arrays[{literal(y + short)}])")
            continue
        with np.load(_constant(script, f"{part.upper()}_DATA")) as archive:
            end = "_train" if f"{x}_train" in archive.files else ""
        lines.append(f"    others = np.load({part.upper()}_DATA)")
        lines.append(f"    parts[{literal(part)}] = (others[{literal(x + end)}], others[{literal(y + end)}])")
    lines.append("    return parts")
    return "\n".join(lines)


def _constant(script: Script, name: str) -> str:
    """Value of a path constant."""
    [line] = [line for line in script.constants if line.startswith(f"{name} = ")]
    return str(ast.literal_eval(line.split(" = ", 1)[1]))


def _sources(script: Script) -> list[str]:
    return [_constant(script, "DATA")]
