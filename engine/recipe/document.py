"""An open recipe: its text, what the text says, and every change of it as one undoable step."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.recipe import paths, reader
from engine.recipe.diff import edits_between
from engine.recipe.edits import MISSING, Edit, Transaction
from engine.recipe.problem import Problem
from engine.recipe.reader import Node, Tree
from engine.recipe.retype import with_types
from engine.recipe.splice import apply_with_inverse
from engine.recipe.values import item_index, lookup

UNDO_STEPS = 1000


@dataclass(frozen=True)
class _Step:
    """One step of undo: the text on either side and the edits between them, both ways."""

    before: str
    after: str
    edits: Transaction
    inverse: Transaction


class Document:
    """A recipe's text and its meaning. All changes go through `apply`, `replace_text`, `undo` and `redo`."""

    def __init__(self, tree: Tree, path: Path | None, raw: bytes | None) -> None:
        self.path = path
        self.version = 0
        """Grows with every change of the text."""
        self.notes: list[str] = []
        """What a person should be told about how the text came about, such as fields that a new type dropped."""
        self._set(tree)
        self._raw = raw
        """The file's bytes when it was last read or written; None where there is no file yet."""
        self._saved = tree.text if raw is not None else ""
        self._unreadable = raw is not None and tree.root is None and tree.text.encode("utf-8", "replace") != raw
        self._done: list[_Step] = []
        self._undone: list[_Step] = []

    @classmethod
    def open(cls, path: str | Path) -> Document:
        """Read a file. Never raises: an unreadable file is a document whose one problem stands at 1:1."""
        path = Path(path)
        try:
            raw = _read_file(path)
        except OSError as error:
            problem = Problem(1, 1, "", f"{path} cannot be read: {error.strerror or error}", _open_hint(error, path))
            return cls(Tree("", None, (problem,), True), path, None)
        return cls(reader.read_bytes(raw), path, raw)

    @classmethod
    def from_text(cls, text: str, path: str | Path | None = None) -> Document:
        """A document that is not on disk yet (or whose file is not to be read)."""
        return cls(reader.read(text), Path(path) if path is not None else None, None)

    def _set(self, tree: Tree) -> None:
        self.tree = tree
        self._data: Any = MISSING
        self._lines: reader.Lines | None = None

    @property
    def text(self) -> str:
        """The text as it stands."""
        return self.tree.text

    @property
    def data(self) -> dict[str, Any]:
        """The recipe as plain Python values; what could be read, where the text is broken."""
        if self._data is MISSING:
            found = reader.data(self.tree.root)
            self._data = found if isinstance(found, dict) else {}
        values: dict[str, Any] = self._data
        return values

    @property
    def dirty(self) -> bool:
        """Whether the text differs from the file."""
        return self.text != self._saved

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return bool(self._undone)

    def get(self, path: str, default: Any = None) -> Any:
        """The value at an edit path, or `default`."""
        found = lookup(self.data, paths.split(path))
        return default if found is MISSING else found

    def position(self, path: str) -> tuple[int, int]:
        """Line and column, from 1, of a value; of what holds it where it is missing."""
        return place(self.tree, path)

    def apply(self, edits: Edit | Iterable[Edit]) -> Transaction:
        """Make edits, all or none, as one step of undo. Returns the edits that take them back.

        Raises EditRefused where one of them does not fit, or where the text is too broken to be edited.
        """
        edits = (edits,) if isinstance(edits, Edit) else tuple(edits)
        before = self.text
        after, inverse = apply_with_inverse(before, edits)
        if after != before:
            self._change(_Step(before, after, edits, inverse))
        return inverse

    def replace_text(self, text: str, *, join: bool = False) -> None:
        """Put another text in place, as one step of undo; `join` makes it one with the step before (typing)."""
        if text == self.text:
            return
        tree, old = reader.read(text), self.data
        found = reader.data(tree.root)
        new = found if isinstance(found, dict) else {}
        step = _Step(self.text, text, edits_between(old, new), edits_between(new, old))
        if join and self._done and not self._undone:
            last = self._done.pop()
            step = _Step(last.before, text, last.edits + step.edits, step.inverse + last.inverse)
        self._change(step, tree)

    def _change(self, step: _Step, tree: Tree | None = None) -> None:
        self._done = [*self._done[-UNDO_STEPS + 1 :], step]
        self._undone.clear()
        self._show(step.after, tree)

    def _show(self, text: str, tree: Tree | None = None) -> None:
        self._set(tree or reader.read(text))
        self._unreadable = False
        self.version += 1

    def undo(self) -> Transaction | None:
        """Take the last step back. Returns the edits that this amounts to, or None where there is no step."""
        if not self._done:
            return None
        step = self._done.pop()
        self._undone.append(step)
        self._show(step.before)
        return step.inverse

    def redo(self) -> Transaction | None:
        """Make the step again that `undo` took back."""
        if not self._undone:
            return None
        step = self._undone.pop()
        self._done.append(step)
        self._show(step.after)
        return step.edits

    def save(self, path: str | Path | None = None) -> None:
        """Write the text, all of it or nothing. Raises UserError where it cannot be written."""
        if path is not None:
            self.path = Path(path)
        if self.path is None:
            raise UserError("the recipe has no file yet", "name one")
        if self._unreadable:
            raise UserError(f"{self.path} could not be read whole, so saving would damage it", "mend the file first")
        raw = self.text.encode("utf-8")
        try:
            write_file(self.path, raw)
        except OSError as error:
            raise UserError(f"{self.path} cannot be written: {error.strerror or error}") from None
        self._raw, self._saved = raw, self.text

    def changed_on_disk(self) -> bool:
        """Whether another program has changed or removed the file since it was read or written here."""
        if self.path is None:
            return False
        try:
            return _read_file(self.path) != self._raw
        except OSError:
            return self._raw is not None

    def reload(self) -> None:
        """Take the file's text, as one step of undo. Raises UserError where it cannot be read."""
        if self.path is None:
            raise UserError("the recipe has no file yet", "save it first")
        try:
            raw = _read_file(self.path)
        except OSError as error:
            raise UserError(f"{self.path} cannot be read: {error.strerror or error}") from None
        tree = reader.read_bytes(raw)
        self.replace_text(tree.text)
        self._set(tree)
        self._raw, self._saved = raw, tree.text
        self._unreadable = tree.root is None and tree.text.encode("utf-8", "replace") != raw


