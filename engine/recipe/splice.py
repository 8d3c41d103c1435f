"""Edits on the text itself: each touches its own lines and leaves comments, order and style of the rest alone.

Every result is read back and compared with the same edit on plain values, so that a text is either edited as meant or
not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from engine.recipe import scalars
from engine.recipe.edits import MISSING, Edit, EditRefused, Patch, Transaction
from engine.recipe.order import predecessor
from engine.recipe.paths import PathParts, join, split
from engine.recipe.reader import Entry, Node, Tree, data, read
from engine.recipe.values import changed, lookup, same, settled


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """The text after the edits, all or none. Raises EditRefused where one of them does not fit."""
    return apply_with_inverse(text, edits)[0]


def apply_with_inverse(text: str, edits: Iterable[Edit]) -> tuple[str, Transaction]:
    """The text after the edits, and the edits that take them back byte for byte."""
    inverse: list[Edit] = []
    for edit in edits:
        new, back = _apply(text, edit)
        if back is not None:
            inverse.insert(0, replace(back, patch=_patch(new, text)))
        text = new
    return text, tuple(inverse)


def _apply(text: str, edit: Edit) -> tuple[str, Edit | None]:
    tree = read(text)
    if tree.broken:
        problem = tree.problems[0]
        raise EditRefused(f"the text has a mistake in line {problem.line}: {problem.message}", "mend the text first")
    before = data(tree.root)
    before = {} if before is None else before
    if not isinstance(before, dict):
        raise EditRefused("the recipe is not a mapping", "start it with keys such as data: and model:")
    after = changed(before, edit)
    if same(before, after):
        return text, None
    edit = settled(before, edit)
    step = _step(before, after, edit)
    back = _inverse(before, after, step)
    if edit.patch is not None and (old := _unpatched(text, edit.patch)) is not None and _reads_as(old, after):
        return old, back
    while True:
        new = _spliced(tree, before, after, step)
        if new is not None and _reads_as(new, after):
            return new, back
        parts = split(step.path)
        if len(parts) < 2:
            raise EditRefused(f"{edit.path} cannot be changed in this text", "change the text by hand")
        step = Edit("set", join(parts[:-1]), lookup(after, parts[:-1]))


def _reads_as(text: str, values: Any) -> bool:
    tree = read(text)
    found = data(tree.root)
    return not tree.broken and same({} if found is None else found, values)


def _patch(text: str, old: str) -> Patch:
    """What to do to `text` to get `old`: one stretch replaced by another."""
    shorter = min(len(text), len(old))
    start = next((at for at in range(shorter) if text[at] != old[at]), shorter)
    tail = next((at for at in range(shorter - start) if text[-1 - at] != old[-1 - at]), shorter - start)
    return Patch(start, text[start : len(text) - tail], old[start : len(old) - tail])


def _unpatched(text: str, patch: Patch) -> str | None:
    end = patch.start + len(patch.removed)
    return text[: patch.start] + patch.added + text[end:] if text[patch.start : end] == patch.removed else None


def _step(before: Any, after: Any, edit: Edit) -> Edit:
    """The edit at the level where the document can take it: a missing parent is set with all that it will hold."""
    parts = split(edit.path)
    for at in range(1, len(parts)):
        found = lookup(before, parts[:at])
        if not isinstance(found, dict | list) or not found:
            return Edit("set", join(parts[:at]), lookup(after, parts[:at]))
    return edit


def _inverse(before: Any, after: Any, step: Edit) -> Edit:
    """The edit that takes `step` back, as far as values go."""
    parts = split(step.path)
    if step.op == "move":
        return Edit("move", join([*parts[:-1], int(step.to or 0)]), to=int(parts[-1]))
    if step.op == "insert":
        return Edit("unset", step.path, expect=step.value)
    old = lookup(before, parts) if parts else before
    if step.op == "unset":
        if isinstance(lookup(before, parts[:-1]), list):
            return Edit("insert", step.path, old)
        return Edit("set", step.path, old, expect=MISSING)
    if old is MISSING:
        return Edit("unset", step.path, expect=lookup(after, parts))
    return Edit("set", step.path, old, expect=lookup(after, parts))


def _spliced(tree: Tree, before: Any, after: Any, step: Edit) -> str | None:
    """The text after one step, not yet verified; None where the step's place cannot be found."""
    if step.path == "":
        return _set_within(tree.text, [], before, after)
    parts = split(step.path)
    holder = _node_at(tree.root, parts[:-1])
    if holder is None or holder.kind == "scalar":
        if len(parts) == 1 and step.op == "set":
            return _append_first(tree.text, str(parts[0]), lookup(after, parts))
        return None
    text = _Text(tree.text)
    last = parts[-1]
    if holder.kind == "sequence":
        assert isinstance(last, int)
        if step.op == "insert":
            return text.insert_item(holder, last, step.value)
        if step.op == "move":
            return text.move_item(holder, last, int(step.to or 0))
    if step.op == "set":
        old, new = lookup(before, parts), lookup(after, parts)
        if old is MISSING:
            return text.insert_key(holder, str(last), new, predecessor(parts[:-1], str(last), list(_keys(holder))))
        if type(old) is type(new) and isinstance(old, dict | list) and old and new:
            return _set_within(tree.text, parts, old, new)
        return text.replace_value(holder, last, new, top=len(parts) == 1)
    if step.op == "unset":
        remaining = len(holder.items) + len(holder.entries) - 1
        if remaining == 0 and len(parts) > 1:
            above = _node_at(tree.root, parts[:-2])
            empty: Any = {} if holder.kind == "mapping" else []
            return text.replace_value(above, parts[-2], empty, top=False) if above else None
        return text.remove(holder, last)
    return None


