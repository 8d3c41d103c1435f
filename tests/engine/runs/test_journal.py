from __future__ import annotations

import errno
import json
import math
import os
import resource
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.runs import journal as module
from engine.runs.journal import LOG, Journal, Tail, decode, decode_many, effective, encode, number, read
from engine.runs.lock import Lock
from engine.runs.records import Checkpoint, CommandAccepted, Finished, Paused, Resumed, Steps
from engine.runs.storage import StorageError

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def step(n: int, **more: Any) -> dict[str, Any]:
    return {"type": "steps", "step": n, "first": n, "count": 1, "loss_mean": 1 / n, **more}


def write(run_dir: Path, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with Lock.acquire(run_dir) as lock:
        journal = Journal.open(run_dir, lock)
        written = [journal.append(record) for record in records]
        journal.close()
    return written


@given(st.dictionaries(st.text().filter(lambda key: key not in ("type", "seq")), plain, max_size=5))
def test_a_line_round_trips_and_is_the_contracts_format(fields: dict[str, Any]) -> None:
    record = {"type": "x", "seq": 1, **fields}
    line = encode(record)
    assert decode(line[:-1]) == record
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    crc, _, body = line[:-1].partition(b" ")
    assert crc == f"{zlib.crc32(body):08x}".encode()
    assert all(32 <= byte < 127 for byte in body)


lines = st.one_of(
    st.integers(1, 9).map(lambda n: encode({"type": "x", "seq": n})[:-1]),
    st.sampled_from([b'{"type":"x","seq":1},{"type":"y","seq":2}', b"", b"1", b"1,2", b"[", b"\xff", b"{}"]).map(
        lambda body: b"%08x %b" % (zlib.crc32(body), body)
    ),
    st.binary(max_size=20),
)


@given(st.lists(lines, max_size=8))
def test_many_lines_are_read_as_each_alone(several: list[bytes]) -> None:
    assert decode_many(several) == [decode(line) for line in several]


def test_non_finite_numbers_are_words() -> None:
    line = encode({"type": "x", "seq": 1, "a": math.nan, "b": [math.inf, {"c": -math.inf}], "d": ("t", 1)})
    record = json.loads(line[9:])
    assert (record["a"], record["b"], record["d"]) == ("nan", ["inf", {"c": "-inf"}], ["t", 1])
    assert math.isnan(number(record["a"])) and number("-inf") == -math.inf and math.isnan(number(None))


def test_numpy_scalars_are_numbers() -> None:
    import numpy as np

    record = decode(
        encode({"type": "x", "seq": 1, "a": np.float32(0.5), "b": np.int64(3), "c": np.float32("nan")})[:-1]
    )
    assert record == {"type": "x", "seq": 1, "a": 0.5, "b": 3, "c": "nan"}


def test_the_journal_adds_seq_time_and_life(journal: Journal, run_dir: Path) -> None:
    first = journal.append(Steps(step=1, first=1, count=1, loss_mean=1, loss_min=1, loss_max=1, lr=1, crc="0"))
    second = journal.append(CommandAccepted(id="a"))
    assert list(first)[:4] == ["type", "seq", "time", "life"]
    assert (first["seq"], second["seq"]) == (1, 2)
    assert 0 <= first["time"] <= second["time"]
    assert "epoch" not in first and "reason" not in second
    assert read(run_dir) == [first, second]


def test_a_null_that_says_something_is_written(journal: Journal) -> None:
    record = journal.append(Finished(reason="stopped", best_epoch=None, best={}, test=None, recipe=""))
    assert record["test"] is None and record["best_epoch"] is None


def test_cut_at_every_byte_then_appended_to(run_dir: Path) -> None:
    written = write(run_dir, [step(n, note="ü\n") for n in range(1, 7)])
    path = run_dir / LOG
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 10]
    for cut in range(len(whole) + 1):
        path.unlink()
        path.write_bytes(whole[:cut])
        complete = sum(end <= cut for end in ends)
        assert read(run_dir) == written[:complete]
        with Lock.acquire(run_dir) as lock:
            journal = Journal.open(run_dir, lock)
            assert journal.cut == cut - ([0, *ends][complete])
            added = journal.append(step(99))
            journal.close()
        assert read(run_dir) == [*written[:complete], added]
        assert added["seq"] == complete + 1


