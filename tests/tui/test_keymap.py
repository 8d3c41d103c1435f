"""The table of actions, and the bytes that terminals send for its keys."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import get_args

import pytest
from textual import events
from textual._xterm_parser import XTermParser

from tui import keymap
from tui.keymap import ACTIONS, LOCALS, WHERE, Place, available, chords, letter_key, lookup, show_key

PLACES: tuple[Place, ...] = get_args(Place)[1:]


def pressed(data: str) -> list[str]:
    """The keys that Textual reads from what a terminal sends."""
    parser = XTermParser()
    found = [*parser.feed(data), *parser.feed("")]
    return [message.key for message in found if isinstance(message, events.Key)]


# What the four terminals send, as their documentation and `showkey -a` have it. VS Code's terminal is xterm.js; it and
# macOS Terminal send xterm's function keys. tmux passes on xterm's, in its own forms for modified ones.
COMMON = {
    "\x13": "recipe.save",
    "\x1a": "recipe.undo",
    "\x19": "recipe.redo",
    "\x10": "file.quick_open",
    "\x0f": "file.quick_open",
    "\x0e": "file.new",
    "\x02": "view.side_bar",
    "\n": "view.panel",
    "\x11": "view.quit",
    "\x1b[15~": "run.train",
    "\x1b[19~": "recipe.next_problem",
    "t": "run.train",
    "f": "recipe.fix",
    ":": "view.palette",
    "?": "view.keys",
    "]": "file.next_tab",
    "[": "file.previous_tab",
    "E": "recipe.previous_problem",
}
XTERM = {
    **COMMON,
    "\x1bOP": "view.palette",
    "\x1bOR": "view.keys",
    "\x1bOS": "recipe.fix",
    "\x1b[19;2~": "recipe.previous_problem",
    "\x1b[5;5~": "file.previous_tab",
    "\x1b[6;5~": "file.next_tab",
    "\x1b[1;5S": "file.close",
    "\x1bm": "view.model",
}
TMUX = {
    **COMMON,
    "\x1bOP": "view.palette",
    "\x1b[1;5S": "file.close",
    "\x1b[19;2~": "recipe.previous_problem",
    "\x1b[6;5~": "file.next_tab",
    "\x1bd": "view.data",
    # kitty's protocol, as tmux and others pass it on: ctrl+shift+p and ctrl+. arrive only in this way
    "\x1b[112;6u": "view.palette",
    "\x1b[46;5u": "recipe.fix",
}
VSCODE = {
    **COMMON,
    "\x1bOP": "view.palette",
    "\x1bOR": "view.keys",
    "\x1b[6;5~": "file.next_tab",
    "\x1bo": "view.optimizer",
}
MACOS = {**COMMON, "\x1bOP": "view.palette", "\x1bOS": "recipe.fix"}
RUN = {
    "p": "run.pause",
    "\x1b[17~": "run.pause",
    "x": "run.stop",
    "\x1b[15;2~": "run.stop",
    "\x1b[15;5~": "run.resume",
    "r": "run.resume",
    "k": "run.fork",
    "\x14": "run.fork",
    "\x1b[20~": "run.checkpoint",
    "\x1b[23~": "run.replay",
    "\x1b[24~": "run.open_recipe",
}
REPLAY = {
    " ": "run.play",
    ">": "run.faster",
    "<": "run.slower",
    "$": "run.to_end",
    "\x1d": "run.faster",
    "\x1c": "run.slower",
    "\x1b[21~": "run.play",
    "\x1b[1;5F": "run.to_end",
}


@pytest.mark.parametrize(
    ("terminal", "place", "table"),
    [
        ("xterm", "recipe", XTERM),
        ("tmux", "recipe", TMUX),
        ("vscode", "recipe", VSCODE),
        ("macos", "recipe", MACOS),
        ("any", "run", RUN),
        ("any", "replay", REPLAY),
    ],
)
def test_bytes_of_terminals(terminal: str, place: Place, table: dict[str, str]) -> None:
    for data, wanted in table.items():
        keys = pressed(data)
        found = [action.id for key in keys if (action := lookup(key, place)) is not None]
        assert found == [wanted], f"{terminal} sends {data!r}, read as {keys}"


def test_pairs_of_letters_arrive() -> None:
    follow = chords()
    for first, seconds in follow.items():
        for second in seconds:
            assert pressed(first + second) == [letter_key(first), letter_key(second)]
    assert {"e", "d", "m", "o", "r", "p"} <= set(follow["g"])


def test_letters_are_text_in_a_text_field() -> None:
    for action in ACTIONS:
        place = action.where if action.where != "anywhere" else None
        if " " not in action.letter:
            assert lookup(letter_key(action.letter), place, typing=True) is None
        assert lookup(action.keys[0], place, typing=True) is action


@pytest.mark.parametrize("place", PLACES)
def test_no_key_means_two_things(place: Place) -> None:
    seen: dict[str, str] = {}
    for action in ACTIONS:
        if available(action, place):
            letters = [action.letter] if " " in action.letter else [letter_key(action.letter)]
            for key in (*action.keys, *letters):
                assert key not in seen, f"{key}: {seen.get(key)} and {action.id}"
                seen[key] = action.id
    assert not set(chords()) & set(seen), "the first letter of a pair is a key of its own"


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_has_two_routes_and_a_function(action) -> None:  # type: ignore[no-untyped-def]
    assert action.letter
    assert action.keys
    group, verb = action.id.split(".")
    function = getattr(importlib.import_module(f"tui.workbench.actions.{group}"), verb)
    assert inspect.getdoc(function)
    assert list(inspect.signature(function).parameters) == ["app"]


def test_nothing_rests_on_keys_that_terminals_do_not_send() -> None:
    for action in ACTIONS:
        plain = [key for key in action.keys if not key.startswith(("ctrl+shift+", "ctrl+full_stop"))]
        assert plain, action.id
        assert not {"ctrl+i", "ctrl+m", "ctrl+h", "tab", "enter", "escape"} & set(action.keys)


def test_keys_in_words() -> None:
    assert show_key("ctrl+p") == "^P"
    assert show_key("shift+f5") == "⇧F5"
    assert show_key("ctrl+pagedown") == "^PgDn"
    assert show_key("alt+m") == "alt+m"


def test_no_widget_of_ours_has_keys_beside_the_table() -> None:
    """Bindings are written in the table, but for what closes or steers a dialogue."""
    dialogues = {"picker.py", "help.py", "dialogs.py"}
    for file in Path(keymap.__file__).parent.rglob("*.py"):
        if file.name not in {"keymap.py", "app.py", *dialogues}:
            assert "Binding(" not in file.read_text().replace("[Binding]", ""), file


def test_every_key_of_a_widget_is_told() -> None:
    assert {local.where for local in LOCALS} == set(WHERE)
    for local in LOCALS:
        same = [other for other in LOCALS if other.where == local.where and set(other.keys.split(","))
                & set(local.keys.split(","))]  # fmt: skip
        assert same == [local]
        assert bool(local.title) == bool(local.shown)


def test_keys_of_widgets_do_not_take_letters_that_count_everywhere() -> None:
    letters = {letter_key(action.letter) for action in ACTIONS if action.where == "anywhere"}
    for local in LOCALS:
        assert not letters & set(local.keys.split(",")), local
