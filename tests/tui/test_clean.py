"""Nothing that a terminal acts on passes the seam."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.clean import clean, clean_block

PAYLOADS = {
    "clipboard, ended by ST": "\x1b]52;c;aGk=\x1b\\",
    "clipboard, ended by BEL": "\x1b]52;c;aGk=\x07",
    "title": "\x1b]0;owned\x07",
    "erase": "\x1b[2J",
    "report": "\x1b[6n",
    "8-bit OSC": "\x9d52;c;aGk=\x9c",
    "8-bit CSI": "\x9b2J",
    "DCS": "\x1bP$q\x1b\\",
    "reset": "\x1bc",
    "leave the alternate screen": "\x1b[?1049l",
    "shift out": "\x0e",
    "colour": "\x1b[38;5;12m",
    "bidi override": "\u202e",
    "delete": "\x7f",
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_known_payloads_vanish_whole(payload: str) -> None:
    assert clean(f"before{payload}after") == "beforeafter"


def test_an_unended_string_loses_its_introducer_alone() -> None:
    assert clean("\x1b]52;c;the rest of a line") == "]52;c;the rest of a line"


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\x1b\x9b[]PX^_\\;\x07\x9c\x18mJ"), max_size=60))
def test_no_control_character_is_left(text: str) -> None:
    assert not [char for char in clean(text) if unicodedata.category(char) in ("Cc", "Zl", "Zp")]
    assert not [
        char for char in clean_block(text).replace("\n", "") if unicodedata.category(char) in ("Cc", "Zl", "Zp")
    ]
    assert clean(clean(text)) == clean(text)


@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs", "M"))))
def test_ordinary_text_stays(text: str) -> None:
    assert clean(text) == clean_block(text) == text


def test_breaks_and_tabs() -> None:
    assert clean("a\tb\nc\r\nd") == "a b c  d"
    assert clean_block("a\tb\nc\r\nd\re") == "a    b\nc\nde"


def test_what_no_encoder_takes_is_dropped() -> None:
    clean("a\udc80b").encode()
