"""The part of the file that reads the data: the same rows, the same split, the same scaling, in plain numpy.

Small plain functions are copied from `engine/data`, so that the two can never differ; what reads a certain source is
written here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.data import column, features, images, split
from engine.data.gather import Gathered, gather
from engine.data.source_files import is_share
from engine.export.script import Script, literal
from engine.recipe.schema import Data, Normalize, Recipe


def write_data(script: Script, recipe: Recipe, base: Path) -> None:
    """Define `prepare()`: {part: (x, y)} as goodfit prepares it. Reads the data once; raises DataError."""
    data = recipe.data
    found = gather(data, recipe.task, base)
    script.use("import numpy as np")
    _constants(script, data, found, base)
    _read(script, data, found)
    _target(script, data, found)
    _split(script, data, found)
    if found.main.x is None:
        _features(script, data, found)
    if is_image(found, data):
        _scaling(script, data)
    script.define(_prepare(data, found))


def is_image(found: Gathered, data: Data) -> bool:
    """Whether samples enter the network as images, scaled by channel as they are fed."""
    return found.main.x is not None or len(data.reshape or ()) > 1


def own_parts(found: Gathered) -> list[str]:
    """Parts with files or arrays of their own."""
    return [name for name in ("validation", "test") if name in found.usable]


# Constants


def _constants(script: Script, data: Data, found: Gathered, base: Path) -> None:
    source: Any = data.source
    kind = source.type_name()
    if kind == "Builtin":
        script.use("from importlib.resources import files")
        script.constants.append(f'DATA = files("engine.data") / "builtin/{source.name}.npz"  # comes with goodfit')
    elif kind == "NPY":
        script.constant("FEATURES_FILE", _path(base, source.features))
        script.constant("TARGET_FILE", _path(base, source.target))
    else:
        script.constant("DATA", _path(base, source.path))
    for part in ("validation", "test"):
        value = getattr(data.split, part)
        if not is_share(value):
            script.constant(f"{part.upper()}_DATA", _path(base, value.path))
    goal = found.goal
    script.constant("TARGETS" if len(goal["columns"]) > 1 else "TARGET", _single(goal["columns"]))
    if goal["classes"]:
        script.constant("CLASSES", goal["classes"])
    if found.main.x is None:
        chosen = found.roles.features
        kinds = {kind for _, kind in chosen}
        if kinds == {"number"}:
            _numbers(script, [name for name, _ in chosen])
        else:
            script.constant("FEATURES", dict(chosen))


def _numbers(script: Script, names: list[str]) -> None:
    """The number columns: those of an array are counted, others named."""
    stem = names[0].removesuffix("0")
    if len(names) > 8 and names == [f"{stem}{index}" for index in range(len(names))]:
        script.constants.append(f'NUMBERS = [f"{stem}{{index}}" for index in range({len(names)})]')
    else:
        script.constant("NUMBERS", names)


def _path(base: Path, name: str) -> str:
    return str((base / Path(name).expanduser()).absolute())


def _single(names: list[str]) -> Any:
    return names[0] if len(names) == 1 else names


# Reading


def _read(script: Script, data: Data, found: Gathered) -> None:
    kind = data.source.type_name()
    if kind in ("CSV", "Parquet"):
        script.constant("EMPTY", column.EMPTY)
        script.define(READ_CSV if kind == "CSV" else READ_PARQUET)
        if kind == "CSV":
            script.use("import csv")
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


READ_CSV = '''
def read(path) -> dict[str, np.ndarray]:
    """Columns of a CSV file by name: text, None where a cell is empty."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        text = file.read()
    first = text.lstrip("\\r\\n").split("\\n", 1)[0]
    rows = [row for row in csv.reader(text.splitlines(keepends=True), delimiter=max(",;\\t", key=first.count)) if row]
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

