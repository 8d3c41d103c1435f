"""Strict validation: from nodes to a `Recipe`, with every problem at once, each in its place.

Bottom-up: parts are built first and handed to the section that holds them, so that a mistake inside one part never
hides a mistake elsewhere.
"""

from __future__ import annotations

import math
import typing
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from engine.parts import catalog
from engine.parts.part import Part, find, names
from engine.recipe import hints, reader
from engine.recipe.edits import MISSING, Edit
from engine.recipe.paths import child
from engine.recipe.problem import Problem
from engine.recipe.reader import Entry, Node, Tree
from engine.recipe.scalars import NumberTooLong, plain_value, write_flow
from engine.recipe.schema import Data, Recipe, Section
from engine.recipe.sound import Sound, Unsound
from engine.recipe.words import allows_none, expected, listed, members, shown

_FAILED = object()
"""What a value became that has a problem already."""

ARTICLES = {
    "layer": "a layer",
    "init": "an initialisation",
    "loss": "a loss",
    "optimizer": "an optimizer",
    "scheduler": "a schedule",
    "augmentation": "an augmentation",
    "metric": "a metric",
    "source": "a source",
}


@dataclass(frozen=True)
class Validated:
    """What a text holds."""

    recipe: Recipe | None
    """None where there is a problem."""
    problems: list[Problem]
    """In the order of the text."""
    sound: Sound = field(default_factory=lambda: Sound({}))
    """All of the recipe that has no problem, defaults included."""

    def to_read(self) -> Recipe | None:
        """The recipe, or as much of it as reading its data needs: task, data and loss. None where these have a
        problem."""
        if self.recipe is not None:
            return self.recipe
        try:
            task, data, loss = self.sound.task, self.sound.data, self.sound.loss
        except Unsound:
            return None
        return Recipe.model_construct(task=task, data=data, loss=loss) if isinstance(data, Data) else None


def validate(tree: Tree) -> tuple[Recipe | None, list[Problem]]:
    """The recipe, or None where it has a problem, and every problem found, in the order of the text."""
    found = validated(tree)
    return found.recipe, found.problems


def validated(tree: Tree) -> Validated:
    """As `validate`, with what is sound in a recipe that has problems."""
    catalog.load()
    if tree.partial:
        return Validated(None, sorted(tree.problems, key=_order))
    root = tree.root
    if root is None or (root.kind == "scalar" and reader.data(root) is None):
        empty = Problem(1, 1, "", "the recipe is empty", "`goodfit new DATA` writes a first recipe")
        return Validated(None, [*tree.problems] or [empty])
    if root.kind != "mapping":
        message = "a recipe is a mapping with keys such as data and model"
        form = Problem(root.line, root.column, "", message, "`goodfit new DATA` writes a first recipe")
        return Validated(None, sorted([*tree.problems, form], key=_order))
    walk = _Walk()
    walk.problems += tree.problems
    walk.reported |= {problem.path for problem in tree.problems}
    walk.numbers(root, "")
    recipe = walk.model(Recipe, root, "", (1, 1), "the recipe")
    walk.problems.sort(key=_order)
    whole = recipe if isinstance(recipe, Recipe) and not walk.problems else None
    return Validated(whole, walk.problems, walk.sound[""])


def part_problems(cls: type[Part], settings: dict[str, Any]) -> list[Problem]:
    """What is wrong with a part of this type and these settings, on its own."""
    walk = _Walk()
    node = reader.read(write_flow({**settings, "type": cls.type_name()})).root
    if node is not None:
        walk.part(cls, node, "", (1, 1))
    return walk.problems


def _order(problem: Problem) -> tuple[int, int]:
    return problem.line, problem.column


