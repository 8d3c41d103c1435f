"""Edits as properties: the meaning is that of plain Python, the inverse gives every byte back, other lines stay."""

from __future__ import annotations

import copy
import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.recipe import reader
from engine.recipe.edits import Edit, EditRefused, edit_from_json, edit_to_json
from engine.recipe.paths import join, split
from engine.recipe.scalars import write_flow, write_key, write_scalar
from engine.recipe.splice import apply_edits, apply_with_inverse
from engine.recipe.values import changed, lookup, same

KEYS = st.sampled_from(
    ["a", "lr", "type", "sepal.length", "a b", "ünï", "1", "no", "#x", "k: v", "", "-", "~", '"q"', "name", "[", "日本"]
)
TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            "yes",
            "null",
            "1e-3",
            "0x1",
            "a: b",
            "a #b",
            "- x",
            "'",
            '"',
            "\t",
            "two\nlines",
            " x ",
            "a,b",
            "]",
            "é",
            "=",
            "%",
            "@a",
            "1:30",
            "\x7f",
            "\u2028",
            "🙂",
        ]
    ),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.floats(allow_nan=True, allow_infinity=True),
    TEXTS,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=8,
)
DATA = st.dictionaries(KEYS, VALUES, max_size=5)


class Writer:
    """Writes data as YAML in styles drawn at random: what a person, or another program, may have written."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.newline = draw(st.sampled_from(["\n", "\r\n"]))

    def maybe(self, share: int = 4) -> bool:
        return bool(self.draw(st.integers(0, share)) == 0)

    def document(self, data: dict[str, Any]) -> str:
        text = "\ufeff" if self.maybe(8) else ""
        text += self.comments(0)
        if not data:
            text += "{}" + self.newline if self.maybe(1) else ""
        elif self.maybe(6):
            text += self.flow(data) + self.newline
        else:
            text += self.mapping(data, 0)
        text += self.comments(0)
        return text.removesuffix(self.newline) if self.maybe(5) else text

    def comments(self, indent: int) -> str:
        kinds = ["# a comment", "", "  # 'quoted: [", "#"]
        lines = self.draw(st.lists(st.sampled_from(kinds), max_size=2)) if self.maybe(3) else []
        return "".join(" " * indent + line + self.newline for line in lines)

    def end(self) -> str:
        return ("  # " + self.draw(st.sampled_from(["why", "x: y", "- ]"])) if self.maybe() else "") + self.newline

    def scalar(self, value: Any) -> str:
        if isinstance(value, str):
            return write_scalar(value, self.draw(st.sampled_from(["", "'", '"'])))
        if value is None:
            return str(self.draw(st.sampled_from(["null", "~"])))
        return write_scalar(value)

    def flow(self, value: Any) -> str:
        gap = self.draw(st.sampled_from(["", " "]))
        comma = "," + (self.newline + "          " if self.maybe(7) else " ")
        tail = "," if value and self.maybe(8) else ""
        if isinstance(value, dict):
            pairs = [f"{write_key(key)}: {self.flow(item)}" for key, item in value.items()]
            return "{" + gap + comma.join(pairs) + tail + gap + "}"
        if isinstance(value, list):
            return "[" + gap + comma.join(self.flow(item) for item in value) + tail + gap + "]"
        return self.scalar(value)

    def mapping(self, data: dict[str, Any], indent: int, *, first: str = "") -> str:
        text = ""
        for at, (key, value) in enumerate(data.items()):
            pad = first if at == 0 and first else self.comments(indent) + " " * indent
            text += f"{pad}{write_key(key)}:" + self.value(value, indent, in_list=False)
        return text

    def value(self, value: Any, indent: int, *, in_list: bool) -> str:
        """What stands behind `key:` or `-`."""
        if value is None and self.maybe(2):
            return self.end()
        if not isinstance(value, dict | list) or not value or self.maybe(2):
            return " " + self.flow(value) + self.end()
        step = self.draw(st.integers(1, 4))
        if isinstance(value, list):
            inner = indent + (step if in_list or self.maybe(1) else 0)
            return self.end() + self.items(value, inner)
        if in_list and self.maybe(1):
            return self.mapping(value, indent + 2, first=" ")
        return self.end() + self.mapping(value, indent + step)

    def items(self, values: list[Any], indent: int) -> str:
        text = ""
        for value in values:
            text += self.comments(indent) + " " * indent + "-" + self.value(value, indent, in_list=True)
        return text


@st.composite
def documents(draw: Any) -> tuple[dict[str, Any], str]:
    data = draw(DATA)
    return data, Writer(draw).document(data)


def places(data: Any, parts: list[str | int]) -> list[list[str | int]]:
    found = [parts]
    if isinstance(data, dict):
        for key, value in data.items():
            found += places(value, [*parts, key])
    elif isinstance(data, list):
        for index, value in enumerate(data):
            found += places(value, [*parts, index])
    return found


@st.composite
def cases(draw: Any) -> tuple[dict[str, Any], str, Edit]:
    data, text = draw(documents())
    everywhere = places(data, [])
    parts = draw(st.sampled_from(everywhere))
    found = lookup(data, parts)
    wishes = ["set", "unset"] if parts else []
    if isinstance(found, dict):
        wishes.append("add")
    if isinstance(found, list):
        wishes += ["insert", *(["move"] if found else [])]
    wish = draw(st.sampled_from(wishes))
    if wish == "set":
        return data, text, Edit("set", join(parts), draw(VALUES))
    if wish == "add":
        below = draw(st.lists(KEYS, min_size=1, max_size=3))
        return data, text, Edit("set", join([*parts, *below]), draw(VALUES))
    if wish == "unset":
        return data, text, Edit("unset", join(parts))
    if wish == "insert":
        return data, text, Edit("insert", join([*parts, draw(st.integers(0, len(found)))]), draw(VALUES))
    index = st.integers(0, len(found) - 1)
    return data, text, Edit("move", join([*parts, draw(index)]), to=draw(index))


def by_hand(data: dict[str, Any], edit: Edit, parts: list[str | int]) -> dict[str, Any]:
    """The edit on plain Python values, written without the code under test. Raises LookupError or TypeError."""
    data = copy.deepcopy(data)
    holder: Any = data
    for at, part in enumerate(parts[:-1]):
        if isinstance(holder, dict) and holder.get(part) is None:
            holder[part] = {}
        holder = holder[part]
        if not isinstance(holder, dict | list):
            raise TypeError(at)
    last: Any = parts[-1]
    if edit.op == "set":
        holder[last] = edit.value
    elif edit.op == "unset":
        del holder[last]
    elif edit.op == "insert":
        holder.insert(last, edit.value)
    else:
        holder.insert(edit.to, holder.pop(last))
    return data


def lines(text: str) -> list[str]:
    """The lines without their ends; a byte order mark belongs to none."""
    return [line.rstrip("\r\n") for line in re.split(r"(?<=\n)", text.removeprefix("\ufeff"))]


def own_lines(text: str, parts: list[str | int], edit: Edit) -> set[int]:
    """Lines (from 0) that the edit may touch.

    These are the lines of the value, or those of the brackets around it. Where the place is the first in a list item,
    and so shares its line with a dash, that line and the one that takes its place are the edit's too.
    """
    table = reader.Lines(text)

    def span(start: int, end: int) -> set[int]:
        return set(range(table.place(start)[0] - 1, table.place(max(end, start))[0]))

    def dash(holder: reader.Node, item: reader.Node) -> int:
        at = item.start
        while True:
            start = table.starts[table.place(at)[0] - 1]
            if text[start:].lstrip("\ufeff")[holder.column - 1] == "-":
                return start + holder.column - 1
            at = start - 1

    def alone(index: int) -> bool:
        return not text[table.starts[table.place(index)[0] - 1] : index].strip(" \ufeff")

    node = reader.read(text).root
    if node is not None and node.kind != "scalar" and node.flow:
        return span(node.start, node.end)
    own: set[int] = set()
    for at, part in enumerate(parts):
        last = at == len(parts) - 1
        if node is None or node.kind == "scalar" or node.flow:
            return own
        if edit.op == "unset" and last and at and len(node.items) + len(node.entries) == 1:
            return own
        starts = [e.node.start for e in node.entries] or [dash(node, item) for item in node.items]
        ends = [e.value.end for e in node.entries] or [item.end for item in node.items]
        if node.kind == "mapping":
            index = next((i for i, e in enumerate(node.entries) if e.key == str(part)), None)
        else:
            index = int(part) if int(part) < len(starts) else None
        if last and edit.op == "move":
            low, high = sorted((int(part), edit.to or 0))
            return span(starts[low], ends[high])
        if index is None or (last and edit.op == "insert"):
            return set() if alone(starts[0]) else span(starts[0], starts[0])
        if last and edit.op == "unset" and not alone(starts[index]):
            return span(starts[index], starts[index + 1])
        own = span(starts[index], ends[index])
        node = node.entries[index].value if node.kind == "mapping" else node.items[index]
    return own


def is_subsequence(wanted: list[str], found: list[str]) -> bool:
    rest = iter(found)
    return all(line in rest for line in wanted)


@settings(max_examples=200, deadline=None)
@given(cases())
def test_an_edit_means_what_it_means_on_plain_values(case: tuple[dict[str, Any], str, Edit]) -> None:
    data, text, edit = case
    read = reader.read(text)
    assert not read.problems
    assert same(reader.data(read.root) or {}, data)
    parts: list[Any] = [part if isinstance(part, int) else str(part) for part in split(edit.path)]
    try:
        wanted = by_hand(data, edit, parts)
    except (LookupError, TypeError):
        with pytest.raises(EditRefused):
            apply_edits(text, [edit])
        return
    new, inverse = apply_with_inverse(text, [edit])
    after = reader.read(new)
    assert not after.problems
    assert same(reader.data(after.root) or {}, wanted)
    assert apply_edits(new, inverse) == text

    values = apply_edits(new, [edit_from_json(edit_to_json(back)) for back in inverse])
    assert same(reader.data(reader.read(values).root) or {}, data), "the inverse also holds without its patch"

    own = own_lines(text, parts, edit)
    kept = [line for at, line in enumerate(lines(text)) if at not in own and line]
    assert is_subsequence(kept, lines(new)), (own, new)
    if "\r\n" not in text and text:
        assert "\r" not in new


@settings(max_examples=150, deadline=None)
@given(SCALARS)
def test_scalars_read_back_as_written(value: Any) -> None:
    for like in ("", "'", '"', "1e-3"):
        text = write_scalar(value, like)
        assert same(reader.parse_value(text), value)
        assert same(reader.data(reader.read(f"key: {text}  # why\nnext: 1").root)["key"], value)


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_values_read_back_as_written(value: Any) -> None:
    assert same(reader.parse_value(write_flow(value)), value)


@given(st.lists(st.one_of(st.text(max_size=6), st.integers(0, 10**6)), max_size=5))
def test_paths_round_trip(parts: list[str | int]) -> None:
    assert split(join(parts)) == parts


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_keep_every_bit(value: float) -> None:
    for like in ("", "1e-3"):
        back = reader.parse_value(write_scalar(value, like))
        assert isinstance(back, float)
        assert math.copysign(1, back) == math.copysign(1, value)
        assert back == value


LAYERS = st.one_of(
    st.sampled_from(["ReLU", "Dropout"]),
    st.builds(lambda p, name: {"type": "Dropout", "p": p, "name": name}, st.floats(0, 1), st.sampled_from(["a", "b"])),
    st.just({"type": "Residual", "layers": ["ReLU"]}),
)
RECIPES = st.fixed_dictionaries(
    {"model": st.fixed_dictionaries({}, optional={"layers": st.one_of(st.none(), st.lists(LAYERS, max_size=3))})},
    optional={
        "loss": st.sampled_from(["MSELoss", None, {"type": "MSELoss"}]),
        "optimizer": st.sampled_from(["Adam", {"type": "SGD", "lr": 0.1}]),
        "train": st.one_of(st.none(), st.just({"epochs": 3}), st.just({})),
    },
)
RECIPE_EDITS = st.one_of(
    st.builds(
        lambda path, value: Edit("set", path, value),
        st.sampled_from(
            [
                *("loss.type", "loss.reduction", "optimizer.lr", "optimizer.type", "train.epochs", "model.init.type"),
                *("train.early_stopping.patience", "model.layers.0.p", "model.layers.a.p", "model.layers.1", "seed"),
                *("model.layers.1.layers.0.p", "data.columns", 'data.columns."a.b"', "model"),
            ]
        ),
        st.one_of(SCALARS, st.just({"type": "ReLU"}), st.just({"layers": []}), st.just([1, "x"])),
    ),
    st.builds(lambda at, layer: Edit("insert", f"model.layers.{at}", layer), st.integers(0, 3), LAYERS),
    st.builds(lambda at: Edit("unset", f"model.layers.{at}"), st.sampled_from([0, 1, "a", "b"])),
    st.builds(
        lambda at, to: Edit("move", f"model.layers.{at}", to=to), st.sampled_from([0, 1, "b"]), st.integers(0, 3)
    ),
    st.sampled_from([Edit("unset", "loss"), Edit("unset", "train.epochs"), Edit("insert", "metrics.0", "AUROC")]),
)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_transactions_on_recipes_are_taken_back_whole(drawn: st.DataObject) -> None:
    values = drawn.draw(RECIPES)
    text = Writer(drawn.draw).document(values)
    edits: list[Edit] = []
    for edit in drawn.draw(st.lists(RECIPE_EDITS, min_size=1, max_size=5)):
        try:
            values = changed(values, edit)
        except EditRefused:
            with pytest.raises(EditRefused):
                apply_edits(text, [*edits, edit])
            continue
        edits.append(edit)
    new, inverse = apply_with_inverse(text, edits)
    assert same(reader.data(reader.read(new).root) or {}, values)
    assert apply_edits(new, inverse) == text
    back = apply_edits(new, [edit_from_json(edit_to_json(edit)) for edit in inverse])
    assert same(reader.data(reader.read(back).root) or {}, reader.data(reader.read(text).root) or {})
