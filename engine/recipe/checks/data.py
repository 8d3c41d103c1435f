"""The data section: options that contradict each other, and what reading the data showed."""

from __future__ import annotations

from collections.abc import Callable

from engine.parts.source import ImageFolder
from engine.recipe.checks.subject import Subject
from engine.recipe.edits import Edit, Transaction, edit_from_json
from engine.recipe.paths import child
from engine.recipe.schema import PartFile

SHARED = 0.01
"""Share of a part's rows that may stand in the training part too, by chance, before its scores mislead."""


def split_is_one(subject: Subject) -> None:
    """One way to split: by group, by time or by column; shares that leave something for training."""
    split = subject.recipe.data.split
    ways = [name for name in ("group", "time", "column") if getattr(split, name) is not None]
    if len(ways) > 1:
        others = [(Edit("unset", f"data.split.{name}"),) for name in reversed(ways)]
        message = f"a split is by {' or by '.join(ways)}, not by both"
        subject.error(f"data.split.{ways[1]}", message, f"keep one of {', '.join(ways)}", *others)
    shares = [share for share in (split.validation, split.test) if isinstance(share, float)]
    if sum(shares) >= 1:
        message = f"validation and test take {sum(shares):g} of the rows: nothing is left for training"
        fix = (Edit("set", "data.split.validation", 0.15), Edit("set", "data.split.test", 0.15))
        subject.error("data.split", message, "their shares must add up to less than 1", fix)
    if split.validation == 0 and split.column is None:
        message = "a run needs validation rows: without them nothing says when it overfits"
        subject.error("data.split.validation", message, "try 0.15", subject.set("data.split.validation", 0.15))
    if split.column is not None:
        for name in ("validation", "test"):
            # A default written out, as in resolved.yaml, is no mistake.
            usual = type(split).model_fields[name].default
            if subject.document.get(f"data.split.{name}") not in (None, usual):
                message = f"the column {split.column} says which rows are for {name}: this share is not used"
                subject.warn(f"data.split.{name}", message, "remove it", subject.unset(f"data.split.{name}"))


def stratify_fits(subject: Subject) -> None:
    """Stratification needs classes, and a split at random."""
    split = subject.recipe.data.split
    if not split.stratify:
        return
    remove = subject.unset("data.split.stratify")
    if subject.task in ("regression", "multilabel"):
        message = f"stratify keeps the shares of classes, and a {subject.task} has none"
        subject.error("data.split.stratify", message, "remove it", remove)
        return
    for way in ("group", "time", "column"):
        if getattr(split, way) is not None:
            subject.error("data.split.stratify", f"a split by {way} cannot be stratified too", "remove one", remove)


def part_files(subject: Subject) -> None:
    """Parts from files leave nothing to share out by group, time or column."""
    split = subject.recipe.data.split
    files = [name for name in ("validation", "test") if isinstance(getattr(split, name), PartFile)]
    if len(files) == 2:
        for way in ("group", "time", "column"):
            if getattr(split, way) is not None:
                path = f"data.split.{way}"
                message = f"validation and test come from files: there is nothing to split by {way}"
                subject.error(path, message, "remove it", subject.unset(path))


def normalization(subject: Subject) -> None:
    """Statistics given by hand: as many means as deviations."""
    given = subject.recipe.data.normalize
    if isinstance(given, str):
        return
    if len(given.mean) != len(given.std):
        message = f"{len(given.mean)} means but {len(given.std)} standard deviations"
        subject.error("data.normalize.std", message, "give one of each for every feature or channel")
    for index, value in enumerate(given.std):
        if value <= 0:
            subject.error(f"data.normalize.std.{index}", f"a standard deviation is above 0, not {value:g}")