def _keys(node: Node) -> Iterable[str]:
    return (entry.key for entry in node.entries)


def _node_at(root: Node | None, parts: PathParts) -> Node | None:
    node = root
    for part in parts:
        if node is None or node.kind == "scalar":
            return None
        if node.kind == "sequence":
            node = node.items[part] if isinstance(part, int) and part < len(node.items) else None
        else:
            entry = node.entry(str(part))
            node = entry.value if entry else None
    return node


def _set_within(text: str, parts: PathParts, old: Any, new: Any) -> str | None:
    """Set a collection by setting what differs inside it, so that the rest keeps its comments."""
    steps: list[Edit] = []
    if isinstance(old, dict):
        steps += [Edit("set", join([*parts, key]), value) for key, value in new.items()]
        steps += [Edit("unset", join([*parts, key])) for key in old if key not in new]
    else:
        start = next((at for at, pair in enumerate(zip(old, new, strict=False)) if not same(*pair)), None)
        start = min(len(old), len(new)) if start is None else start
        tail = 0
        while tail < min(len(old), len(new)) - start and same(old[-1 - tail], new[-1 - tail]):
            tail += 1
        old_end, new_end = len(old) - tail, len(new) - tail
        steps += [Edit("set", join([*parts, at]), new[at]) for at in range(start, min(old_end, new_end))]
        steps += [Edit("unset", join([*parts, at])) for at in reversed(range(new_end, old_end))]
        steps += [Edit("insert", join([*parts, at]), new[at]) for at in range(max(start, old_end), new_end)]
    try:
        return apply_edits(text, steps)
    except EditRefused:
        return None


def _append_first(text: str, key: str, value: Any) -> str:
    """Put the first key into a document without any."""
    newline = _newline(text)
    gap = newline if text and not text.endswith(("\n", "\r", "\ufeff")) else ""
    return f"{text}{gap}{scalars.write_key(key)}:{scalars.write_block(value, 2, newline, top=True)}{newline}"


def _newline(text: str) -> str:
    found = re.search(r"\r\n|\n|\r", text)
    return found.group() if found else "\n"