class _Walk:
    """One walk over the nodes; problems gather in `problems`."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.reported: set[str] = set()
        """Paths that have a problem already."""
        self.meant: list[str] = []
        """Paths that unknown keys were probably meant for: what should stand there is not known."""
        self.sound: dict[str, Sound] = {}
        """By path of a section, its keys that have no problem."""

    def report(self, place: tuple[int, int], path: str, message: str, hint: str = "", *fixes: Edit) -> None:
        line, column = place
        self.problems.append(Problem(line, column, path, message, hint, fixes=(fixes,) if fixes else ()))

    def numbers(self, node: Node, path: str) -> None:
        """Report numbers that no setting takes: infinite ones, NaN, and those of hundreds of digits."""
        for index, item in enumerate(node.items):
            self.numbers(item, child(path, index))
        for entry in node.entries:
            self.numbers(entry.value, child(path, entry.key))
        if node.kind != "scalar" or node.style:
            return
        try:
            value = plain_value(node.text)
        except NumberTooLong:
            value = math.inf
        if isinstance(value, float) and not math.isfinite(value):
            message = f"{shown(node.text)} is not a number that can be used"
            self.report((node.line, node.column), path, message, "write a finite number")
            self.reported.add(path)

    def model(
        self, cls: type[BaseModel], node: Node, path: str, place: tuple[int, int], what: str, type_name: str = ""
    ) -> Any:
        """Build a section or a part from a mapping (or from a part's short form). `place` is where its key stands."""
        values: dict[str, Any] = {}
        failed: set[str] = set()
        before = len(self.problems)
        for entry in node.entries:
            if type_name and entry.key == "type":
                continue
            field = cls.model_fields.get(entry.key)
            if field is None:
                self._unknown_key(cls, node, entry, path, what)
                continue
            value = self.value(entry.value, field.annotation, child(path, entry.key), _place(entry.node))
            if value is _FAILED or child(path, entry.key) in self.reported:
                failed.add(entry.key)
            else:
                values[entry.key] = value
        try:
            built = cls.model_validate(values)
        except ValidationError as error:
            self._explain(error, cls, node, path, place, what, failed)
            failed |= {str(item["loc"][0]) for item in error.errors() if item["loc"]}
            built = None
        if issubclass(cls, Section):
            self._keep_sound(cls, path, values, failed)
        return built if len(self.problems) == before and not failed else _FAILED

    def _keep_sound(self, cls: type[BaseModel], path: str, values: dict[str, Any], failed: set[str]) -> None:
        kept = {}
        for name, info in cls.model_fields.items():
            here = child(path, name)
            if name not in failed and not any(f"{meant}.".startswith(f"{here}.") for meant in self.meant):
                kept[name] = values.get(name, info.get_default())
            elif here in self.sound:
                kept[name] = self.sound[here]
        self.sound[path] = Sound(kept)

    def value(self, node: Node, annotation: Any, path: str, place: tuple[int, int]) -> Any:
        """A field's value: parts and sections are built, all else becomes plain values for pydantic to judge."""
        empty = node.kind == "scalar" and not node.style and reader.data(node) is None
        if empty and allows_none(annotation):
            return None
        for member in members(annotation):
            if isinstance(member, type) and issubclass(member, Part):
                return self.part(member, node, path, place)
            if isinstance(member, type) and issubclass(member, BaseModel) and node.kind == "mapping":
                return self.model(member, node, path, place, path.rpartition(".")[2])
            if typing.get_origin(member) is list and node.kind == "sequence":
                (inner,) = typing.get_args(member)
                if any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in members(inner)):
                    items = [
                        self.value(item, inner, child(path, index), _place(item))
                        for index, item in enumerate(node.items)
                    ]
                    return _FAILED if any(item is _FAILED for item in items) else items
        return reader.data(node)

    def part(self, base: type[Part], node: Node, path: str, place: tuple[int, int]) -> Any:
        """Build a part from `{type: Adam, lr: 1e-3}` or from its short form `Adam`."""
        family = base.family
        what = ARTICLES.get(family, family)
        entry = node.entry("type") if node.kind == "mapping" else None
        word = node if node.kind == "scalar" else entry.value if entry else None
        if node.kind == "sequence":
            self.report(_place(node), path, f"{what} is a word or a mapping with a type, not a list", _usual(family))
            return _FAILED
        if node.kind == "mapping" and entry is None:
            self.report(place, path, f"{what} needs a type", f"types: {listed(names(family))}")
            return _FAILED
        if word is None or word.kind != "scalar" or not isinstance(reader.data(word), str) or not word.text:
            found = shown(reader.data(word))
            where = _place(word) if word else place
            type_path = child(path, "type") if entry else path
            self.report(where, type_path, f"the type of {what} is a word, not {found}", _usual(family))
            return _FAILED
        name = word.text
        cls = find(family, name)
        if cls is None:
            type_path = child(path, "type") if entry else path
            message, hint, fix = hints.unknown_type(family, name, path, node)
            self.report(_place(word), type_path, message, hint, *fix)
            return _FAILED
        return self.model(cls, node, path, place, name, type_name=name)

    def _unknown_key(self, cls: type[BaseModel], node: Node, entry: Entry, path: str, what: str) -> None:
        here = child(path, entry.key)
        known = [*(["type"] if issubclass(cls, Part) else []), *cls.model_fields]
        message = f"{what} has no key {shown(entry.key)}"
        hint, fixes = hints.unknown_key(entry, path, known, [other.key for other in node.entries])
        self.report(_place(entry.node), here, message, hint, *fixes)
        self.meant += [fix.path for fix in fixes]

    def _explain(
        self,
        error: ValidationError,
        cls: type[BaseModel],
        node: Node,
        path: str,
        place: tuple[int, int],
        what: str,
        failed: set[str],
    ) -> None:
        """Turn pydantic's errors into problems: one a value, in our words."""
        groups: dict[str, list[tuple[Any, Node, Any, tuple[int, int]]]] = {}
        for item in error.errors(include_url=False, include_context=True, include_input=False):
            loc = item["loc"]
            if loc and loc[0] in failed:
                continue
            if item["type"] == "missing" and len(loc) == 1:
                field = cls.model_fields[str(loc[0])]
                hint = field.description or ""
                self.report(place, path, f"{what} needs the key {loc[0]!r}", hint)
                continue
            at, annotation, found, where = _follow(cls, node, path, loc, place)
            groups.setdefault(at, []).append((item, found, annotation, where))
        for at, group in groups.items():
            # Where a list was written, what is wrong inside it says more than that it is no single value.
            deeper = any(other.startswith(f"{at}.") for other in groups)
            if at not in self.reported and not deeper:
                self._explain_value(at, group)

    def _explain_value(self, path: str, group: list[tuple[Any, Node, Any, tuple[int, int]]]) -> None:
        name = path.rpartition(".")[2]
        bounds = next((entry for entry in group if entry[0]["type"] in _BOUNDS), None)
        own = next((entry for entry in group if entry[0]["type"] in ("value_error", "assertion_error")), None)
        item, node, annotation, where = bounds or own or group[0]
        value = reader.data(node)
        if bounds:
            words, bound = _BOUNDS[item["type"]]
            limit = item["ctx"][bound]
            limit = f"{limit:g}" if isinstance(limit, float) else limit
            self.report(where, path, f"{name} must be {words} {limit}, not {shown(value)}")
        elif own:
            self.report(where, path, str(item["ctx"]["error"]), *hints.together(path, value))
        else:
            hint, meant = hints.meant(node, annotation)
            fixes = [Edit("set", path, meant, expect=value)] if meant is not MISSING else []
            self.report(where, path, f"{name} must be {expected(annotation)}, not {shown(value)}", hint, *fixes)


