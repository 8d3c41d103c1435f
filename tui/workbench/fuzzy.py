"""Fuzzy matching for the palette and quick open: the letters of the query in order, best places first."""

from __future__ import annotations


def match(query: str, text: str) -> tuple[float, tuple[int, ...]] | None:
    """Score of `text` for `query` and the places that matched, or None. Larger is better.

    Every word of the query must be found, as letters in order; letters at the start of a word, and letters that
    stand together, count more; what is short counts a little more than what is long.
    """
    low = text.lower()
    places: list[int] = []
    score = 0.0
    for word in query.lower().split():
        found = _word(word, low)
        if found is None:
            return None
        gained, spots = found
        score += gained
        places += spots
    return score - len(text) / 200, tuple(sorted(set(places)))


def _word(word: str, text: str) -> tuple[float, list[int]] | None:
    at = _whole(word, text)
    if at is not None:
        return 6.0 * len(word) + (4.0 if _starts(text, at) else 0.0), list(range(at, at + len(word)))
    spots: list[int] = []
    score = 0.0
    position = 0
    for letter in word:
        starts = [i for i in range(position, len(text)) if text[i] == letter and _starts(text, i)]
        near = text.find(letter, position)
        if near < 0:
            return None
        if spots and near == spots[-1] + 1:
            place, gained = near, 3.0
        elif starts:
            place, gained = starts[0], 2.5
        else:
            place, gained = near, 1.0
        # A jump to a word's start must not leave the rest of the word unmatched.
        if not _follows(word[len(spots) + 1 :], text, place + 1):
            place, gained = near, 1.0
        spots.append(place)
        score += gained
        position = place + 1
    return score, spots


def _whole(word: str, text: str) -> int | None:
    """Where `word` stands in one piece, at a word's start if it can."""
    first = text.find(word)
    at = first
    while at >= 0:
        if _starts(text, at):
            return at
        at = text.find(word, at + 1)
    return first if first >= 0 else None


def _starts(text: str, index: int) -> bool:
    return index == 0 or not text[index - 1].isalnum()


def _follows(rest: str, text: str, start: int) -> bool:
    for letter in rest:
        start = text.find(letter, start) + 1
        if start == 0:
            return False
    return True
