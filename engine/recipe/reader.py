"""The recipe's YAML, read by PyYAML's events alone, with hard limits, into nodes that know their place in the text.

What the language leaves out (anchors, aliases, tags, merge keys, several documents) is a problem with a position and
never an exception. Scalars stay text here; `engine.recipe.scalars` types them by YAML 1.2's core schema.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from engine.errors import UserError
from engine.recipe.paths import child
from engine.recipe.problem import Problem
from engine.recipe.scalars import NumberTooLong, plain_value
from engine.recipe.words import shown

MAX_BYTES = 256 * 1024
MAX_DEPTH = 24
MAX_NODES = 20_000

_Loader: Any = getattr(yaml, "CLoader", yaml.Loader)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


@dataclass(slots=True)
class Node:
    """A value of the document. `start` and `end` are indices of characters; `line` and `column` count from 1."""

    kind: Literal["scalar", "mapping", "sequence"]
    start: int
    end: int
    line: int
    column: int
    text: str = ""
    """A scalar's text, without quotes."""
    style: str = ""
    """A scalar's style: "" plain, ' or " quoted, | or > block."""
    flow: bool = False
    """A collection in brackets."""
    items: list[Node] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def entry(self, key: str) -> Entry | None:
        """The entry of a mapping, or None."""
        return next((entry for entry in self.entries if entry.key == key), None)


@dataclass(slots=True)
class Entry:
    """One `key: value` of a mapping."""

    key: str
    node: Node
    value: Node


@dataclass(frozen=True)
class Tree:
    """A document as read: its root (None where nothing could be read) and what is wrong with its form."""

    text: str
    root: Node | None
    problems: tuple[Problem, ...] = ()
    partial: bool = False
    """Whether something of the text is not in the nodes, so that what seems missing may stand there."""

    @property
    def broken(self) -> bool:
        """True where the text's form is wrong, so that its meaning cannot be trusted."""
        return bool(self.problems)


