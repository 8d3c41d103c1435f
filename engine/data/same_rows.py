"""Rows that are equal: a 64-bit fingerprint of each row, compared instead of the rows."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data.column import Column, distinct
from engine.data.samples import Samples, steps

Array = npt.NDArray[Any]
Keys = npt.NDArray[np.uint64]


def _mix(values: Keys) -> Keys:
    """Steele, Lea and Flood's splitmix64: every input bit changes about half of the output's."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def row_keys(columns: list[Column], x: Samples | None, n: int) -> Keys:
    """(N,) a fingerprint of each row's cells, equal for equal rows (two missing cells are equal)."""
    keys = np.zeros(n, dtype=np.uint64)
    if x is not None:
        keys = _array_keys(x)
    for position, column in enumerate(columns):
        salt = np.uint64(0x9E3779B97F4A7C15 * (position + 1) & 0xFFFFFFFFFFFFFFFF)
        keys = _mix(keys ^ salt) + _mix(_cell_keys(column) ^ salt)
    return keys


def _cell_keys(column: Column) -> Keys:
    if column.number is not None:
        values = np.where(np.isnan(column.number), np.nan, column.number + 0.0)
        return np.ascontiguousarray(values).view(np.uint64)
    names = column.levels()
    missing = b"\1", b""
    known = [_text_key(salt, text) for salt, text in [*((b"\0", name.encode()) for name in names), missing]]
    return np.array(known, dtype=np.uint64)[column.codes(names)]


def _text_key(salt: bytes, text: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text, digest_size=8, salt=salt).digest())


def _array_keys(x: Samples) -> Keys:
    n = len(x)
    keys = np.zeros(n, dtype=np.uint64)
    for step in steps(x):
        part = np.ascontiguousarray(x[step])
        raw = part.reshape(len(part), -1).view(np.uint8)
        padded = np.zeros((len(raw), -(-raw.shape[1] // 8) * 8), dtype=np.uint8)
        padded[:, : raw.shape[1]] = raw
        words = padded.view(np.uint64)
        places = np.arange(1, words.shape[1] + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        keys[step] = _mix(words ^ places).sum(axis=1, dtype=np.uint64)
    return keys


def duplicates(keys: Keys) -> int:
    """Rows that equal an earlier one."""
    return len(keys) - distinct(keys)


def shared(parts: dict[str, Keys]) -> dict[str, int]:
    """For each two parts, the rows of the second that stand in the first too; only where there are any."""
    ordered = {name: np.sort(keys) for name, keys in parts.items() if len(keys)}
    names = list(ordered)
    found = {}
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            nearest = np.searchsorted(ordered[first][:-1], ordered[second])
            both = int((ordered[first][nearest] == ordered[second]).sum())
            if both:
                found[f"{first}/{second}"] = both
    return found