def test_a_torn_tail_longer_than_one_block_is_cut(run_dir: Path) -> None:
    written = write(run_dir, [step(1)])
    with (run_dir / LOG).open("ab") as file:
        file.write(b"x" * 300_000)
    assert read(run_dir) == written
    assert write(run_dir, [step(2)])[0]["seq"] == 2
    assert [record["step"] for record in read(run_dir)] == [1, 2]


def test_a_flipped_bit_costs_two_records_at_most_and_never_makes_a_wrong_one(run_dir: Path) -> None:
    written = write(run_dir, [step(n) for n in range(1, 6)])
    path = run_dir / LOG
    whole = path.read_bytes()
    file = os.open(path, os.O_RDWR)
    for position in range(len(whole)):
        for bit in range(8):
            os.pwrite(file, bytes([whole[position] ^ 1 << bit]), position)
            tail = Tail(run_dir)
            records = tail.poll()
            assert all(record in written for record in records)
            assert len(records) >= len(written) - 2
            torn = position == len(whole) - 1
            assert tail.damage or torn
            if tail.damage:
                assert any(d.offset <= position < d.offset + d.length for d in tail.damage)
        os.pwrite(file, whole[position : position + 1], position)
    os.close(file)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: [b"\0" * 512 + b"\n", *lines],
        lambda lines: [*lines[:2], b"\0" * 64 + lines[2], *lines[3:]],
        lambda lines: [line[:-1] + b"\r\n" if i == 1 else line for i, line in enumerate(lines)],
        lambda lines: [b"\xef\xbb\xbf" + lines[0], *lines[1:]],
        lambda lines: [*lines, *lines[-2:]],
        lambda lines: [lines[0][:20] + lines[1], *lines[1:]],
        lambda lines: [*lines[:2], b"x" * 10_000_000 + b"\n", *lines[2:]],
        lambda lines: [*lines[:2], b"00000000 {}\n", b"\n", encode({"type": 3, "seq": "x"}), encode({}), *lines[2:]],
    ],
    ids=["zeros", "hole", "crlf", "bom", "repeated tail", "half line", "long line", "foreign lines"],
)
def test_damage_is_skipped_reported_and_survived(run_dir: Path, spoil: Any) -> None:
    written = write(run_dir, [step(n) for n in range(1, 6)])
    path = run_dir / LOG
    lines = spoil(path.read_bytes().splitlines(keepends=True))
    path.write_bytes(b"".join(lines))
    tail = Tail(run_dir)
    records = tail.poll()
    assert tail.damage
    assert [r for r in written if r in records] == records and len(records) >= 4
    added = write(run_dir, [step(6)])[0]
    assert read(run_dir)[-1] == added and added["seq"] > written[-1]["seq"]
    assert tail.poll() == [added]


