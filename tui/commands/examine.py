"""A recipe read, checked and, where it is sound so far, checked against its data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.recipe.problem import Problem

if TYPE_CHECKING:
    from engine.data.facts import Facts
    from engine.recipe.check import Checked
    from engine.recipe.document import Document
    from engine.recipe.schema import Recipe


@dataclass(frozen=True)
class Examined:
    """What is known about a recipe before any of it runs."""

    file: str
    """As the person named it."""
    path: Path
    document: Document
    base: Path
    """Folder that relative data paths start from; absolute."""
    checked: Checked
    facts: Facts | None
    """None where the recipe or its data has errors, or the data was not read."""
    unread: bool = False
    """Whether the data was left to whoever trains, since reading it takes long."""

    @property
    def problems(self) -> Sequence[Problem]:
        """All problems, of recipe and data."""
        return self.checked.problems

    @property
    def errors(self) -> int:
        """How many of them are errors."""
        return sum(problem.severity == "error" for problem in self.problems)

    def resolved(self) -> Recipe:
        """The recipe with every default written. Only where there are no errors and the data was read."""
        from engine.recipe.resolve import resolve

        assert self.checked.recipe is not None and self.facts is not None
        return resolve(self.checked.recipe, self.facts, self.path.stem)


def load_parts(parts: Sequence[Path]) -> None:
    """Make goodfit's parts and those in a person's files known. Raises UserError."""
    from engine.parts import catalog

    catalog.load()
    for file in parts:
        catalog.load_file(file)


def examine(
    word: str, sets: Sequence[str], data_root: Path | None, parts: Sequence[Path], *, patient: bool = True
) -> Examined:
    """Read the recipe that `word` names, make the changes of `--set`, and check all of it.

    Without patience, data that takes long to read is left unread. Raises UserError where there is no such file, or a
    setting cannot be made.
    """
    from engine.recipe.document import Document
    from tui.commands.run_target import find_recipe
    from tui.commands.settings import make_settings, read_settings

    load_parts(parts)
    path = find_recipe(word)
    document = Document.open(path)
    if sets:
        edits = read_settings(sets)
        if document.tree.root is not None or not document.tree.problems:
            make_settings(document, edits)
    base = (data_root or path.parent).expanduser().absolute()
    return examine_document(path, document, base, patient=patient)


def examine_document(path: Path, document: Document, base: Path, *, patient: bool = True) -> Examined:
    """Check a document, and its data too where enough of it is sound to read them by."""
    from engine.data.errors import DataError
    from engine.data.inspect import inspect, takes_long
    from engine.recipe.check import check

    checked = check(document)
    facts: Facts | None = None
    if not patient and checked.to_read is not None and not checked.errors and takes_long(checked.to_read, base):
        return Examined(str(path), path, document, base, checked, None, unread=True)
    if checked.to_read is not None:
        try:
            facts = inspect(checked.to_read, base, decoding())
        except DataError as error:
            checked = check(document, data_problems=[error])
        except UserError as error:
            checked = check(document, data_problems=[DataError(error.message, error.hint)])
        else:
            checked = check(document, facts)
    return Examined(str(path), path, document, base, checked, facts)


def decoding() -> Callable[[str, int, int | None], None]:
    """Says now and then how far the decoding of images has come, where that takes a while."""
    from time import monotonic

    from tui.commands.output import narrate

    told: float | None = None

    def tell(stage: str, done: int, total: int | None) -> None:
        nonlocal told
        if stage != "decoding":
            return
        told = told or monotonic()
        if monotonic() - told > 2:
            told = monotonic()
            narrate(f"decoding images: {done} of {total}")

    return tell
