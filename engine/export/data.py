"""The part of the file that prepares the data: the same rows, the same split, the same scaling, in plain numpy."""

from __future__ import annotations

from pathlib import Path

from engine.data.features import shift_scale
from engine.data.gather import Gathered, gather
from engine.export.encoding import write_features, write_scaling, write_split, write_target
from engine.export.reading import own_parts, write_constants, write_reading
from engine.export.script import Script, literal
from engine.recipe.schema import Data, Recipe


def write_data(script: Script, recipe: Recipe, base: Path) -> None:
    """Define `prepare()`: {part: (x, y)} as goodfit prepares it. Reads the data once; raises DataError."""
    data = recipe.data
    found = gather(data, recipe.task, base)
    script.use("import numpy as np")
    write_constants(script, data, found, base)
    write_reading(script, data, found)
    write_target(script, data, found)
    write_split(script, data, found)
    if not found.pictures:
        write_features(script, data, found, is_image(found, data))
    if is_image(found, data):
        write_scaling(script, data, found.pictures and found.is_bytes)
    script.define(_prepare(script, data, found))


def is_image(found: Gathered, data: Data) -> bool:
    """Whether samples enter the network as images, scaled by channel as they are fed."""
    return found.pictures or len(data.reshape or ()) > 1


def _prepare(script: Script, data: Data, found: Gathered) -> str:
    """`prepare`: from the file to the parts, in the order in which goodfit does it."""
    table = data.source.type_name() in ("CSV", "Parquet", "ImageFolder")
    pictures = found.pictures
    goal = found.goal
    head = '    """{part: (x, y)}, ready for the network' + (
        ', and the scaling of its pixels."""' if is_image(found, data) else '."""'
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
        if found.size is not None:
            folder = file if data.source.type_name() == "ImageFolder" else f"os.path.dirname({file})"
            lines.append(f"    {variable}_x = images({folder}, {variable}[IMAGE])")
    goals = _goals(goal["kind"], goal["columns"], "main")
    lines += _codes_and_rows(data, found, goals)
    if scaled:
        lines.append(f'    columns = [numbers(cells)[rows["train"]] for cells in {goals}]')
        script.copy(shift_scale)
        lines.append('    scale = [shift_scale(values, "standard") for values in columns]')
    if not pictures:
        lines.append('    fitted = fit(main, rows["train"])')
    for name in sources:
        lines += _encoded(data, found, name, scaled, pictures)
    if is_image(found, data):
        lines.append('    scaling = channels(parts["train"][0])')
    if data.limit is not None:
        codes = "None" if found.codes is None else 'codes[rows["train"]]'
        lines.append(f'    kept = limited({codes}, len(rows["train"]), {data.limit}, {data.split.seed})')
        lines.append('    parts["train"] = tuple(array[kept] for array in parts["train"])')
    result = "parts"
    result += ", scaling" if is_image(found, data) else ""
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
    if found.size is not None:
        lines = [f"    keep = ~np.any([missing({variable}[name]) for name in (IMAGE, {targets})], axis=0)"]
    elif pictures:
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
