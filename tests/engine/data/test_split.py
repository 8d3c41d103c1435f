"""Splits: every row in one part, the asked counts, the same rows every time."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from engine.data import split
from engine.data.column import number_column

SHARES = st.tuples(st.floats(0, 0.45), st.floats(0, 0.45))
SEEDS = st.integers(0, 2**32)


def check_partition(parts: dict[str, npt.NDArray[np.int64]], n: int) -> None:
    rows = np.concatenate(list(parts.values()))
    assert sorted(rows.tolist()) == list(range(n))
    for part in parts.values():
        assert part.tolist() == sorted(part.tolist())


@given(st.integers(1, 300), SHARES, SEEDS)
def test_at_random(n: int, shares: tuple[float, float], seed: int) -> None:
    parts = split.at_random(n, *shares, seed)
    check_partition(parts, n)
    order = np.random.default_rng(seed).permutation(n)
    test = split.count(n, shares[1])
    assert parts["test"].tolist() == sorted(order[:test].tolist())
    if n > 10:
        assert len(parts["validation"]) == split.count(n, shares[0])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=200), SHARES, SEEDS)
def test_by_class_keeps_the_shares(labels: list[int], shares: tuple[float, float], seed: int) -> None:
    codes = np.array(labels)
    parts = split.by_class(codes, *shares, seed)
    check_partition(parts, len(codes))
    sizes = Counter(labels)
    for label, size in sizes.items():
        assert (codes[parts["train"]] == label).any()
        if min(sizes.values()) >= 12:
            found = int((codes[parts["test"]] == label).sum())
            assert abs(found - size * split.count(len(codes), shares[1]) / len(codes)) < 1
    if min(sizes.values()) >= 12:
        assert len(parts["test"]) == split.count(len(codes), shares[1])
        assert len(parts["validation"]) == split.count(len(codes), shares[0])


@given(st.lists(st.integers(0, 30), min_size=3, max_size=200), SHARES, SEEDS)
def test_groups_stay_together(groups: list[int], shares: tuple[float, float], seed: int) -> None:
    names = [f"g{group}" for group in groups]
    parts = split.by_group(names, *shares, seed)
    check_partition(parts, len(names))
    held = [{names[row] for row in part.tolist()} for part in parts.values()]
    assert sum(len(members) for members in held) == len(set(names))


@given(st.lists(st.integers(0, 20), min_size=3, max_size=100), SHARES)
def test_time_puts_the_latest_rows_last(times: list[int], shares: tuple[float, float]) -> None:
    column = number_column("t", np.array(times))
    parts = split.by_time(column, *shares)
    check_partition(parts, len(times))
    ends = [[times[row] for row in parts[name].tolist()] for name in ("train", "validation", "test")]
    for earlier, later in ((0, 1), (1, 2), (0, 2)):
        if ends[earlier] and ends[later]:
            assert max(ends[earlier]) <= min(ends[later])


@given(st.lists(st.integers(0, 4), min_size=1, max_size=120), st.integers(1, 150), SEEDS)
def test_a_limit_keeps_so_many_rows_of_every_class(labels: list[int], limit: int, seed: int) -> None:
    codes = np.array(labels)
    kept = split.limited(codes, len(codes), limit, seed)
    assert len(kept) == min(limit, len(codes)) == len(set(kept.tolist()))
    if limit >= len(set(labels)):
        assert set(codes[kept].tolist()) == set(labels)
    assert len(split.limited(None, len(codes), limit, seed)) == min(limit, len(codes))
