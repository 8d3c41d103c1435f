"""Folding losses into rows."""

from __future__ import annotations

import zlib
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runs.records import Epoch
from engine.train import rows
from engine.train.executors.executor import Rate
from engine.train.rows import RecordedRows, TimedRows

chunks = st.lists(st.lists(st.floats(0, 10, width=32), min_size=1, max_size=9), min_size=1, max_size=20)


def pieces(parts: list[list[float]]) -> list[tuple[int, Any, list[Rate]]]:
    first, found = 1, []
    for part in parts:
        rates = [Rate(1.0 / (first + offset)) for offset in range(len(part))]
        found.append((first, np.array(part, np.float32), rates))
        first += len(part)
    return found


@given(chunks, st.lists(st.floats(0, 0.03), min_size=20, max_size=20))
def test_no_loss_is_lost_and_rows_keep_their_distance(parts: list[list[float]], pauses: list[float]) -> None:
    clock = [100.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows.time, "monotonic", lambda: clock[0])
        timed, given_rows, moments = TimedRows(), [], []
        for (first, losses, rates), pause in zip(pieces(parts), pauses, strict=False):
            for row in timed.add(first, losses, rates, 1):
                given_rows.append(row)
                moments.append(clock[0])
            clock[0] += pause
        given_rows += list(timed.flush())
    every = np.concatenate([losses for _, losses, _ in pieces(parts)])
    at = 0
    for row in given_rows:
        held = every[at : at + row.count]
        assert row.first == at + 1 and row.step == at + row.count
        assert row.crc == f"{zlib.crc32(held.tobytes()):08x}"
        assert row.loss_min == held.min() and row.loss_max == held.max()
        assert row.lr == 1.0 / row.step
        at += row.count
    assert at == len(every)
    assert all(b - a >= rows.INTERVAL - 1e-9 for a, b in pairwise(moments))


@given(chunks, chunks)
def test_recorded_rows_are_cut_where_they_were(parts: list[list[float]], others: list[list[float]]) -> None:
    cuts, first = [], 1
    for part in others:
        cuts.append((first, len(part)))
        first += len(part)
    recorded = RecordedRows(cuts)
    found = [row for first, losses, rates in pieces(parts) for row in recorded.add(first, losses, rates, 1)]
    total = sum(map(len, parts))
    assert [(row.first, row.count) for row in found] == [cut for cut in cuts if sum(cut) - 1 <= total]
    every = np.concatenate([losses for _, losses, _ in pieces(parts)])
    for row in found:
        assert row.crc == f"{zlib.crc32(every[row.first - 1 : row.step].tobytes()):08x}"


def ended(number: int) -> Epoch:
    return Epoch(
        epoch=number, step=number, train_loss=1.0, val_loss=None, metrics={}, lr=1.0, seconds=1.0,
        samples_per_second=1.0, digest="",
    )  # fmt: skip


@given(st.lists(st.floats(0, 0.05), min_size=1, max_size=30))
def test_every_epoch_is_told_in_order_and_none_waits_long(pauses: list[float]) -> None:
    clock = [100.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows.time, "monotonic", lambda: clock[0])
        timed, told, waiting = TimedRows(), [], []
        for number, pause in enumerate(pauses, 1):
            waiting.append(clock[0])
            for row in timed.end(ended(number), 1e-4):
                assert clock[0] - waiting[row.epoch - 1] <= rows.INTERVAL + max(pauses)
                told.append(row.epoch)
            clock[0] += pause
        told += [row.epoch for row in timed.flush()]
    assert told == list(range(1, len(pauses) + 1))


def test_an_epoch_does_not_wait_for_a_long_step() -> None:
    timed = TimedRows()
    assert [row.epoch for number in (1, 2, 3) for row in timed.end(ended(number), 1.0)] == [1, 2, 3]


@given(chunks, st.sets(st.integers(0, 19)))
def test_the_last_cut_is_an_end_of_a_row(parts: list[list[float]], cuts: set[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows.time, "monotonic", lambda: 100.0)
        timed, ends, last = TimedRows(), [], 0
        list(timed.flush())
        for number, (first, losses, rates) in enumerate(pieces(parts)):
            ends += [(row.first, row.step, row.lr) for row in timed.add(first, losses, rates, 1)]
            if number in cuts:
                timed.cut()
                last = first + len(losses) - 1
        ends += [(row.first, row.step, row.lr) for row in timed.flush()]
    assert ends[0][0] == 1 and all(later[0] == earlier[1] + 1 for earlier, later in pairwise(ends))
    assert all(lr == 1.0 / step for _, step, lr in ends)
    assert not last or last in [step for _, step, _ in ends]