def test_a_damaged_last_line_keeps_its_number(run_dir: Path) -> None:
    write(run_dir, [step(1), step(2)])
    path = run_dir / LOG
    whole = bytearray(path.read_bytes())
    whole[-5] ^= 1
    path.write_bytes(whole)
    assert write(run_dir, [step(3)])[0]["seq"] == 3


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=12))
def test_a_tail_sees_each_record_once_however_the_bytes_arrive(sizes: list[int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / LOG
        records = [{"type": "x", "seq": n, "pad": "y" * n} for n in range(1, 13)]
        data = b"".join(map(encode, records))
        tail, seen = Tail(Path(folder)), []
        assert tail.poll() == []
        with path.open("ab", buffering=0) as file:
            for size in [*sizes, len(data)]:
                file.write(data[:size])
                data = data[size:]
                seen += tail.poll()
        assert seen == records and not tail.damage


def test_a_tail_from_the_end_reads_only_what_follows(journal: Journal, run_dir: Path) -> None:
    journal.append(step(1))
    tail = Tail.at_end(run_dir)
    added = journal.append(step(2))
    assert tail.poll() == [added]


def test_only_the_holder_of_the_lock_appends(run_dir: Path, tmp_path: Path) -> None:
    lock = Lock.acquire(run_dir)
    with pytest.raises(ValueError, match="lock"):
        Journal.open(tmp_path, lock)
    journal = Journal.open(run_dir, lock)
    child = os.fork()
    if child == 0:
        try:
            journal.append(step(1))
        except ValueError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    lock.release()
    with pytest.raises(ValueError, match="lock"):
        journal.append(step(1))
    journal.close()
    assert read(run_dir) == []


def test_a_journal_that_is_a_link_is_refused(run_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    (run_dir / LOG).symlink_to(tmp_path / "elsewhere")
    with Lock.acquire(run_dir) as lock, pytest.raises(StorageError):
        Journal.open(run_dir, lock)
    assert (tmp_path / "elsewhere").read_text() == "precious"


def test_short_writes_are_completed(journal: Journal, run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    written = journal.append(step(1))
    assert read(run_dir) == [written]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("through", [0, 11])
def test_a_refusing_disk_leaves_the_journal_as_it_was(
    journal: Journal, run_dir: Path, monkeypatch: pytest.MonkeyPatch, code: int, through: int
) -> None:
    first = journal.append(step(1))
    before = (run_dir / LOG).read_bytes()
    real = os.write
    calls = 0

    def full(fd: int, data: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 1 and through:
            return real(fd, data[:through])
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(StorageError) as caught:
            journal.append(step(2))
        assert caught.value.code == code and "writing the journal failed" in caught.value.message
    assert (run_dir / LOG).read_bytes() == before
    second = journal.append(step(2))
    assert second["seq"] == 2 and read(run_dir) == [first, second]


def test_a_tail_that_could_not_be_cut_is_cut_before_the_next_append(
    journal: Journal, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = journal.append(step(1))
    real = os.write

    def refuse(*_: Any) -> None:
        raise OSError(errno.EIO, "no")

    def half(fd: int, data: Any) -> int:
        if len(data) < 12:
            raise OSError(errno.EIO, "no")
        return real(fd, data[: len(data) - 10])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        patch.setattr(os, "ftruncate", refuse)
        with pytest.raises(StorageError):
            journal.append(step(2))
    assert not (run_dir / LOG).read_bytes().endswith(b"\n")
    second = journal.append(step(2))
    assert read(run_dir) == [first, second]


def test_a_record_that_cannot_be_synced_is_taken_back(
    journal: Journal, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.EIO, "no")

    checkpoint = Checkpoint(step=1, path="p", manifest_sha="s", best=False)
    for cut in (True, False):  # where even that fails, before the next append
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refuse)
            if not cut:
                patch.setattr(os, "ftruncate", refuse)
            with pytest.raises(StorageError):
                journal.append(checkpoint)
        assert len(read(run_dir)) == (0 if cut else 2)
        added = journal.append(checkpoint)
        assert read(run_dir)[-1] == added and not Tail(run_dir).damage
    assert [record["seq"] for record in read(run_dir)] == [1, 2]


def test_a_deleted_journal_is_noticed(journal: Journal, run_dir: Path) -> None:
    (run_dir / LOG).unlink()
    with pytest.raises(StorageError, match="the folder is gone") as caught:
        journal.append(Paused(step=1))
    assert caught.value.code == errno.ENOENT


@pytest.mark.parametrize("extra", [0, 1, 13, 60, 119, 120, 121, 200])
def test_a_real_limit_on_the_files_size(run_dir: Path, extra: int) -> None:
    """The kernel itself writes short and then refuses; what was whole before stays whole."""
    written = write(run_dir, [step(1)])
    before = (run_dir / LOG).stat().st_size
    child = os.fork()
    if child == 0:
        try:
            with Lock.acquire(run_dir) as lock:
                journal = Journal.open(run_dir, lock)
                hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
                resource.setrlimit(resource.RLIMIT_FSIZE, (before + extra, hard))
                refused = 0
                for n in range(2, 5):
                    try:
                        journal.append(step(n))
                    except StorageError as error:
                        refused += error.code == errno.EFBIG
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
                journal.append(step(9, refused=refused))
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    tail = Tail(run_dir)
    records = tail.poll()
    assert not tail.damage and records[0] == written[0]
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    assert records[-1]["step"] == 9 and records[-1]["refused"] == 5 - len(records) >= 1


def test_what_matters_is_synced_at_once_and_the_rest_soon(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, syncs = [0.0], []
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(os, "fsync", syncs.append)
    journal.sync()
    syncs.clear()
    journal.append(step(1))
    assert len(syncs) == 0
    journal.append(Checkpoint(step=1, path="p", manifest_sha="s", best=False))
    assert len(syncs) == 1
    clock[0] += 1
    journal.append(step(2))
    assert len(syncs) == 1
    clock[0] += 5
    journal.append(step(3))
    assert len(syncs) == 2


def test_time_counts_work_and_goes_on_in_the_next_life(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])

    def after(seconds: float, journal: Journal, record: Any) -> tuple[float, int]:
        clock[0] += seconds
        written = journal.append(record)
        return written["time"], written["life"]

    with Lock.acquire(run_dir) as lock:
        journal = Journal.open(run_dir, lock)
        assert after(1, journal, step(1)) == (1, 1)
        assert after(1, journal, Paused(step=1)) == (2, 1)
        assert after(100, journal, CommandAccepted(id="x")) == (2, 1)
        assert after(100, journal, Resumed(from_step=1)) == (2, 1)
        assert after(3, journal, step(2)) == (5, 1)
        journal.close()
    clock[0] = 5.0  # another boot
    with Lock.acquire(run_dir) as lock:
        journal = Journal.open(run_dir, lock)
        assert after(2, journal, Resumed(from_step=1, pid=3, host="h", wall="w")) == (7, 2)
        assert after(1, journal, Paused(step=1)) == (8, 2)
        journal.close()
    with Lock.acquire(run_dir) as lock:
        journal = Journal.open(run_dir, lock)
        assert after(1, journal, {"type": "test_evaluated"}) == (9, 2)
        assert after(0, journal, Resumed(from_step=1, pid=4, host="h", wall="w")) == (9, 3)
        journal.close()


def test_a_run_that_began_without_a_word_is_still_in_its_first_life(run_dir: Path) -> None:
    assert write(run_dir, [{"type": "resumed", "from_step": 0, "pid": 1}])[0]["life"] == 1


def test_the_effective_line_drops_what_a_resume_superseded() -> None:
    kinds = ["steps", "probe", "epoch", "edited", "checkpoint", "finding", "finding_updated", "finding_cleared"]
    always = ["plan", "command_accepted", "paused", "test_evaluated", "finished", "progress"]
    records: list[dict[str, Any]] = [{"type": kind, "step": at} for at in (3, 5, 7) for kind in [*kinds, *always]]
    resumed = {"type": "resumed", "from_step": 5}
    later = [{"type": "steps", "step": 6}, {"type": "resumed", "from_step": 5}]
    line = effective([*records, resumed, *later])
    assert [r for r in line if r["type"] in kinds] == [r for r in records if r["type"] in kinds and r["step"] <= 5]
    assert [r for r in line if r["type"] in always] == [r for r in records if r["type"] in always]
    assert sum(r["type"] == "resumed" for r in line) == 2


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=30))
def test_the_effective_line_is_what_one_uninterrupted_life_would_have_written(moves: list[tuple[bool, int]]) -> None:
    records: list[dict[str, Any]] = []
    reached: list[int] = []
    for back, amount in moves:
        if back:
            limit = min(amount, reached[-1] if reached else 0)
            records.append({"type": "resumed", "from_step": limit})
            reached = [at for at in reached if at <= limit]
        else:
            reached.append((reached[-1] if reached else 0) + 1)
            records.append({"type": "steps", "step": reached[-1]})
    assert [r["step"] for r in effective(records) if r["type"] == "steps"] == reached
