"""The one seam where text from outside loses what could act on a terminal.

Names, cells, messages, library output and worker logs may hold escape sequences that write the clipboard, move the
cursor or change the title. Everything that is printed goes through `clean` (one line) or `clean_block` (several); the
workbench puts a filter made from the same table over every line that it paints.
"""

from __future__ import annotations

import re

# Whole sequences go, not only their first byte, so that a coloured log line reads as plain text: CSI, then strings
# (OSC, DCS, SOS, PM, APC) that are ended, then two-byte escapes. An unended string loses its introducer alone:
# what follows may be the rest of the text.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\x18\x1a]{0,4096}(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]+[0-~]"
    r"|\x1b[78=>cDEHMNOZ]"
)
# C0, DEL, C1; marks and overrides of writing direction; separators of lines and paragraphs; invisible tags and
# operators; the byte order mark; lone surrogates, which no encoder takes.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)
_SPACE = str.maketrans({"\n": " ", "\r": " ", "\t": " ", "\v": " ", "\f": " ", "\u2028": " ", "\u2029": " "})


def clean(text: object) -> str:
    """`text` as one line without anything that a terminal would act on. Breaks and tabs become spaces."""
    value = str(text)
    if value.isascii() and value.isprintable():
        return value
    return _CONTROL.sub("", _SEQUENCE.sub("", value).translate(_SPACE))


def clean_block(text: object) -> str:
    """As `clean`, over several lines: line breaks stay, a tab becomes four spaces."""
    value = _SEQUENCE.sub("", str(text)).replace("\r\n", "\n").replace("\t", "    ")
    return "\n".join(_CONTROL.sub("", line) for line in value.split("\n"))