_BOUNDS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def _place(node: Node) -> tuple[int, int]:
    return node.line, node.column


def _usual(family: str) -> str:
    known = names(family)
    return f"like {known[0]} or {{type: {known[0]}}}" if known else ""


def _follow(
    cls: type[BaseModel], node: Node, path: str, loc: tuple[int | str, ...], place: tuple[int, int]
) -> tuple[str, Any, Node, tuple[int, int]]:
    """Follow pydantic's location down the nodes; names of union members in it lead nowhere and are passed over."""
    annotation: Any = cls
    where = place
    for part in loc:
        if isinstance(part, str) and node.kind == "mapping":
            entry = node.entry(part)
            if entry is None:
                continue
            annotation = _field_annotation(annotation, part)
            node, path = entry.value, child(path, part)
            where = _place(node)
        elif isinstance(part, int) and node.kind == "sequence" and part < len(node.items):
            inner = [typing.get_args(member)[0] for member in members(annotation) if typing.get_origin(member) is list]
            annotation = inner[0] if inner else Any
            node, path = node.items[part], child(path, part)
            where = _place(node)
    return path, annotation, node, where


def _field_annotation(annotation: Any, key: str) -> Any:
    for member in members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel) and key in member.model_fields:
            return member.model_fields[key].annotation
        if typing.get_origin(member) is dict:
            return typing.get_args(member)[1]
    return Any
