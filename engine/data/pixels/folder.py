"""A folder of images: a subfolder a class, perhaps below folders for training, validation and test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.data.errors import DataError, listing
from engine.data.pixels.contents import in_words

ENDS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm")
)
"""What the names of images end in."""
PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "val", "valid"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Names of folders that are parts of the data, not classes."""


@dataclass(frozen=True)
class Listed:
    """The images of a folder, in the order of their names."""

    names: list[str] = field(default_factory=list)
    """Relative to the folder, with `/`."""
    classes: list[str] = field(default_factory=list)
    """Of each image: the subfolder that it is in."""
    empty: list[str] = field(default_factory=list)
    """Subfolders without an image."""
    others: list[str] = field(default_factory=list)
    """Files that are no images, by their names."""
    loose: list[str] = field(default_factory=list)
    """Images beside the subfolders: of no class."""


def folder_at(base: Path, name: str, key: str) -> Path:
    """The folder that a recipe names. Raises DataError at `key`."""
    try:
        path = base / Path(name).expanduser()
        if not name.strip():
            raise DataError("no folder is named", "give the path of a folder", key)
        if path.is_dir():
            return path
        there = path.exists()
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"{name} cannot be read: {in_words(error)}", "check the path", key) from None
    if there:
        raise DataError(f"{name} is a file, not a folder", "ImageFolder takes a folder with a subfolder a class", key)
    hint = "paths are relative to the recipe's own folder; --data-root or GOODFIT_DATA replaces it"
    raise DataError(f"there is no folder {name} in {base}", hint, key)


def parts_of(root: Path, key: str) -> dict[str, Path]:
    """Folders of parts by part, where every subfolder is named after one (train among them); else nothing."""
    found: dict[str, Path] = {}
    for folder in subfolders(root, key):
        part = PARTS.get(folder.name.lower())
        if part is None:
            return {}
        if part in found:
            names = f"{found[part].name} and {folder.name}"
            raise DataError(f"{root.name} holds {names}: which of them is for {part}?", "keep one", key)
        found[part] = folder
    return found if "train" in found else {}


def subfolders(root: Path, key: str) -> list[Path]:
    """Subfolders by name, hidden ones left out."""
    try:
        return sorted(
            (Path(entry) for entry in os.scandir(root) if entry.is_dir() and not _hidden(entry.name)),
            key=lambda path: path.name,
        )
    except OSError as error:
        raise DataError(f"{root} cannot be read: {in_words(error)}", "check its permissions", key) from None


def list_classes(root: Path, key: str) -> Listed:
    """The images of a folder with a subfolder a class. Raises DataError where it has none."""
    found = Listed()
    for folder in subfolders(root, key):
        before = len(found.names)
        for name in _walk(root, folder, found.others, key):
            found.names.append(name)
            found.classes.append(folder.name)
        if len(found.names) == before:
            found.empty.append(folder.name)
    found.loose.extend(path.name for path in _files(root) if _is_image(path.name))
    found.others.extend(path.name for path in _files(root) if not _is_image(path.name))
    if not found.names:
        what = f"{len(found.loose)} images, but no subfolders with images" if found.loose else "no images"
        hint = f"a subfolder a class, images in it; image files end in {', '.join(sorted(ENDS))}"
        raise DataError(f"{root.name} holds {what}", hint, key)
    _check_names(found.names, key)
    return found


def list_images(root: Path, key: str) -> Listed:
    """All images of a folder, of whatever class; those below a subfolder have its name as their class, others ""."""
    found = Listed()
    found.names.extend(_walk(root, root, found.others, key))
    found.classes.extend(name.partition("/")[0] if "/" in name else "" for name in found.names)
    if not found.names:
        raise DataError(f"{root.name} holds no images", f"image files end in {', '.join(sorted(ENDS))}", key)
    _check_names(found.names, key)
    return found


def more_than_one_class(listed: Listed, root: Path, key: str) -> None:
    """Raises DataError where there is a single class."""
    names = sorted(set(listed.classes))
    if len(names) < 2:
        empty = f" ({listing(listed.empty)}: empty)" if listed.empty else ""
        raise DataError(
            f"{root.name} holds one class alone, '{names[0]}'{empty}: there is nothing to tell apart",
            "a subfolder for each class",
            key,
        )


def _check_names(names: list[str], key: str) -> None:
    """Raises DataError where a name is bytes that are no text: tables and predictions could not name it."""
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        bad = [os.fsencode(name) for name in names if name.encode("utf-8", "replace").decode() != name]
        shown = listing([repr(name)[1:] for name in bad])
        raise DataError(f"these names of images are not UTF-8: {shown}", "rename them", key) from None


def _walk(root: Path, folder: Path, others: list[str], key: str) -> Iterator[str]:
    """Names of images below `folder`, relative to `root`; links are followed, but never in a circle."""
    seen: set[str] = set()

    def failed(error: OSError) -> None:
        raise DataError(f"{error.filename} cannot be read: {in_words(error)}", "check its permissions", key) from None

    for place, folders, files in os.walk(folder, followlinks=True, onerror=failed):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not _hidden(name))
        for name in sorted(files):
            if _hidden(name):
                continue
            relative = Path(place, name).relative_to(root).as_posix()
            if _is_image(name):
                yield relative
            else:
                others.append(relative)


def _files(root: Path) -> list[Path]:
    return sorted(Path(entry) for entry in os.scandir(root) if entry.is_file() and not _hidden(entry.name))


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in ENDS  # noqa: PTH122 - a Path for each of a million files is slow


def holds_classes(root: Path) -> bool:
    """Whether a folder looks like one of images: two subfolders or more, and images in each of the first."""
    try:
        folders = [Path(entry) for entry in os.scandir(root) if entry.is_dir() and not _hidden(entry.name)]
        if any(path.suffix in (".yaml", ".yml") for path in _files(root)):
            return False
        if folders and all(folder.name.lower() in PARTS for folder in folders):
            return any(holds_classes(folder) for folder in folders)
        return len(folders) > 1 and all(_has_image(folder) for folder in folders[:20])
    except OSError:
        return False


def _has_image(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(_is_image(entry.name) for entry, _ in zip(entries, range(200), strict=False))
