"""The part of the file between reading and the network: targets, split, features of a table, scaling of images.

Small plain functions are copied from `engine/data`, so that the two can never differ.
"""

from __future__ import annotations

from typing import Any

from engine.data import column, features, images, split
from engine.data.gather import Gathered
from engine.export.script import Script, literal
from engine.recipe.schema import Data, Normalize

TEXTS_OF = '''
def texts(cells: np.ndarray) -> np.ndarray:
    """A column as text, None where a cell is missing; numbers in their shortest form."""
    if cells.dtype == object:
        return cells
    return np.array([None if math.isnan(value) else plain_number(value) for value in cells.tolist()], dtype=object)
'''


def write_target(script: Script, data: Data, found: Gathered) -> None:
    """Define `encode_target`."""
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
    elif data.source.type_name() in ("CSV", "Parquet", "ImageFolder"):
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


def write_split(script: Script, data: Data, found: Gathered) -> None:
    """Define the function that shares rows out."""
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


def write_features(script: Script, data: Data, found: Gathered, image: bool) -> None:
    """Define `fit` and `encode` for the columns of a table."""
    kinds = {kind for _, kind in found.roles.features}
    normalize = "none" if image else data.normalize
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


def write_scaling(script: Script, data: Data, is_bytes: bool) -> None:
    """Define `channels`, the statistics of images."""
    normalize = data.normalize
    if isinstance(normalize, Normalize):
        body = [f"shifts, scales = {literal(normalize.mean)}, {literal(normalize.std)}"]
    elif normalize == "none":
        body = ["shifts, scales = [0.0] * x.shape[1], [1.0] * x.shape[1]"]
    else:
        script.use("import math")
        if is_bytes:
            script.copy(images.byte_counts, images.shift_scale_of)
            fitted = f"[shift_scale_of(counts, {literal(normalize)}) for counts in byte_counts(x)]"
        else:
            script.copy(images._channel)
            fitted = f"[shift_and_scale(x[:, channel], {literal(normalize)}) for channel in range(x.shape[1])]"
        body = [f"fitted = {fitted}", "shifts, scales = zip(*fitted)"]
    if is_bytes:
        body.append("return 1 / 255, shifts, scales")
    else:
        script.copy(images.unit_scale)
        body.append("scale = unit_scale(x)")
        body.append("return scale, [scale * shift for shift in shifts], [scale * each for each in scales]")
    lines = ["def channels(x: np.ndarray) -> tuple:"]
    lines.append('    """What pixels are multiplied by, then what is subtracted from, and divides, each channel."""')
    lines += [f"    {line}" for line in body]
    script.define("\n".join(lines))