def read_bytes(raw: bytes) -> Tree:
    """Read a file's bytes: UTF-8 text, with or without a byte order mark."""
    if len(raw) > MAX_BYTES:
        return Tree("", None, (_too_large(),), True)
    try:
        return read(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        line, column = Lines(before).place(len(before))
        problem = Problem(
            line, column, "", f"byte 0x{raw[error.start]:02x} is not UTF-8 text", "save the file as UTF-8"
        )
        return Tree(raw.decode("utf-8", "replace"), None, (problem,), True)


def read(text: str) -> Tree:
    """Read a document. Never raises: whatever is wrong stands in `problems`."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return Tree(text, None, (_too_large(),), True)
    shift = 1 if text.startswith("\ufeff") else 0
    if bad := _UNPRINTABLE.search(text, shift):
        return Tree(text, None, (_unprintable(text, bad.start()),), True)
    builder = _Builder(text, shift)
    partial = True
    try:
        builder.build(yaml.parse(text[shift:], Loader=_Loader))
        partial = builder.partial
    except _Limit as limit:
        builder.problems.append(limit.problem)
    except yaml.MarkedYAMLError as error:
        builder.problems.append(_syntax_problem(error, text))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        builder.problems.append(Problem(1, 1, "", f"the text cannot be read as YAML: {error}"))
    return Tree(text, builder.root, tuple(builder.problems), partial)


def data(node: Node | None) -> Any:
    """Plain Python values of a node; keys are text. What cannot be typed stays text."""
    if node is None:
        return None
    if node.kind == "mapping":
        values: dict[str, Any] = {}
        for entry in node.entries:
            values.setdefault(entry.key, data(entry.value))
        return values
    if node.kind == "sequence":
        return [data(item) for item in node.items]
    if node.style:
        return node.text
    try:
        return plain_value(node.text)
    except NumberTooLong:
        return node.text


def parse_value(text: str) -> Any:
    """The value of a one-line flow text such as `1e-3`, `hello`, `[1, 2]` or `{type: Adam}`.

    Raises UserError where the text is no such value.
    """
    if not text.strip():
        raise UserError("there is no value", 'write null for nothing, or "" for an empty text')
    if "\n" in text or "\r" in text:
        raise UserError("a value is one line", "put lists in [ ] and mappings in { }")
    wrapped = f"[{text}]"
    tree = read(wrapped)
    if tree.problems:
        problem = tree.problems[0]
        raise UserError(f"the value {text!r} cannot be read: {problem.message}", problem.hint)
    root = tree.root
    if root is None or root.kind != "sequence" or root.end != len(wrapped) or len(root.items) != 1:
        raise UserError(f"{text!r} is not one value", 'put lists in [ ], mappings in { } and text with signs in " "')
    return data(root.items[0])


class Lines:
    """Where each line of a text starts; line ends are \\n, \\r\\n or \\r."""

    def __init__(self, text: str) -> None:
        self.starts = [0, *(match.end() for match in re.finditer(r"\r\n|\n|\r", text))]

    def place(self, index: int) -> tuple[int, int]:
        """Line and column, from 1, of a character."""
        line = bisect_right(self.starts, index)
        return line, index - self.starts[line - 1] + 1


class _Limit(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    node: Node
    path: str
    key: Node | None = None
    """A mapping's key that waits for its value."""
    duplicate: bool = False
    seen: dict[str, int] = field(default_factory=dict)
    """Line of each key so far."""


class _Builder:
    """Turns events into nodes, one after the other, without recursion."""

    def __init__(self, text: str, shift: int) -> None:
        self.text = text
        self.shift = shift
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self.stack: list[_Open] = []
        self.nodes = 0
        self.documents = 0
        self.partial = False

    def build(self, events: Iterator[Any]) -> None:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.documents += 1
                if event.tags:
                    self._refuse(event, "tags are not part of the recipe language", "remove the %TAG line")
                if self.documents > 1:
                    raise _Limit(self._problem(event, "a recipe is one document", "remove what follows the second ---"))
            elif isinstance(event, yaml.AliasEvent):
                self._refuse(event, "aliases (*name) are not part of the recipe language", "write the value out")
                self._place(self._node("scalar", event))
            elif isinstance(event, yaml.ScalarEvent):
                self._marks(event)
                node = self._node("scalar", event)
                node.text, node.style = event.value, event.style or ""
                self._place(node)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._marks(event)
                self._open(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close(event)

    def _problem(self, event: Any, message: str, hint: str = "") -> Problem:
        path = self._path()
        return Problem(event.start_mark.line + 1, event.start_mark.column + 1, path, message, hint)

    def _refuse(self, event: Any, message: str, hint: str) -> None:
        self.problems.append(self._problem(event, message, hint))

    def _path(self) -> str:
        if not self.stack:
            return ""
        top = self.stack[-1]
        if top.node.kind == "sequence":
            return child(top.path, len(top.node.items))
        return top.path if top.key is None else child(top.path, top.key.text)

    def _marks(self, event: Any) -> None:
        if event.anchor is not None:
            self._refuse(event, "anchors (&name) are not part of the recipe language", "write the value out each time")
        if event.tag is not None:
            self._refuse(event, "tags (!name) are not part of the recipe language", "remove the tag")

    def _node(self, kind: Literal["scalar", "mapping", "sequence"], event: Any) -> Node:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _Limit(self._problem(event, f"the recipe has more than {MAX_NODES:,} values", "shorten it"))
        start, end = event.start_mark, event.end_mark
        return Node(kind, start.index + self.shift, end.index + self.shift, start.line + 1, start.column + 1)

    def _open(self, event: Any) -> None:
        kind: Literal["mapping", "sequence"] = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
        node = self._node(kind, event)
        node.flow = bool(event.flow_style)
        if len(self.stack) >= MAX_DEPTH:
            raise _Limit(self._problem(event, f"the recipe is nested more than {MAX_DEPTH} levels deep", "flatten it"))
        if node.flow and self.text[node.start : node.start + 1] not in ("[", "{"):
            self._refuse(event, "a pair inside a list needs braces", "write {key: value}")
        path = self._path()
        self._place(node)
        self.stack.append(_Open(node, path))

    def _close(self, event: Any) -> None:
        node = self.stack.pop().node
        if node.flow:
            node.end = event.end_mark.index + self.shift
        elif node.kind == "sequence":
            node.end = max([node.start, *(item.end for item in node.items)])
        else:
            node.end = max([node.start, *(entry.value.end for entry in node.entries)])

    def _place(self, node: Node) -> None:
        """Give a finished scalar, or a collection just opened, to what holds it."""
        if not self.stack:
            if self.root is None:
                self.root = node
            return
        top = self.stack[-1]
        if node.kind == "scalar" and node.style in ("|", ">"):
            self._trim(node)
        if top.node.kind == "sequence":
            top.node.items.append(node)
        elif top.key is None:
            self._take_key(top, node)
        else:
            if node.kind == "scalar" and node.start == node.end:
                self._settle_empty(node, top.key)
            if not top.duplicate:
                top.node.entries.append(Entry(top.key.text, top.key, node))
            top.key, top.duplicate = None, False

    def _take_key(self, top: _Open, node: Node) -> None:
        top.key = node
        place = (node.line, node.column)
        if node.kind != "scalar":
            self.problems.append(Problem(*place, top.path, "a key must be a word", "quote it if it has brackets"))
            top.duplicate = self.partial = True
            return
        if not node.style and node.text == "<<":
            hint = "write the keys out"
            self.problems.append(Problem(*place, top.path, "merge keys (<<) are not part of the recipe language", hint))
            top.duplicate = self.partial = True
        elif self._explicit(node):
            hint = "write `key: value`"
            self.problems.append(Problem(*place, top.path, "a key after ? is not part of the recipe language", hint))
        elif node.start == node.end:
            self.problems.append(Problem(*place, top.path, "a key is missing in front of the colon"))
        if node.text in top.seen:
            line = top.seen[node.text]
            path = child(top.path, node.text)
            self.problems.append(
                Problem(*place, path, f"{shown(node.text)} stands twice", f"the first is in line {line}")
            )
            top.duplicate = True
        top.seen.setdefault(node.text, node.line)

    def _explicit(self, key: Node) -> bool:
        before = self.text[: key.start].rstrip(" \t\r\n")
        if not before.endswith("?"):
            return False
        line = before[max(before.rfind("\n"), before.rfind("\r")) + 1 :]
        return "#" not in line and bool(re.fullmatch(r"(.*[\s{,\[])?\?", line))

    def _settle_empty(self, node: Node, key: Node) -> None:
        """Place a value that is not there right behind its colon (or its key, in `{key}`)."""
        colon = re.compile(r"\s*:").match(self.text, key.end)
        end = colon.end() if colon else key.end
        if "\n" not in self.text[key.start : end]:
            node.line, node.column = key.line, key.column + end - key.start
        node.start = node.end = end

    def _trim(self, node: Node) -> None:
        """A block scalar ends with its last line of text; what follows belongs to nobody."""
        end = node.end
        while end > node.start and self.text[end - 1] in " \t\r\n":
            end -= 1
        node.end = end


def _too_large() -> Problem:
    return Problem(1, 1, "", f"the recipe is larger than {MAX_BYTES // 1024} KiB", "a recipe is a few hundred lines")


def _unprintable(text: str, index: int) -> Problem:
    line, column = Lines(text[:index]).place(index)
    code = ord(text[index])
    message = f"character U+{code:04X} is not allowed in a recipe"
    return Problem(line, column, "", message, f'remove it, or write it as "\\u{code:04x}" in double quotes')


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    """PyYAML's words, shortened, with a hint for the classic slips."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    said = str(error.problem or error.context or "the text cannot be read as YAML")
    lines = re.split(r"\r\n|\n|\r", text)
    if line > len(lines):
        # PyYAML sees one more line end behind the text.
        line, column = len(lines), len(lines[-1]) + 1
    here = lines[line - 1]
    hint = ""
    if "\\t" in said or "tab" in said or here[:column].strip(" ") == "\t" or here.startswith("\t"):
        hint = "indent with spaces, not with tabs"
    elif "mapping values are not allowed" in said:
        said = "a colon is not expected here"
        hint = "indent the line like its neighbours; put text with a colon in quotes"
    elif "expected ',' or" in said:
        said = f"a bracket is not closed, or a comma is missing ({said})"
        hint = _opened(error)
    elif "could not find expected ':'" in said:
        said, hint = "a colon is missing", "write `key: value`, with a space behind the colon"
    elif "expected <block end>" in said or "did not find expected key" in said:
        said, hint = "the line does not fit the lines above it", "keep the keys of one mapping in one column"
    elif "did not find expected '-'" in said:
        said, hint = "the line does not fit the list above it", "keep the dashes of one list in one column"
    elif "found unexpected end of stream" in said:
        said, hint = "a quote is not closed", _opened(error)
    elif "cannot start any token" in said:
        said, hint = "a value cannot begin with this sign", "put the text in quotes"
    elif "expected node content" in said:
        said, hint = "a value is missing here", "look for a stray comma, dash or bracket"
    elif "<document start>" in said:
        said, hint = "the recipe should end here", "look for a bracket too many, or a key in the wrong column"
    return Problem(line, column, "", said, hint)


def _opened(error: yaml.MarkedYAMLError) -> str:
    mark = error.context_mark
    return f"it was opened in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