def images_have_a_size(subject: Subject) -> None:
    """Image files are brought to one size; what says so without any image says nothing."""
    data = subject.recipe.data
    size, channels = getattr(data.source, "size", None), getattr(data.source, "channels", None)
    columns = [name for name, kind in data.columns.items() if kind == "image"]
    is_folder = isinstance(data.source, ImageFolder)
    if isinstance(size, list) and len(size) != 2:
        hint = "one number for a square, or [height, width]"
        subject.error("data.source.size", f"size has {len(size)} length{'s' if len(size) != 1 else ''}", hint)
    for key, value, usual in (("size", size, 64), ("channels", channels, 3)):
        path = f"data.source.{key}"
        if columns and not is_folder and value is None and key in type(data.source).model_fields:
            message = f"column '{columns[0]}' holds images: the source needs their {key}"
            hint = "all images are brought to one size" if key == "size" else "1 for grey, 3 for colour"
            subject.error(path, message, hint, subject.set(path, usual))
        elif value is not None and not columns and not is_folder:
            message = f"{key} is for images, and no column holds any"
            subject.warn(path, message, "name their column: data.columns: {COLUMN: image}", subject.unset(path))
    if columns and "size" not in type(data.source).model_fields:
        message = f"{data.source.type_name()} has no columns of image files"
        subject.error(child("data.columns", columns[0]), message, "use a CSV or Parquet file, or an ImageFolder")
    if (columns or is_folder) and data.reshape is not None:
        message = "image files get their shape by data.source.size"
        subject.error("data.reshape", message, "remove it", subject.unset("data.reshape"))


def batches(subject: Subject) -> None:
    """Batches against the number of training rows."""
    data, rows = subject.recipe.data, subject.train_rows
    if rows is None or data.batch_size <= rows:
        return
    fix = subject.set("data.batch_size", max(1, min(32, rows)))
    if data.drop_last:
        message = f"drop_last leaves out every row: a batch of {data.batch_size} is more than the {rows} training rows"
        subject.error("data.drop_last", message, "use a smaller batch_size", fix)
    elif subject.document.get("data.batch_size") is not None and data.limit is None:
        message = f"a batch of {data.batch_size} is more than the {rows} training rows: one update an epoch"
        subject.warn("data.batch_size", message, "a smaller batch_size gives more updates", fix)


def without_effect(subject: Subject) -> None:
    """Keys that change nothing here."""
    data = subject.recipe.data
    # Not of `standard`: the default written out, as in resolved.yaml, is no mistake.
    if subject.document.get("data.target_scale") == "none" and subject.task not in ("regression", None):
        message = f"target_scale is for regression, not for {subject.task}"
        subject.warn("data.target_scale", message, "remove it", subject.unset("data.target_scale"))
    if data.pin_memory and subject.recipe.train.device in ("cpu", "mps"):
        message = f"pin_memory speeds up copies to a CUDA device, and train.device is {subject.recipe.train.device}"
        subject.warn("data.pin_memory", message, "remove it", subject.unset("data.pin_memory"))
    if not data.shuffle:
        message = "without shuffle every epoch sees the rows in the same order, often sorted by class"
        subject.inform("data.shuffle", message, "true is usual", subject.set("data.shuffle", True))


def what_data_says(subject: Subject) -> None:
    """The notes that preparing the data left."""
    facts = subject.facts
    if facts is None:
        return
    for note in facts.warnings:
        severity = str(note.get("severity", "warning"))
        report = {"error": subject.error, "info": subject.inform}.get(severity, subject.warn)
        fix: Transaction = tuple(edit_from_json(edit) for edit in note.get("fix") or ())
        hint = str(note.get("hint") or (_fix_words(fix) if fix else ""))
        report(str(note.get("path", "data")), str(note.get("message", "")), hint, *([fix] if fix else []))
    for parts, rows in facts.shared.items():
        first, _, second = parts.partition("/")
        share = rows / max(1, facts.rows.get(second, 0))
        if first != "train" or not rows:
            continue
        message = f"{rows} {second} row{'s' if rows > 1 else ''} ({share:.1%}) also stand{'s' * (rows == 1)} in train"
        if rows > 1 and share > SHARED:
            hint = "remove duplicates, or split by group"
            subject.warn("data.split", f"{message}: those scores will be too good", hint)
        else:
            subject.inform("data.split", message)


def _fix_words(fix: Transaction) -> str:
    first = fix[0]
    more = f" (and {len(fix) - 1} more)" if len(fix) > 1 else ""
    return f"set {first.path}: {first.value}{more}" if first.op == "set" else ""


CHECKS: tuple[Callable[[Subject], None], ...] = (
    split_is_one,
    stratify_fits,
    part_files,
    normalization,
    images_have_a_size,
    batches,
    without_effect,
    what_data_says,
)