TEXTS_OF = '''
def texts(cells: np.ndarray) -> np.ndarray:
    """A column as text, None where a cell is missing; numbers in their shortest form."""
    if cells.dtype == object:
        return cells
    return np.array([None if math.isnan(value) else plain_number(value) for value in cells.tolist()], dtype=object)
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
    import ast

    [line] = [line for line in script.constants if line.startswith(f"{name} = ")]
    return str(ast.literal_eval(line.split(" = ", 1)[1]))


def _sources(script: Script) -> list[str]:
    return [_constant(script, "DATA")]


# Target


def _target(script: Script, data: Data, found: Gathered) -> None:
    goal = found.goal
    kind = goal["kind"]
    if kind != "classes":
        script.define(ENCODE_TARGETS[kind])
        if kind == "numbers" and data.target_scale == "none":
            script.functions.pop("encode_target")
            script.define(RAW_TARGETS)
        return
    is_number = found.usable["main"].targets[0].number is not None
    binary = goal["task"] == "binary"
    shape = ", dtype=np.float32)[:, None]" if binary else ", dtype=np.int64)"
    if is_number:
        script.copy(column.plain_number)
        name = "[plain_number(value) for value in numbers(cells).tolist()]"
    elif data.source.type_name() in ("CSV", "Parquet"):
        name = "cells.tolist()"
    elif goal["classes"] == ["false", "true"]:
        name = "[name.strip(BLANKS).lower() for name in cells.astype(str).tolist()]"
    else:
        name = "[name.strip(BLANKS) for name in cells.astype(str).tolist()]"
    which = "of the second class: 1, else 0" if binary else "as its place in CLASSES"
    script.define(f'''