def place(tree: Tree, path: str) -> tuple[int, int]:
    """Line and column, from 1, of the value at a path; where it is missing, of the key of what should hold it."""
    node = tree.root
    here = holder = (1, 1)
    for part in paths.split(path):
        step = _below(node, part)
        if step is None:
            return holder
        key, node = step
        here, holder = (node.line, node.column), (key.line, key.column)
    return here


def _below(node: Node | None, part: str | int) -> tuple[Node, Node] | None:
    """Key and value (for a list item, twice the item) one part further down."""
    if node is None or node.kind == "scalar":
        return None
    if node.kind == "mapping":
        entry = node.entry(str(part))
        return (entry.node, entry.value) if entry else None
    index = item_index([reader.data(item) for item in node.items], part)
    return None if index is None else (node.items[index], node.items[index])


def load(path: str | Path, sets: Sequence[str] = ()) -> Document:
    """Open a recipe and apply `PATH=VALUE` texts to it.

    A new type drops the fields that it lacks; `notes` of the document say so. Raises UserError where a text cannot be
    applied.
    """
    document = Document.open(path)
    if sets:
        edits, document.notes = with_types(document.data, parse_sets(sets))
        document.apply(edits)
    return document


def parse_sets(sets: Sequence[str]) -> Transaction:
    """The edits of `PATH=VALUE` texts, split at the first `=` outside quotes. Raises UserError."""
    edits: list[Edit] = []
    for text in sets:
        path, value = paths.split_assignment(text)
        if not paths.split(path):
            raise paths.PathError(f"{text!r} names no key", "write PATH=VALUE, like optimizer.lr=1e-3")
        edits.append(Edit("set", path, reader.parse_value(value)))
    return tuple(edits)


def _read_file(path: Path) -> bytes:
    """A regular file's bytes, one more than the limit at most; never waits on a pipe or a device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(21, "it is a folder")
        if not stat.S_ISREG(mode):
            raise OSError(22, "it is not a plain file")
        return file.read(reader.MAX_BYTES + 1)


def _open_hint(error: OSError, path: Path) -> str:
    if isinstance(error, FileNotFoundError):
        near = paths_near(path)
        return f"did you mean {near}?" if near else "check the path"
    return "check its permissions" if isinstance(error, PermissionError) else "name a YAML file"


def paths_near(path: Path) -> str:
    """A recipe of nearly the same name in the same folder, or ""."""
    import difflib

    with contextlib.suppress(OSError):
        names = [item.name for item in path.parent.iterdir() if item.suffix in (".yaml", ".yml")][:1000]
        return next(iter(difflib.get_close_matches(path.name, names, 1)), "")
    return ""


def write_file(path: Path, raw: bytes) -> None:
    """Replace a file's content in one step, keeping its permissions; through a link, the file that it names."""
    target = Path(os.path.realpath(path))
    try:
        mode = stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        mode = 0o666 & ~umask
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:200]}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
