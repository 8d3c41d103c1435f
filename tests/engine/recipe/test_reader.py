"""The reader: positions, YAML 1.2's types, what the language leaves out, and texts made to break it."""

from __future__ import annotations

import math
import random
import time
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.errors import UserError
from engine.recipe import reader
from engine.recipe.reader import data, parse_value, read, read_bytes
from engine.recipe.validate import validate

RECIPE = """\
# What it teaches
goodfit: 1
name: "digits ☃"
data:
  source: {type: Builtin, name: digits}   # comes along
  batch_size: 64
model:
  layers:
    - {type: Linear, out_features: 64}
    - ReLU
    - type: Linear
      out_features: outputs
optimizer: {type: Adam, lr: 1e-3}
train:
  epochs: 5
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-7", -7), ("+7", 7), ("007", 7), ("0o17", 15), ("0x1F", 31), ("1e-4", 1e-4), ("1e5", 1e5),
        ("-1.5E+3", -1500.0), (".5", 0.5), ("5.", 5.0), ("true", True), ("False", False), ("null", None), ("~", None),
        ("yes", "yes"), ("NO", "NO"), ("on", "on"), ("y", "y"), ("12:30:45", "12:30:45"), ("1_000", "1_000"),
        ("2026-01-02", "2026-01-02"), ("0b11", "0b11"), ("1e", "1e"), ("e5", "e5"), ("-", None), ("0x", "0x"),
        (".inf", math.inf), ("-.INF", -math.inf), ("inf", "inf"), ("nan", "nan"), ("'1'", "1"), ('"true"', "true"),
        ("''", ""), ('"\\u2028\\x07"', "\u2028\x07"), ("a b", "a b"), ("1.2.3", "1.2.3"),
        ("TRUE", True), ("tRue", "tRue"), ("1e400", math.inf), ("\uff19", "\uff19"), ("-0.0", -0.0),
    ],
)  # fmt: skip
def test_scalars_have_the_types_of_the_core_schema(text: str, value: Any) -> None:
    if text == "-":
        assert data(read("a: [1]\nb:\n  -").root) == {"a": [1], "b": [None]}
        return
    for found in (parse_value(text), data(read(f"key: {text}\n").root)["key"]):
        assert type(found) is type(value)
        assert found == value


def test_nodes_know_their_places() -> None:
    tree = read(RECIPE)
    assert not tree.problems
    root = tree.root
    assert root is not None

    def every(node: reader.Node) -> list[reader.Node]:
        inner = [*node.items, *(each for entry in node.entries for each in (entry.node, entry.value))]
        return [node, *(deeper for each in inner for deeper in every(each))]

    lines = reader.Lines(RECIPE)
    for node in every(root):
        assert lines.place(node.start) == (node.line, node.column)
        if node.kind == "scalar":
            assert data(read(RECIPE[node.start : node.end]).root) == data(node)
    layer = root.entry("model").value.entry("layers").value.items[2]  # type: ignore[union-attr]
    assert (layer.line, layer.column) == (11, 7)
    assert RECIPE[layer.start : layer.end] == "type: Linear\n      out_features: outputs"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_places_hold_with_every_line_end_and_a_byte_order_mark(newline: str) -> None:
    text = "\ufeff" + RECIPE.replace("\n", newline)
    plain, marked = read(RECIPE), read_bytes(text.encode())
    assert not marked.problems
    assert data(marked.root) == data(plain.root)
    assert marked.root is not None
    value = marked.root.entry("train").value.entry("epochs").value  # type: ignore[union-attr]
    assert text[value.start : value.end] == "5"
    assert (value.line, value.column) == (15, 11)


def test_both_parsers_of_pyyaml_give_the_same_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [RECIPE, "a:\nb: {x, y: , z: [1, 2]}\nc: |\n  one\n\nd: 'q'\ne:\n- 1\n- - 2\n  -\n"]
    fast = [read(text) for text in texts]
    monkeypatch.setattr(reader, "_Loader", yaml.Loader)
    assert [read(text) for text in texts] == fast


REFUSED = [
    ("a: &x 1\n", 1, 4, "anchors"),
    ("a: 1\nb: *x\n", 2, 4, "aliases"),
    ("a: !!python/object:os.system x\n", 1, 4, "tags"),
    ("a: !x {b: 1}\n", 1, 4, "tags"),
    ("%TAG ! tag:x,2000:\n---\na: 1\n", 1, 1, "tags"),
    ("a: 1\n<<: {b: 2}\n", 2, 1, "merge keys"),
    ("a: 1\n---\nb: 2\n", 2, 1, "one document"),
    ("a: 1\nb: 2\na: 3\n", 3, 1, "twice"),
    ("m: {a: 1, 'a': 2}\n", 1, 11, "twice"),
    ("? a\n: 1\n", 1, 3, "after ?"),
    ("{? a : 1}\n", 1, 4, "after ?"),
    ("{a: 1}: 2\n", 1, 1, "must be a word"),
    ("[a: 1]\n", 1, 2, "needs braces"),
    ("a:\n\tb: 1\n", 2, 1, ""),
    ("a: [1, 2\nb: 3\n", 2, 2, "bracket is not closed"),
    ("a: 'x\n", 2, 1, "quote is not closed"),
    ("a: b: c\n", 1, 5, "colon is not expected"),
    ("a: 1\n b: 2\n", 2, 3, ""),
    ("a: @x\n", 1, 4, "cannot begin"),
    ("a: 1\x00\n", 1, 5, "U+0000"),
    ("a: 1\nb: \x1b[2J\n", 2, 4, "U+001B"),
    ("a: \x85\n", 1, 4, "U+0085"),
    ("a: b\u2028\n", 1, 5, "U+2028"),
    ("a: \ud800\n", 1, 4, "U+D800"),
    ("a: \ufeff\n", 1, 4, "U+FEFF"),
]


@pytest.mark.parametrize(("text", "line", "column", "words"), REFUSED, ids=lambda value: repr(value)[:30])
def test_what_the_language_leaves_out_is_a_problem_in_its_place(text: str, line: int, column: int, words: str) -> None:
    problem = read(text).problems[0]
    assert (problem.line, problem.column) == (line, column)
    assert words in problem.message
    assert problem.message
    assert problem.severity == "error"


@pytest.mark.parametrize(
    ("raw", "line", "column", "words"),
    [
        (b"a: 1\nb: \xff\n", 2, 4, "byte 0xff is not UTF-8"),
        ("a: ☃\nb: ".encode() + b"\xc3", 2, 4, "byte 0xc3"),
        ("a: 1\n".encode("utf-16"), 1, 1, "byte 0xff"),
        (b"\x89PNG\r\n\x1a\n", 1, 1, "byte 0x89"),
        (b"a" * (256 * 1024 + 1), 1, 1, "larger than 256 KiB"),
        (("é" * (128 * 1024 + 1)).encode(), 1, 1, "larger than 256 KiB"),
    ],
)
def test_unreadable_bytes_are_a_problem_in_their_place(raw: bytes, line: int, column: int, words: str) -> None:
    (problem,) = read_bytes(raw).problems
    assert (problem.line, problem.column) == (line, column)
    assert words in problem.message


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "null\n", "~", "{}"[:0]])
def test_an_empty_recipe_is_one_problem(text: str) -> None:
    recipe, (problem,) = validate(read(text))
    assert recipe is None
    assert (problem.line, problem.column, problem.message) == (1, 1, "the recipe is empty")


@pytest.mark.parametrize("text", ["- a\n", "hello\n", "[1]\n", "'x'"])
def test_a_recipe_is_a_mapping(text: str) -> None:
    assert "is a mapping" in validate(read(text))[1][0].message


def bombs() -> dict[str, str]:
    merge = "a: &a {x: 1}\n" + "".join(
        f"{c}: &{c} {{<<: [{', '.join(f'*{p}' for _ in range(9))}]}}\n"
        for p, c in zip("abcdefg", "bcdefgh", strict=True)
    )
    laughs = "a: &a [x, x]\n" + "".join(
        f"{c}: &{c} [{', '.join(f'*{p}' for _ in range(9))}]\n" for p, c in zip("abcdefg", "bcdefgh", strict=True)
    )
    return {
        "merge keys": merge,
        "aliases": laughs,
        "depth": "[" * 200_000,
        "braces": "{a: " * 60_000,
        "dashes": "- " * 100_000,
        "questions": "? " * 100_000,
        "nodes": "[" + "1," * 130_000 + "]",
        "keys": "\n".join(f"k{i}: 1" for i in range(20_000)),
        "same key": "a: 1\n" * 50_000,
        "digits": "a: " + "9" * 200_000,
        "hex": "a: 0x" + "f" * 200_000,
        "exponent": "a: 1e" + "9" * 200_000,
        "quotes": "a: '" + "''" * 100_000,
        "indents": "".join(" " * i + "a:\n" for i in range(600)),
        "comments": "#\n" * 120_000,
        "colons": ":" * 250_000,
        "tags": "!" * 250_000,
        "words": "a " * 120_000,
        "flow keys": "{" + "a, " * 80_000 + "}",
        "long key": "a" * 250_000 + ": 1",
        "block": "a: |\n" + " x\n" * 80_000,
    }  # fmt: skip


@pytest.mark.parametrize("name", bombs())
def test_bombs_end_quickly(name: str) -> None:
    started = time.process_time()
    recipe, problems = validate(read(bombs()[name]))
    assert time.process_time() - started < 2.0
    assert recipe is None
    assert problems


TOKENS = [
    *"[]{}:,-?#&*!|>'\"%@`~\n\t \r\x00\x1b\x7f\x85\u2028\ufeff\U0001f600é",
    "<<", "---", "...", "- ", ": ", "? ", "!!python/object:os.system", "!!timestamp x", "2001-99-99", "!!float x",
    "&a ", "*a", "${env:HOME}", "_target_: os.system", "__init__: 1", "module: os", "class_name: x", "../../etc/passwd",
    "~/x", "file:///dev/zero", "/dev/stdin", "NO", "1e3", "0o8", "1:2:3", "1e18", ".inf", ".nan", "null", "true",
    "  ", "\n  ", "type: Linear", "layers:", "9" * 400, "outputs", "optimizer", "data", "model", "{type: ReLU}",
    "- ReLU\n",
]  # fmt: skip


@st.composite
def mutated(draw: Any) -> str:
    text = RECIPE
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.sampled_from([0, 0, 1, 3, 10])))
        text = text[:at] + draw(st.one_of(st.sampled_from(TOKENS), st.text(max_size=3))) + text[end:]
    return text


def judge(text: str) -> None:
    """A text is a recipe, or has problems in places that exist; nothing else may happen."""
    recipe, problems = validate(read(text))
    assert (recipe is None) == bool(problems)
    lines = [len(line) for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    for problem in problems:
        assert problem.message
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= lines[problem.line - 1] + 2


@settings(max_examples=150, deadline=None)
@given(mutated())
def test_mutated_recipes_give_problems_and_never_an_exception(text: str) -> None:
    judge(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
@example("\ufeff")
@example("a: {b: [")
def test_any_text_gives_problems_and_never_an_exception(text: str) -> None:
    judge(text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_give_problems_and_never_an_exception(raw: bytes) -> None:
    recipe, problems = validate(read_bytes(raw))
    assert recipe is None
    assert problems


def test_two_thousand_quick_mutations() -> None:
    generator = random.Random(7)
    for _ in range(2000):
        text = RECIPE
        for _ in range(generator.randint(1, 3)):
            at = generator.randint(0, len(text))
            text = text[:at] + generator.choice(TOKENS) + text[at + generator.choice([0, 1, 5]) :]
        judge(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "a: b",
        "a, b",
        "x # y",
        "1]",
        "a] #",
        "a\nb",
        "{a: [}",
        "*x",
        "&a b",
        "!!int 3",
        "? a",
        "[",
        "'",
        "\x1b",
        "#x",
    ],
)
def test_a_value_on_the_command_line_is_one_flow_value(text: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_value(text)
    assert refused.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, 2]", [1, 2]),
        ("{type: Adam, lr: 1e-3}", {"type": "Adam", "lr": 1e-3}),
        ("a b", "a b"),
        ("C:\\data.csv", "C:\\data.csv"),
        (" 3 ", 3),
        ("'a: b'", "a: b"),
        ("http://x.y/z?a=1", "http://x.y/z?a=1"),
        ("x#y", "x#y"),
        ("-", "-"),
    ],
)
def test_values_of_the_command_line(text: str, value: Any) -> None:
    assert parse_value(text) == value