def encode_target(cells: np.ndarray) -> np.ndarray:
    """Each class {which}."""
    names = {name}
    return np.array([CLASSES.index(name) for name in names]{shape}
''')


ENCODE_TARGETS = {
    "onehot": '''
def encode_target(columns: list[np.ndarray]) -> np.ndarray:
    """The class of each row: the column that holds its 1, as a place in CLASSES."""
    order = np.array([CLASSES.index(name) for name in TARGETS], dtype=np.int64)
    return order[np.column_stack([numbers(cells) for cells in columns]).argmax(axis=1)]
''',
    "labels": '''
def encode_target(columns: list[np.ndarray]) -> np.ndarray:
    """(N, labels) float32 of 0 and 1."""
    return np.column_stack([numbers(cells) for cells in columns]).astype(np.float32)
''',
    "numbers": '''
def encode_target(columns: list[np.ndarray], scale: list[tuple[float, float]]) -> np.ndarray:
    """(N, targets) float32, in standard deviations from the training rows' mean."""
    values = np.column_stack([numbers(cells) for cells in columns])
    mean, std = (np.array(each) for each in zip(*scale))
    return ((values - mean) / std).astype(np.float32)
''',
}
RAW_TARGETS = '''
def encode_target(columns: list[np.ndarray], scale: list[tuple[float, float]]) -> np.ndarray:
    """(N, targets) float32, in the target's own units."""
    return np.column_stack([numbers(cells) for cells in columns]).astype(np.float32)
'''


# Split


def _split(script: Script, data: Data, found: Gathered) -> None:
    chosen = data.split
    if chosen.time is not None:
        script.copy(split.count)
        script.define(BY_TIME)
    elif chosen.column is not None:
        script.define(BY_COLUMN)
    elif chosen.group is not None:
        script.copy(split.count, split._sorted, split.by_group)
        script.copy(column.plain_number)
        script.define(TEXTS_OF)
    elif found.codes is None or chosen.stratify is False:
        script.copy(split.count, split._sorted, split.at_random)
    else:
        script.copy(split.count, split.quotas, split._sorted, split.by_class)
    if data.limit is not None:
        script.copy(split.quotas, split.limited)


BY_TIME = '''
def by_time(times: np.ndarray, validation: float, test: float) -> dict[str, np.ndarray]:
    """The latest rows are the test part, those before them the validation part; equal times keep their order."""
    order = np.argsort(times, kind="stable")
    end = len(order) - count(len(order), test)
    start = max(0, end - count(len(order), validation))
    return {"train": np.sort(order[:start]), "validation": np.sort(order[start:end]), "test": np.sort(order[end:])}
'''

BY_COLUMN = '''
def by_column(cells: np.ndarray) -> dict[str, np.ndarray]:
    """A column that says train, validation (or val) or test in every row."""
    part = np.array([{"val": "validation"}.get(str(cell).lower(), str(cell).lower()) for cell in cells])
    return {name: np.flatnonzero(part == name) for name in ("train", "validation", "test")}
'''


# Features


def _features(script: Script, data: Data, found: Gathered) -> None:
    kinds = {kind for _, kind in found.roles.features}
    normalize = "none" if is_image(found, data) else data.normalize
    fill = data.missing in ("mean", "median")
    if "category" in kinds:
        script.use("import math")
        script.copy(column.is_number, column.plain_number, column.in_order, features.level_codes)
        script.define(TEXTS_OF)
    if fill:
        script.copy(features.fill_value)
    given = isinstance(normalize, Normalize)
    if isinstance(normalize, Normalize):
        script.constant("MEAN", normalize.mean)
        script.constant("STD", normalize.std)
    elif normalize != "none":
        script.copy(features.shift_scale)
    script.define(_fit(kinds, normalize, data.missing, given))
    script.define(_encode(kinds, fill))


def _fit(kinds: set[str], normalize: Any, missing: str, given: bool) -> str:
    lines = ["def fit(columns: dict[str, np.ndarray], rows: np.ndarray) -> list:"]
    lines.append('    """What is known from the training rows alone, feature by feature."""')
    lines.append("    fitted = []")
    number = ["values = numbers(columns[name])[rows]"]
    if missing in ("mean", "median"):
        number.append(f"fill = fill_value(values, {literal(missing)})")
    else:
        number.append("fill = 0.0")
    if given:
        number.append("shift, scale = MEAN[position], STD[position]")
        number.append("position += 1")
    elif normalize == "none":
        number.append("shift, scale = 0.0, 1.0")
    else:
        number.append("values = np.ascontiguousarray(np.where(np.isnan(values), fill, values))")
        number.append(f"shift, scale = shift_scale(values, {literal(normalize)})")
    number.append("fitted.append((fill, shift, scale))")
    if given:
        lines.append("    position = 0")
    if kinds == {"number"}:
        lines.append("    for name in NUMBERS:")
        lines += [f"        {line}" for line in number]
    else:
        lines.append("    for name, kind in FEATURES.items():")
        lines.append('        if kind == "category":')
        lines.append(
            "            fitted.append(in_order(text for text in texts(columns[name])[rows] if text is not None))"
        )
        lines.append("            continue")
        lines += [f"        {line}" for line in number]
    lines.append("    return fitted")
    return "\n".join(lines)


def _encode(kinds: set[str], fill: bool) -> str:
    lines = ["def encode(columns: dict[str, np.ndarray], fitted: list) -> np.ndarray:"]
    both = kinds != {"number"}
    levels = "; one column of 0 and 1 for each level of a category" if both else ""
    lines.append(f'    """float32 rows for the network: (value - shift) / scale{levels}."""')
    lines.append("    encoded = []")
    number = ["fill, shift, scale = found", "values = numbers(columns[name])"]
    if fill:
        number.append("values = np.where(np.isnan(values), fill, values)")
    number.append("encoded.append((values - shift) / scale)")
    if both:
        lines.append("    for (name, kind), found in zip(FEATURES.items(), fitted):")
        lines.append('        if kind == "category":')
        lines.append("            codes = level_codes(texts(columns[name]).tolist(), found)")
        lines.append("            encoded += [(codes == code).astype(np.float64) for code in range(len(found))]")
        lines.append("            continue")
    else:
        lines.append("    for name, found in zip(NUMBERS, fitted):")
    lines += [f"        {line}" for line in number]
    lines.append("    return np.column_stack(encoded).astype(np.float32)")
    return "\n".join(lines)


# Images


def _scaling(script: Script, data: Data) -> None:
    normalize = data.normalize
    if isinstance(normalize, Normalize):
        body = [f"return {normalize.mean!r}, {normalize.std!r}"]
    elif normalize == "none":
        body = ["return [0.0] * x.shape[1], [1.0] * x.shape[1]"]
    else:
        script.use("import math")
        script.copy(images._channel)
        body = [
            f"fitted = [shift_and_scale(x[:, channel], {literal(normalize)}) for channel in range(x.shape[1])]",
            "return [shift for shift, _ in fitted], [scale for _, scale in fitted]",
        ]
    lines = ["def channels(x: np.ndarray) -> tuple[list[float], list[float]]:"]
    lines.append('    """What is subtracted from, and divides, each channel of images in [0, 1]."""')
    lines += [f"    {line}" for line in body]
    script.define("\n".join(lines))


# All together


def _prepare(data: Data, found: Gathered) -> str:
    """`prepare`: from the file to the parts, in the order in which goodfit does it."""
    table = data.source.type_name() in ("CSV", "Parquet")
    pictures = found.main.x is not None
    goal = found.goal
    head = '    """{part: (x, y)}, ready for the network' + (
        ', and mean and std of the channels."""' if is_image(found, data) else '."""'
    )
    lines = ["def prepare():", head]
    sources = ["all", *own_parts(found)]
    scaled = goal["kind"] == "numbers"
    if not table:
        lines.append("    arrays = read()")
    for name in sources:
        variable = _variable(name)
        if table:
            file = "DATA" if name == "all" else f"{name.upper()}_DATA"
            lines.append(f"    {variable} = read({file})")
        else:
            lines += _from_arrays(data, found, name, variable)
        if data.missing == "drop":
            lines += _drop(found, variable, pictures)
    goals = _goals(goal["kind"], goal["columns"], "main")
    lines += _codes_and_rows(data, found, goals)
    if scaled:
        lines.append(f'    columns = [numbers(cells)[rows["train"]] for cells in {goals}]')
        lines.append("    scale = [(float(values.mean()), float(values.std()) or 1.0) for values in columns]")
    if not pictures:
        lines.append('    fitted = fit(main, rows["train"])')
    for name in sources:
        lines += _encoded(data, found, name, scaled, pictures)
    if is_image(found, data):
        lines.append('    mean, std = channels(parts["train"][0])')
    if data.limit is not None:
        codes = "None" if found.codes is None else 'codes[rows["train"]]'
        lines.append(f'    kept = limited({codes}, len(rows["train"]), {data.limit}, {data.split.seed})')
        lines.append('    parts["train"] = tuple(array[kept] for array in parts["train"])')
    result = "parts"
    result += ", (mean, std)" if is_image(found, data) else ""
    result += ", scale" if scaled else ""
    lines.append(f"    return {result}")
    return "\n".join(lines)


def _variable(name: str) -> str:
    return "main" if name == "all" else name


def _from_arrays(data: Data, found: Gathered, name: str, variable: str) -> list[str]:
    """Arrays in the shape that the recipe asks for: columns by name, or images and the target's columns."""
    pictures = found.main.x is not None
    lines = [f"    x, y = arrays[{literal(name)}]"]
    if data.source.type_name() != "Builtin":
        lines.append("    x = x[:, None] if x.ndim in (1, 3) else x")
        lines.append("    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y")
    if data.reshape:
        lines.append(f"    x = x.reshape(len(x), {', '.join(map(str, data.reshape))})")
    goal = found.goal["columns"]
    targets = "{TARGET: y}" if len(goal) == 1 else "dict(zip(TARGETS, y.T))"
    if pictures:
        lines.append("    x = np.ascontiguousarray(x if x.dtype == np.uint8 else x.astype(np.float32))")
        lines.append(f"    {variable}_x, {variable} = x, {targets}")
        return lines
    every = [each for each in found.main.columns if each not in goal]
    if [each for each, _ in found.roles.features] == every and {k for _, k in found.roles.features} == {"number"}:
        names = "NUMBERS"
    elif [each for each, _ in found.roles.features] == every:
        names = "FEATURES"
    else:
        names = literal(every)
    if found.is_bytes:
        lines.append("    x = x / 255")
    lines.append(f"    {variable} = dict(zip({names}, x.T)) | {targets}")
    return lines


def _drop(found: Gathered, variable: str, pictures: bool) -> list[str]:
    goal = found.goal["columns"]
    targets = "TARGET," if len(goal) == 1 else "*TARGETS"
    if pictures:
        bad = f"~np.isfinite({variable}_x.reshape(len({variable}_x), -1)).all(axis=1)"
        lines = [f"    keep = ~({bad} | np.any([missing(cells) for cells in {variable}.values()], axis=0))"]
        lines.append(f"    {variable}_x = {variable}_x[keep]")
    else:
        features_ = "NUMBERS" if {kind for _, kind in found.roles.features} == {"number"} else "FEATURES"
        lines = [f"    keep = ~np.any([missing({variable}[name]) for name in (*{features_}, {targets})], axis=0)"]
    lines.append(f"    {variable} = {{name: cells[keep] for name, cells in {variable}.items()}}")
    return lines


def _goals(kind: str, columns: list[str], variable: str) -> str:
    if kind == "classes":
        return f"{variable}[TARGET]"
    return f"[{variable}[TARGET]]" if len(columns) == 1 else f"[{variable}[name] for name in TARGETS]"


def _codes_and_rows(data: Data, found: Gathered, goals: str) -> list[str]:
    chosen, own = data.split, own_parts(found)
    validation = 0.0 if "validation" in own else float(chosen.validation)  # type: ignore[arg-type]
    test = 0.0 if "test" in own else float(chosen.test)  # type: ignore[arg-type]
    lines = []
    if found.codes is not None:
        lines.append(f"    codes = encode_target({goals}).reshape(-1).astype(np.int64)")
    if chosen.column is not None:
        lines.append(f"    rows = by_column(main[{literal(chosen.column)}])")
    elif chosen.time is not None:
        cells = f"main[{literal(chosen.time)}]"
        is_number = found.main.columns[chosen.time].number is not None
        times = f"numbers({cells})" if is_number else f'np.array([cell or "" for cell in {cells}])'
        lines.append(f"    rows = by_time({times}, {validation}, {test})")
    elif chosen.group is not None:
        lines.append(
            f"    rows = by_group(texts(main[{literal(chosen.group)}]).tolist(), {validation}, {test}, {chosen.seed})"
        )
    elif found.codes is None or chosen.stratify is False:
        target = "main_x" if found.main.x is not None else "next(iter(main.values()))"
        lines.append(f"    rows = at_random(len({target}), {validation}, {test}, {chosen.seed})")
    else:
        lines.append(f"    rows = by_class(codes, {validation}, {test}, {chosen.seed})")
    return lines


def _encoded(data: Data, found: Gathered, name: str, scaled: bool, pictures: bool) -> list[str]:
    variable = _variable(name)
    goal = found.goal
    goals = _goals(goal["kind"], goal["columns"], variable)
    y = f"encode_target({goals}, scale)" if scaled else f"encode_target({goals})"
    x = f"{variable}_x" if pictures else f"encode({variable}, fitted)"
    if not pictures and len(data.reshape or ()) > 1:
        x += f".reshape(-1, {', '.join(map(str, data.reshape or ()))})"
    if name == "all":
        return [
            f"    x, y = {x}, {y}",
            "    parts = {name: (x[chosen], y[chosen]) for name, chosen in rows.items()}",
        ]
    return [f"    parts[{literal(name)}] = ({x}, {y})"]