class _Text:
    """A text and where its lines are; each method returns the text after one change."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = _newline(text)

    def _line_start(self, index: int) -> int:
        start = max(self.text.rfind("\n", 0, index), self.text.rfind("\r", 0, index)) + 1
        return 1 if start == 0 and self.text.startswith("\ufeff") else start

    def _line_end(self, index: int) -> int:
        found = re.compile(r"[\r\n]").search(self.text, index)
        return found.start() if found else len(self.text)

    def _next_line(self, index: int) -> int:
        found = re.compile(r"\r\n|\n|\r").search(self.text, index)
        return found.end() if found else len(self.text)

    def _alone(self, index: int) -> bool:
        """Whether only spaces stand before a character on its line."""
        return not self.text[self._line_start(index) : index].strip(" ")

    def _dash(self, holder: Node, item: Node) -> int:
        """Index of the dash of a block list's item."""
        at = item.start
        while True:
            start = self._line_start(at)
            dash = start + holder.column - 1
            if dash <= item.start and self.text[dash : dash + 1] == "-":
                return dash
            at = start - 1
            if at < holder.start:
                return holder.start

    def _swap(self, *changes: tuple[int, int, str]) -> str:
        text = self.text
        for start, end, new in sorted(changes, reverse=True):
            text = text[:start] + new + text[end:]
        return text

    def replace_value(self, holder: Node, part: str | int, value: Any, *, top: bool) -> str:
        """Put `value` where the value of a key or a list item stands."""
        if holder.kind == "mapping":
            entry = holder.entry(str(part))
            assert entry is not None
            node = entry.value
            colon = re.compile(r"\s*:").match(self.text, entry.node.end)
            anchor, indent = colon.end() if colon else entry.node.end, entry.node.column - 1
            missing_colon = "" if colon else ":"
        else:
            node = holder.items[int(part)]
            anchor = node.start if holder.flow else self._dash(holder, node) + 1
            indent, missing_colon = holder.column - 1, ""
        old = self.text[node.start : node.end]
        block = node.kind != "scalar" and not node.flow
        if isinstance(value, dict | list | tuple):
            if holder.flow:
                new = " " + scalars.write_flow(value)
            elif holder.kind == "sequence":
                new = scalars.write_item(value, indent, self.newline)
            else:
                new = scalars.write_block(value, indent + 2, self.newline, top=top)
        else:
            new = " " + scalars.write_scalar(value, old if node.kind == "scalar" else "")
        if new.startswith(self.newline):
            rest = (self._line_end(anchor), self._line_end(node.end), new) if block else None
            if rest and rest[0] <= node.start:
                return self._swap(rest)
            end = self._line_end(node.end)
            if block or self.text[node.end : end].strip(" ") == "":
                return self._swap((anchor, end, new))
            return self._swap((anchor, node.end, ""), (end, end, new))
        if block and self._line_end(anchor) <= node.start:
            return self._swap((anchor, anchor, new), (self._line_end(anchor), self._line_end(node.end), ""))
        if node.start == node.end:
            return self._swap((anchor, anchor, missing_colon + new))
        if self.newline in new:
            return self._swap((anchor, node.end, new))
        return self._swap((node.start, node.end, new[1:]))

    def insert_key(self, holder: Node, key: str, value: Any, after: str | None) -> str:
        """Put a new key behind the key `after`, or in front of all."""
        entry = holder.entry(after) if after is not None else None
        word = scalars.write_key(key)
        if holder.flow:
            pair = f"{word}: {scalars.write_flow(value)}"
            if not holder.entries:
                return self._swap((holder.start, holder.end, "{" + pair + "}"))
            if entry is None:
                first = holder.entries[0].node.start
                return self._swap((first, first, pair + ", "))
            end = self._entry_end(entry)
            return self._swap((end, end, ", " + pair))
        column = holder.entries[0].node.column - 1
        top = column == 0 and holder.column == 1
        line = f"{word}:{scalars.write_block(value, column + 2, self.newline, top=top)}"
        pad = " " * column
        if entry is None:
            first = holder.entries[0].node.start
            return self._swap((first, first, line + self.newline + pad))
        end = self._line_end(self._entry_end(entry))
        return self._swap((end, end, self.newline + pad + line))

    def _entry_end(self, entry: Entry) -> int:
        return max(entry.node.end, entry.value.end)

    def insert_item(self, holder: Node, index: int, value: Any) -> str:
        """Put a new item in front of item `index`, or at the end."""
        if holder.flow:
            flow = scalars.write_flow(value)
            if not holder.items:
                return self._swap((holder.start, holder.end, f"[{flow}]"))
            if index == 0:
                first = holder.items[0].start
                return self._swap((first, first, flow + ", "))
            end = holder.items[index - 1].end
            return self._swap((end, end, ", " + flow))
        column = holder.column - 1
        line = "-" + scalars.write_item(value, column, self.newline)
        pad = " " * column
        if index == 0:
            first = self._dash(holder, holder.items[0])
            return self._swap((first, first, line + self.newline + pad))
        end = self._line_end(holder.items[index - 1].end)
        return self._swap((end, end, self.newline + pad + line))

    def move_item(self, holder: Node, index: int, to: int) -> str:
        """Take item `index` to index `to`; comments on the items' own lines go with them."""
        spans = [(item.start, item.end if holder.flow else self._line_end(item.end)) for item in holder.items]
        texts = [self.text[start:end] for start, end in spans]
        texts.insert(to, texts.pop(index))
        return self._swap(*((start, end, text) for (start, end), text in zip(spans, texts, strict=True)))

    def remove(self, holder: Node, part: str | int) -> str:
        """Take out a key with its value, or a list item, which is not the only one (but at the top may be)."""
        if holder.kind == "mapping":
            index = next(at for at, entry in enumerate(holder.entries) if entry.key == str(part))
            starts = [entry.node.start for entry in holder.entries]
            ends = [self._entry_end(entry) for entry in holder.entries]
        else:
            index = int(part)
            starts = [item.start if holder.flow else self._dash(holder, item) for item in holder.items]
            ends = [item.end for item in holder.items]
        if holder.flow:
            if len(starts) == 1:
                brackets = "{}" if holder.kind == "mapping" else "[]"
                return self._swap((holder.start, holder.end, brackets))
            if index == len(starts) - 1:
                return self._swap((ends[index - 1], ends[index], ""))
            return self._swap((starts[index], starts[index + 1], ""))
        if self._alone(starts[index]):
            return self._swap((self._line_start(starts[index]), self._next_line(ends[index]), ""))
        return self._swap((starts[index], starts[index + 1], ""))
