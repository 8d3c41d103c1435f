"""Whether a run can go on with changed settings, found out before any worker is started for it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UserError

if TYPE_CHECKING:
    from engine.recipe.document import Document
    from engine.recipe.edits import Edit
    from engine.recipe.schema import Recipe


def check_fork(source: Path, document: Document) -> None:
    """Check the recipe that a fork of a run would start with. Raises UserError."""
    load_parts_of(source)
    sound_recipe(source, document)


def check_resume(run_dir: Path, edits: Sequence[Edit], *, paused: bool) -> None:
    """Look whether a run can go on with these edits, from where it is paused or from its last checkpoint.

    Raises UserError.
    """
    from engine.recipe.document import Document
    from engine.recipe.edits import edit_to_json
    from engine.recipe.resolve import resolve
    from engine.runs import checkpoints, live
    from engine.runs.directory import effective_recipe
    from engine.runs.journal import effective, read
    from engine.runs.summary import launch_options
    from engine.search import live as search
    from tui.commands.show import facts_of

    load_parts_of(run_dir)
    asked = [edit_to_json(edit) for edit in edits]
    if launch_options(run_dir).get("kind") == "search":
        search.change(effective_recipe(run_dir), asked, lambda text: sound_recipe(run_dir, Document.from_text(text)))
        return
    records = effective(read(run_dir))
    facts = facts_of(run_dir)
    last = None if paused else checkpoints.latest(records) or {"step": 0}
    step = None if last is None else int(last["step"])

    def read_recipe(text: str) -> Recipe:
        recipe = sound_recipe(run_dir, Document.from_text(text))
        return recipe if facts is None else resolve(recipe, facts)

    text = effective_recipe(run_dir, step)
    rows = [record for record in records if record["type"] == "epoch" and (step is None or record["step"] <= step)]
    begun = max((record["epoch"] for record in rows), default=0)
    live.change(text, read_recipe(text), asked, read_recipe, begun)


def sound_recipe(run_dir: Path, document: Document) -> Recipe:
    """The recipe that a document holds. Prints its errors and raises UserError where it has some."""
    from engine.recipe.check import check
    from tui.commands.problems import show_problems

    checked = check(document)
    problems = [problem for problem in checked.problems if problem.severity == "error"]
    if problems or checked.recipe is None:
        show_problems(f"{run_dir.name}/recipe.yaml", document.text, problems, stream=sys.stderr)
        raise UserError(f"{run_dir.name} cannot go on with these settings")
    return checked.recipe


def load_parts_of(run_dir: Path) -> None:
    """Make known the parts that a run's recipe can name. Raises UserError."""
    from engine.runs.summary import launch_options
    from tui.commands.examine import load_parts

    load_parts([Path(file) for file in launch_options(run_dir).get("parts", ())])
