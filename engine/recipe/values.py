"""A recipe as plain Python values: looked up, compared and edited without any text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engine.recipe.edits import ANY, MISSING, Edit, EditRefused
from engine.recipe.paths import PathParts, family_at, join, split


def same(a: Any, b: Any) -> bool:
    """Equal in value and in type: 1, 1.0 and True are three values, NaN equals itself, the order of keys is free."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


def matches(found: Any, expected: Any) -> bool:
    """Whether an edit's expectation holds: as `same`, but 1 and 1.0 match."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(matches(found[key], expected[key]) for key in found)
    if isinstance(found, list | tuple) and isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(matches, found, expected))
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    return bool(found == expected) or (found != found and expected != expected)


def copied(value: Any) -> Any:
    """A copy in which no two places share a list or mapping, as in a text."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list | tuple) else value


def item_index(items: list[Any], part: str | int) -> int | None:
    """Index of a list item by index or by its `name`; None where there is none."""
    if isinstance(part, int):
        return part if part < len(items) else None
    for index, item in enumerate(items):
        if isinstance(item, dict) and item.get("name") == part:
            return index
    return None


def lookup(data: Any, parts: PathParts) -> Any:
    """The value at a path, or MISSING. The `type` of a part in short form (`- ReLU`) is the word itself."""
    for at, part in enumerate(parts):
        if isinstance(data, dict):
            if str(part) not in data:
                return MISSING
            data = data[str(part)]
        elif isinstance(data, list):
            index = item_index(data, part)
            if index is None:
                return MISSING
            data = data[index]
        elif isinstance(data, str) and part == "type" and family_at(parts[:at]) and at == len(parts) - 1:
            return data
        else:
            return MISSING
    return data


def check_expectation(data: Any, edit: Edit) -> None:
    """Raises EditRefused where the document does not hold what the edit expects."""
    if edit.expect is ANY:
        return
    found = lookup(data, split(edit.path))
    fits = found is MISSING if edit.expect is MISSING else found is not MISSING and matches(found, edit.expect)
    if not fits:
        raise EditRefused(
            f"{edit.path or 'the recipe'} is {_show(found)}, not {_show(edit.expect)} as the change expected",
            "it was changed meanwhile; look at it again",
        )


def _show(value: Any) -> str:
    text = "missing" if value is MISSING else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def settled(data: Any, edit: Edit) -> Edit:
    """The edit with names of list items as indices, and `loss.type` as `loss` where the loss is in short form."""
    parts = split(edit.path)
    for at, part in enumerate(parts):
        if isinstance(data, list) and isinstance(part, str):
            index = item_index(data, part)
            if index is None:
                return edit
            parts[at] = index
        elif isinstance(data, str) and edit.op == "set" and parts[at:] == ["type"] and family_at(parts[:at]):
            parts = parts[:at]
            break
        data = lookup(data, [parts[at]])
    return replace(edit, path=join(parts))


def changed(data: Any, edit: Edit) -> Any:
    """A copy of `data` after one edit. Raises EditRefused where the edit does not fit."""
    check_expectation(data, edit)
    edit = settled(data, edit)
    parts = split(edit.path)
    root, value = copied(data), copied(edit.value)
    if not parts:
        if edit.op != "set" or not isinstance(value, dict):
            raise EditRefused("the whole recipe can only be set, to a mapping")
        return value
    if root is None and edit.op in ("set", "insert"):
        root = {}
    holder = root
    for at, part in enumerate(parts[:-1]):
        holder = _step(holder, part, parts, at, edit)
    last = parts[-1]
    if isinstance(holder, list):
        _change_list(holder, last, edit, value)
    elif isinstance(holder, dict):
        _change_mapping(holder, str(last), edit, value)
    else:
        raise EditRefused(f"{join(parts[:-1])} holds no keys", "look at the path again")
    return root


def _step(holder: Any, part: str | int, parts: PathParts, at: int, edit: Edit) -> Any:
    """One part down towards the place of the edit, making what is missing on the way."""
    here = join(parts[: at + 1])
    key: Any = str(part)
    if isinstance(holder, list):
        key = item_index(holder, part)
        if key is None:
            raise EditRefused(f"there is no item {here}", _list_hint(holder, join(parts[:at])))
        inner = holder[key]
    elif isinstance(holder, dict):
        inner = holder.get(key)
    else:
        raise EditRefused(f"{join(parts[:at])} holds no keys", "look at the path again")
    if isinstance(inner, dict | list):
        return inner
    below = parts[at + 1]
    if isinstance(inner, str) and family_at(parts[: at + 1]) and edit.op == "set":
        holder[key] = {"type": inner}
    elif inner is None and edit.op == "insert" and at + 2 == len(parts) and below == 0:
        holder[key] = []
    elif inner is None and edit.op in ("set", "insert") and not (edit.op == "insert" and at + 2 == len(parts)):
        holder[key] = {}
    else:
        raise EditRefused(f"{here} holds no {join([below])}", "look at the path again")
    return holder[key]


def _list_hint(items: list[Any], path: str) -> str:
    return f"{path or 'the list'} has {len(items)} items, counted from 0" if items else f"{path} is empty"


def _change_list(items: list[Any], last: str | int, edit: Edit, value: Any) -> None:
    index = item_index(items, last)
    if edit.op == "insert" and index is None and last == len(items):
        items.append(value)
        return
    if index is None:
        raise EditRefused(f"there is no item {edit.path}", _list_hint(items, ""))
    if edit.op == "set":
        items[index] = value
    elif edit.op == "insert":
        items.insert(index, value)
    elif edit.op == "unset":
        del items[index]
    else:
        if edit.to is None or not 0 <= edit.to < len(items):
            raise EditRefused(f"{edit.path} cannot move to {edit.to}", _list_hint(items, ""))
        items.insert(edit.to, items.pop(index))


def _change_mapping(holder: dict[str, Any], key: str, edit: Edit, value: Any) -> None:
    if edit.op == "set":
        holder[key] = value
    elif edit.op == "unset":
        if key not in holder:
            raise EditRefused(f"there is nothing at {edit.path}", "look at the path again")
        del holder[key]
    else:
        raise EditRefused(f"{edit.path} is not an item of a list", f"{edit.op} works on lists such as model.layers")
