"""Things to look at in the data before training: each a note with a kind, a severity, a message and, often, a fix.

A note is plain JSON: `{kind, severity, message, columns | rows, path, fix}`. `path` is the edit path that it concerns,
`fix` a list of edits `{op, path, value}` that mends it, or empty.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data.column import Column, distinct
from engine.data.errors import listing
from engine.data.gather import PARTS, Gathered
from engine.data.prepared import Part
from engine.parts.source import Builtin
from engine.recipe.paths import child
from engine.recipe.schema import Recipe

Note = dict[str, Any]
ID_NAME = re.compile(
    r"^$|^unnamed|(^|[\W_])(id|ids|idx|index|uuid|guid|key|nr|no|row|rownum|number)$|(?-i:[a-z]I[dD])$", re.I
)
GROUP_NAME = re.compile(
    r"patient|subject|participant|person|user|customer|client|student|household|family|group|session|visit"
    r"|speaker|author|animal|machine|vehicle|device|(^|[\W_])id$|(?-i:[a-z]I[dD])$",
    re.I,
)

PUNCTUATED = re.compile(r"[,%$€£]")
NUMBER_LIKE = re.compile(r"[-+]?[$€£]? ?[-+]?\d+([.,' ]\d+)*([eE][-+]?\d+)? ?[%$€£]?")


def notes(
    recipe: Recipe, gathered: Gathered, goal: dict[str, Any], columns: list[dict[str, Any]], parts: dict[str, Part]
) -> list[Note]:
    """All notes on prepared data, the most telling first."""
    found: list[Note] = []
    if gathered.main.x is None:
        found += _straddling(recipe, gathered)
        found += _target_copies(gathered, goal)
        found += _ids(gathered, columns)
        found += _left_out(recipe, gathered, columns)
        if not isinstance(recipe.data.source, Builtin):
            # The corners of the digits are always empty: known, harmless, and nobody's mistake.
            found += _still(gathered, columns)
        found += _written_oddly(gathered, columns)
        found += _holes(gathered, columns)
        found += _unseen(gathered)
    elif gathered.main.x.shape[-1] in (1, 3, 4) and gathered.main.x.shape[1] > 4:
        shape = tuple(gathered.main.x.shape[1:])
        message = f"images look like (height, width, channels): {shape} is read as (channels, height, width)"
        hint = "save them with the channels in front: np.moveaxis(x, -1, 1)"
        found.append(_note("channels_last", message, "data.source", hint=hint))
    found += _folders(gathered)
    found += _rows(gathered, goal, parts)
    return found


def _folders(gathered: Gathered) -> list[Note]:
    """What else stands in folders of images."""
    found = []
    for rows in (gathered.main, *gathered.others.values()):
        listed = rows.listed
        if listed is None:
            continue
        for kind, severity, names, words in (
            ("empty_classes", "warning", listed.empty, "holds no images: no class"),
            ("loose_images", "warning", listed.loose, "left out: in no class's folder"),
            ("other_files", "info", listed.others, "left out: no image by its name"),
        ):
            if names:
                message = f"{rows.label}: {listing(names)} {words}"
                found.append(_note(kind, message, "data.source.path", severity, rows=len(names)))
    return found


def _note(kind: str, message: str, path: str, severity: str = "warning", **more: Any) -> Note:
    return {"kind": kind, "severity": severity, "message": message, "path": path, "fix": []} | more


def _ignore(names: list[str]) -> list[dict[str, Any]]:
    return [{"op": "set", "path": child("data.columns", name), "value": "ignore"} for name in names]


def _are(names: list[str]) -> str:
    return f"column{'s' if len(names) > 1 else ''} {listing(names)}"


def _straddling(recipe: Recipe, gathered: Gathered) -> list[Note]:
    """Columns that look like groups (patients, users, ...) whose rows stand in several parts."""
    found = []
    for name, column in gathered.main.columns.items():
        declared = recipe.data.split.group == name
        if gathered.roles.roles[name] == "target" or not (declared or GROUP_NAME.search(name)):
            continue
        values = column.distinct()
        if not declared and not 5 <= values <= len(column) / 1.5:
            continue
        members = []
        for part, (source, rows) in gathered.parts.items():
            held = gathered.others.get(part, gathered.main).columns.get(name)
            members.append(held.take(source.rows[rows]).levels() if held is not None else [])
        counts = Counter(group for groups in members for group in groups)
        several = sum(1 for times in counts.values() if times > 1)
        if several:
            message = (
                f"{several} of {values} values of column '{name}' have rows in several parts: if they are groups "
                "(one patient, one user), the scores will look better than they are"
            )
            fix = [] if declared else [{"op": "set", "path": "data.split.group", "value": name}]
            found.append(_note("straddling_groups", message, "data.split", columns=[name], groups=several, fix=fix))
    return found


def _target_copies(gathered: Gathered, goal: dict[str, Any]) -> list[Note]:
    """Features that say the target, all but exactly."""
    source, train = gathered.parts["train"]
    found = []
    codes = gathered.codes[train] if gathered.codes is not None else None
    numbers = source.targets[0].number if goal["task"] == "regression" else None
    for column in source.columns:
        if codes is not None:
            if len(train) >= 20 and _same_classes(column, train, codes):
                found.append(column.name)
        elif numbers is not None and column.number is not None and len(train) >= 20:
            values, wanted = column.number[train], numbers[train]
            there = ~np.isnan(values)
            values, wanted = values[there], wanted[there]
            if len(values) >= 20 and values.std() > 0 and wanted.std() > 0:
                alike = np.mean((values - values.mean()) * (wanted - wanted.mean())) / (values.std() * wanted.std())
                if abs(alike) > 0.9999:
                    found.append(column.name)
    if not found:
        return []
    verb = "tell" if len(found) > 1 else "tells"
    message = f"{_are(found)} {verb} the target alone: a copy of it, or known only afterwards?"
    return [_note("target_copy", message, "data.columns", columns=found, fix=_ignore(found))]


def _same_classes(whole: Column, rows: Any, codes: Any) -> bool:
    """Whether every class of these rows has a value of its own, and only that."""
    classes = int(codes.max()) + 1
    if whole.take(rows[:500]).distinct() > classes:
        return False
    column, classes = whole.take(rows), distinct(codes)
    if column.missing().any():
        return False
    if column.distinct() != classes:
        return False
    return distinct(column.codes(column.levels()) * (int(codes.max()) + 1) + codes) == classes


def _ids(gathered: Gathered, columns: list[dict[str, Any]]) -> list[Note]:
    names = [row["name"] for row in columns if row["role"] == "feature" and row["type"] != "image"]
    found = [name for name in names if looks_like_id(gathered.main.columns[name])]
    if not found:
        return []
    message = f"{_are(found)} look{'s' if len(found) == 1 else ''} like row numbers or ids: nothing to learn from"
    return [_note("id_like", message, "data.columns", columns=found, fix=_ignore(found))]


def looks_like_id(column: Column) -> bool:
    """A different value in every row that counts the rows, or whose name says id; or text, all different."""
    missing = column.missing()
    n = int((~missing).sum())
    if n < 10:
        return False
    if column.number is None:
        return column.distinct() >= (0.9 if ID_NAME.search(column.name) else 0.98) * n
    values = column.number[~missing]
    if not np.isfinite(values).all() or (values != np.floor(values)).any():
        return False
    if n == len(values) and (np.diff(values) == 1).all():
        return True
    return bool(ID_NAME.search(column.name)) and distinct(values) >= 0.95 * n


def _left_out(recipe: Recipe, gathered: Gathered, columns: list[dict[str, Any]]) -> list[Note]:
    """Columns that nobody declared, left out because they are free text or empty."""
    own = [row for row in columns if row["role"] == "ignored" and row["type"] == "ignore"]
    own = [row for row in own if row["name"] not in recipe.data.columns]
    text = [row["name"] for row in own if row["unique"]]
    empty = [row["name"] for row in own if not row["unique"]]
    found = []
    if text:
        message = f"{_are(text)} left out: text with too many different values for a category"
        found.append(_note("text_ignored", message, child("data.columns", text[0]), "info", columns=text))
    if empty:
        found.append(
            _note("empty", f"{_are(empty)} left out: empty in every row", "data.columns", "info", columns=empty)
        )
    return found


def _written_oddly(gathered: Gathered, columns: list[dict[str, Any]]) -> list[Note]:
    """Columns that are read as text, though every cell of theirs is a number to a person: `3,5`, `1,000`, `12 %`."""
    first = np.arange(min(1000, gathered.main.n))
    examples = {}
    for row in columns:
        column = gathered.main.columns[row["name"]]
        levels = column.take(first).levels() if column.number is None and row["role"] != "split" else []
        odd = [level for level in levels if PUNCTUATED.search(level)]
        if odd and all(map(NUMBER_LIKE.fullmatch, levels)):
            examples[row["name"]] = min(odd)
    if not examples:
        return []
    found = [*examples]
    verb = "look" if len(found) > 1 else "looks"
    message = f"{_are(found)} {verb} like numbers, but {examples[found[0]][:20]!r} is read as text"
    hint = "write plain numbers: digits, and a point for decimals, no separators or units"
    return [_note("odd_numbers", message, "data.columns", columns=found, hint=hint)]


def _still(gathered: Gathered, columns: list[dict[str, Any]]) -> list[Note]:
    """Features that never change in the training part, or hardly ever."""
    source, train = gathered.parts["train"]
    constant, nearly = [], []
    for column in source.columns:
        part = column.take(train)
        if part.number is not None and restless(part.number):
            continue
        _, counts = np.unique(part.number if part.number is not None else part.codes(part.levels()), return_counts=True)
        if len(counts) == 1:
            constant.append(column.name)
        elif len(train) >= 100 and counts.max() >= 0.99 * len(train):
            nearly.append(column.name)
    found = []
    if constant:
        message = f"{_are(constant)} hold{'s' if len(constant) == 1 else ''} one value in every training row"
        # Among pixels and other unnamed values, some that never change are nothing to mend.
        severity = "info" if gathered.main.names else "warning"
        found.append(_note("constant", message, "data.columns", severity, columns=constant, fix=_ignore(constant)))
    if nearly:
        message = f"{_are(nearly)} hold{'s' if len(nearly) == 1 else ''} one value in 99 % of the training rows"
        found.append(_note("near_constant", message, "data.columns", "info", columns=nearly))
    return found


def restless(values: npt.NDArray[np.float64]) -> bool:
    """Whether no value can stand in 99 % of the rows, seen without sorting them: then one in fifty at the most would
    differ from the row before."""
    differ = np.count_nonzero(values[1:] != values[:-1])
    return bool(differ > 0.02 * len(values) + 1) and not np.isnan(values).any()


def _holes(gathered: Gathered, columns: list[dict[str, Any]]) -> list[Note]:
    found = []
    mostly = [r["name"] for r in columns if r["role"] == "feature" and r["missing"] > 0.5 * gathered.main.n]
    if mostly:
        message = f"{_are(mostly)} {'are' if len(mostly) > 1 else 'is'} empty in more than half of the rows"
        found.append(_note("mostly_missing", message, "data.columns", columns=mostly, fix=_ignore(mostly)))
    return found


def _unseen(gathered: Gathered) -> list[Note]:
    """Categories with levels that training never sees: they enter the network as none of the known ones."""
    source, train = gathered.parts["train"]
    found = {}
    for index, (name, kind) in enumerate(gathered.roles.features):
        if kind != "category":
            continue
        known = set(source.columns[index].take(train).levels())
        others = [other.columns[index].take(rows).levels() for other, rows in gathered.parts.values()]
        new = {text for texts in others for text in texts} - known
        if new:
            found[name] = len(new)
    if not found:
        return []
    message = f"{_are([*found])}: {sum(found.values())} categories stand in validation or test, never in training"
    return [_note("unseen_categories", message, "data.split", "info", columns=[*found])]


def _rows(gathered: Gathered, goal: dict[str, Any], parts: dict[str, Part]) -> list[Note]:
    found = []
    dropped = gathered.main.n - len(gathered.usable["main"].rows)
    if dropped:
        share = dropped / gathered.main.n
        message = f"{dropped} of {gathered.main.n} rows are left out: a cell is missing"
        severity = "warning" if share > 0.2 else "info"
        found.append(_note("dropped", message, "data.missing", severity, rows=dropped))
    if goal["kind"] in ("classes", "onehot"):
        counts = np.bincount(parts["train"].y.reshape(-1).astype(np.int64), minlength=len(goal["classes"])).tolist()
        rare = [f"'{name}' ({count})" for name, count in zip(goal["classes"], counts, strict=True) if count < 5]
        if rare and len(parts["train"].rows) >= 10 * len(counts):
            message = f"fewer than 5 training rows of class {listing(rare)}"
            found.append(_note("rare_class", message, "data.source.target"))
    sizes = {name: len(parts[name].rows) for name in PARTS[1:] if name in parts}
    small = [f"{name} ({size})" for name, size in sizes.items() if 0 < size < 30]
    if small:
        message = f"few rows for {' and '.join(small)}: the scores will jump about by chance"
        found.append(_note("small_part", message, "data.split", "info"))
    return found
