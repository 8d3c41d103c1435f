from __future__ import annotations

import itertools
import json
import math
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UserError
from engine.runs import checkpoints, thinning
from engine.runs.checkpoints import CheckpointError, load, load_latest, load_record, sweep, verify, write
from engine.runs.journal import Journal, read
from engine.runs.storage import StorageError
from engine.runs.thinning import least_felt, parse_size, thin

TENSORS = {
    "model.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "scalar": np.array(3, dtype=np.int64),
    "empty": np.zeros((0, 4), dtype=np.float32),
    "turned": np.arange(6, dtype=np.float64).reshape(2, 3).T,
    "odd": np.array([math.nan, -0.0, math.inf, 1e-45], dtype=np.float32),
    "bytes": np.arange(256, dtype=np.uint8),
}
STATE: dict[str, Any] = {
    "epoch": 3,
    "best": math.inf,
    "nested": {"list": [1, 2.5, None, True, -math.inf], "text": "nan"},
    "generator": {"state": 2**127 + 1},
    "lr": 0.1 + 0.2,
}


def steps_on_disk(run_dir: Path) -> list[int]:
    return sorted(int(path.name[:6]) for path in (run_dir / "checkpoints").iterdir())


def test_a_checkpoint_comes_back_bit_for_bit(run_dir: Path) -> None:
    written = write(run_dir, 123, TENSORS, STATE)
    assert written.path == "checkpoints/000123"
    tensors, state = load(run_dir / written.path, written.manifest_sha)
    assert tensors.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        assert tensors[name].dtype == array.dtype and tensors[name].shape == array.shape
        assert tensors[name].tobytes() == array.tobytes()
    assert state == STATE


def test_a_checkpoint_is_private_and_without_pickle(run_dir: Path) -> None:
    path = run_dir / write(run_dir, 1, TENSORS, STATE).path
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {p.name for p in path.iterdir()} == {"tensors.safetensors", "state.json", "manifest.json"}
    assert {stat.S_IMODE(p.stat().st_mode) for p in path.iterdir()} == {0o600}
    json.loads((path / "state.json").read_text(), parse_constant=lambda word: pytest.fail(word))


def test_every_flipped_byte_and_every_cut_is_noticed(run_dir: Path) -> None:
    written = write(run_dir, 1, {"w": np.arange(3, dtype=np.float32)}, {"a": 1})
    path = run_dir / written.path
    for file in path.iterdir():
        whole = file.read_bytes()
        for position in range(len(whole)):
            file.unlink()
            file.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
            with pytest.raises(CheckpointError):
                load(path, written.manifest_sha)
        for cut in (0, len(whole) // 2, len(whole) - 1):
            file.unlink()
            file.write_bytes(whole[:cut])
            with pytest.raises(CheckpointError):
                verify(path, written.manifest_sha)
        file.unlink()
        with pytest.raises(CheckpointError):
            load(path, written.manifest_sha)
        file.write_bytes(whole)
    load(path, written.manifest_sha)


def test_nothing_is_overwritten(run_dir: Path, journal: Journal, commit: Any) -> None:
    first = commit(journal, 7)
    second = commit(journal, 7)
    assert (first["path"], second["path"]) == ("checkpoints/000007", "checkpoints/000007-2")
    load_record(run_dir, first)
    load_record(run_dir, second)


def test_a_later_format_is_refused_in_words(run_dir: Path) -> None:
    path = run_dir / write(run_dir, 1, TENSORS, STATE).path
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(CheckpointError, match="later goodfit"):
        load(path)


def test_a_record_cannot_lead_out_of_the_runs_folder(run_dir: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "checkpoints").mkdir(parents=True)
    written = write(other, 1, TENSORS, STATE)
    record = {"path": f"../../../{written.path}", "manifest_sha": written.manifest_sha}
    with pytest.raises(CheckpointError):
        load_record(run_dir, record)


def test_the_newest_whole_checkpoint_is_loaded_and_the_damaged_are_named(
    run_dir: Path, journal: Journal, commit: Any
) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint yet"):
        load_latest(run_dir, read(run_dir))
    first, second, third = commit(journal, 1), commit(journal, 2), commit(journal, 3)
    (run_dir / second["path"] / "state.json").write_text("{}")
    for file in (run_dir / third["path"]).iterdir():
        file.write_bytes(b"")  # what a power cut makes of a folder that was not synced
    record, tensors, state, problems = load_latest(run_dir, read(run_dir))
    assert (record, state, tensors["w"][0]) == (first, {"step": 1}, 1)
    assert ["000003" in problems[0].message, "000002" in problems[1].message] == [True, True]
    (run_dir / first["path"] / "manifest.json").unlink()
    with pytest.raises(CheckpointError, match="no checkpoint that can be read"):
        load_latest(run_dir, read(run_dir))


def test_only_the_journal_makes_a_checkpoint_count(run_dir: Path, journal: Journal, commit: Any) -> None:
    commit(journal, 1)
    write(run_dir, 9, TENSORS, STATE)
    commit(journal, 5)
    journal.append({"type": "resumed", "from_step": 1})
    assert load_latest(run_dir, read(run_dir))[0]["step"] == 1


def test_best_and_latest_follow_the_effective_line(journal: Journal, run_dir: Path, commit: Any) -> None:
    commit(journal, 1, best=True)
    commit(journal, 2)
    commit(journal, 3, best=True)
    records = read(run_dir)
    assert [checkpoints.latest(records)["step"], checkpoints.best(records)["step"]] == [3, 3]  # type: ignore[index]
    journal.append({"type": "resumed", "from_step": 2})
    records = read(run_dir)
    assert [checkpoints.latest(records)["step"], checkpoints.best(records)["step"]] == [2, 1]  # type: ignore[index]
    assert checkpoints.latest([]) is None and checkpoints.best([]) is None


def test_leftovers_are_moved_aside(run_dir: Path, journal: Journal, commit: Any) -> None:
    kept = commit(journal, 1)
    write(run_dir, 2, TENSORS, STATE)
    half = run_dir / "checkpoints" / ".000003-abcdef"
    half.mkdir()
    (half / "state.json").write_text("{")
    moved = sweep(run_dir, read(run_dir))
    assert [path.name[:12] for path in moved] == ["aside-000002"]
    assert not half.exists() and sweep(run_dir, read(run_dir)) == []
    assert commit(journal, 2)["path"] == "checkpoints/000002"
    load_record(run_dir, kept)


CALLS = ("open", "write", "fsync", "rename", "mkdir", "chmod", "fchmod")


class Interrupt:
    """Counts calls of the operating system, and does something at the one that was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, act: Any, *, after: bool = False) -> None:
        self.count = 0
        self._at, self._act, self._after = at, act, after
        for name in CALLS:
            monkeypatch.setattr(os, name, self._wrap(getattr(os, name)))

    def _wrap(self, real: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            hit = self.count == self._at
            if hit and not self._after:
                self._act()
            result = real(*arguments, **options)
            if hit and self._after:
                self._act()
            return result

        return call


def in_child(work: Any) -> int:
    """Run `work` in a forked process; its exit code."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_call_loses_nothing_committed(run_dir: Path, after: bool, commit: Any) -> None:
    from engine.runs.lock import Lock

    def life(crash_at: int) -> None:
        with Lock.acquire(run_dir) as lock:
            journal = Journal.open(run_dir, lock)
            records = read(run_dir)
            sweep(run_dir, records)
            last = checkpoints.latest(records)
            step = 1 if last is None else last["step"] + 1
            with pytest.MonkeyPatch.context() as patch:
                Interrupt(patch, crash_at, lambda: os._exit(137), after=after)
                commit(journal, step, best=True)

    assert in_child(lambda: life(0)) == 0
    crash_at, code = 0, 137
    while code == 137:
        crash_at += 1
        before = checkpoints.latest(read(run_dir))
        code = in_child(lambda at=crash_at: life(at))
        record, tensors, state, problems = load_latest(run_dir, read(run_dir))
        assert not problems and before is not None
        assert record["step"] in (before["step"], before["step"] + 1)
        assert state == {"step": record["step"]} and (tensors["w"] == record["step"]).all()
    assert code == 0 and crash_at > 15
    assert in_child(lambda: life(0)) == 0
    assert not [path for path in (run_dir / "checkpoints").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("code", [28, 122, 5, 30, 13], ids=["ENOSPC", "EDQUOT", "EIO", "EROFS", "EACCES"])
def test_a_refusal_at_any_call_is_said_and_loses_nothing(
    run_dir: Path, journal: Journal, code: int, commit: Any
) -> None:
    first = commit(journal, 1, best=True)
    rung = commit(journal, 2)
    commit(journal, 3)

    def refuse() -> None:
        raise OSError(code, os.strerror(code))

    at = 0
    while True:
        at += 1
        with pytest.MonkeyPatch.context() as patch:
            counter = Interrupt(patch, at, refuse)
            try:
                commit(journal, at + 3)
            except StorageError as error:
                assert error.code == code and "failed: " in error.message
        assert not [path for path in (run_dir / "checkpoints").iterdir() if path.name.startswith(".")]
        assert not load_latest(run_dir, read(run_dir))[3]
        load_record(run_dir, first)
        if code not in (28, 122):
            load_record(run_dir, rung)  # where the disk is not full, removing something would not help
        if counter.count < at:
            break
    assert at > 15
    assert load_latest(run_dir, read(run_dir))[0]["step"] == at + 3


def test_a_full_disk_costs_rungs_of_the_ladder_before_the_new_checkpoint(
    run_dir: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch, commit: Any
) -> None:
    for step in range(1, 5):
        commit(journal, step, best=step == 2)
    room = 4
    real = checkpoints.free_space

    def free(path: Path) -> int:
        return 1 if len(steps_on_disk(run_dir)) >= room else real(path)

    monkeypatch.setattr(checkpoints, "free_space", free)
    commit(journal, 5)
    assert steps_on_disk(run_dir) == [2, 4, 5]
    room = 0
    with pytest.raises(StorageError, match="no room for the checkpoint of step 6"):
        commit(journal, 6)
    assert load_latest(run_dir, read(run_dir))[0]["step"] == 5


class Disk:
    """Follows what POSIX promises to be durable: data by fsync of the file, names by fsync of the folder.

    `image` is the worst that a power cut may leave: nothing else.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path, images: list[dict[str, bytes]]) -> None:
        self.root, self.images = root, images
        self.now: dict[Path, dict[str, int]] = {}
        self.durable: dict[Path, dict[str, int]] = {}
        self.data: dict[int, bytes] = {}
        for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
            self._look(folder)
            self.durable[folder] = dict(self.now[folder])
        for path in root.rglob("*"):
            if path.is_file():
                self.data[path.stat().st_ino] = path.read_bytes()
        for name in ("write", "fsync", "rename", "mkdir", "open", "rmdir", "unlink"):
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def _look(self, folder: Path) -> None:
        with os.scandir(folder) as entries:
            self.now[folder] = {entry.name: entry.inode() for entry in entries}

    def _wrap(self, name: str, real: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            result = real(*arguments, **options)
            if name == "fsync":
                path = Path(f"/proc/self/fd/{arguments[0]}").readlink()
                if path.is_dir():
                    self._look(path)
                    self.durable[path] = dict(self.now[path])
                elif self.root in path.parents:
                    self.data[path.stat().st_ino] = path.read_bytes()
            if name == "rename" and Path(arguments[1]).is_dir():
                old, new = Path(arguments[0]), Path(arguments[1])
                self.durable[new] = self.durable.pop(old, {})
            self.images.append(self.image())
            return result

        return call

    def image(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        places = {path.stat().st_ino: path for path in self.durable if path.is_dir()}

        def walk(folder: Path, shown: str) -> None:
            for name, inode in self.durable.get(folder, {}).items():
                if inode in places:
                    walk(places[inode], f"{shown}{name}/")
                else:
                    found[f"{shown}{name}"] = self.data.get(inode, b"")

        walk(self.root, "")
        return found


def test_a_power_cut_at_any_moment_leaves_every_committed_checkpoint_whole(
    run_dir: Path, journal: Journal, tmp_path: Path, commit: Any
) -> None:
    commit(journal, 1, best=True)
    images: list[dict[str, bytes]] = []
    with pytest.MonkeyPatch.context() as patch:
        Disk(patch, run_dir, images)
        commit(journal, 2)
        commit(journal, 3)
        thin(run_dir, 1)
    distinct = {json.dumps({k: v.hex() for k, v in image.items()}, sort_keys=True) for image in images}
    assert len(distinct) > 5
    latest = set()
    for number, text in enumerate(sorted(distinct)):
        copy = tmp_path / f"image{number}"
        for name, data in json.loads(text).items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(bytes.fromhex(data))
        record, tensors, state, problems = load_latest(copy, read(copy))
        assert not problems
        assert state == {"step": record["step"]} and (tensors["w"] == record["step"]).all()
        latest.add(record["step"])
    assert latest == {1, 2, 3}


def test_thinning_keeps_the_best_and_the_last_within_any_budget(run_dir: Path, journal: Journal, commit: Any) -> None:
    for step in range(1, 21):
        commit(journal, step, best=step == 6)
    assert thin(run_dir, 10**9) == []
    size = checkpoints.size_of(run_dir / "checkpoints" / "000001")
    removed = thin(run_dir, 8 * size + 64)
    left = steps_on_disk(run_dir)
    assert len(removed) == 12 and len(left) == 8
    assert 6 in left and 20 in left
    thin(run_dir, 0)
    assert steps_on_disk(run_dir) == [6, 20]
    assert [r["step"] for r in checkpoints.available(run_dir, read(run_dir))] == [6, 20]


def test_superseded_and_set_aside_checkpoints_go_first(run_dir: Path, journal: Journal, commit: Any) -> None:
    for step in (1, 2, 3, 4):
        commit(journal, step)
    write(run_dir, 9, {"w": np.zeros(1000, dtype=np.float32)}, {})
    sweep(run_dir, read(run_dir))
    journal.append({"type": "resumed", "from_step": 3})
    size = checkpoints.size_of(run_dir / "checkpoints" / "000001")
    thin(run_dir, 3 * size + 64)
    assert steps_on_disk(run_dir) == [1, 2, 3]


def test_nothing_is_thinned_while_the_last_one_is_damaged(run_dir: Path, journal: Journal, commit: Any) -> None:
    for step in (1, 2, 3):
        commit(journal, step)
    (run_dir / "checkpoints" / "000003" / "tensors.safetensors").write_bytes(b"")
    assert thin(run_dir, 0) == []
    assert load_latest(run_dir, read(run_dir))[0]["step"] == 2


@given(st.integers(3, 60), st.integers(2, 12))
def test_the_ladders_rungs_lie_further_apart_with_age(count: int, kept: int) -> None:
    rungs: list[dict[str, Any]] = []
    for step in range(1, count + 1):
        rungs.append({"step": step, "path": str(step)})
        while len(rungs) > kept:
            path = least_felt(rungs, {rungs[-1]["path"]})
            rungs = [rung for rung in rungs if rung["path"] != path]
    left = [rung["step"] for rung in rungs]
    assert left[-1] == count and len(left) == min(count, kept)
    gaps = [b - a for a, b in itertools.pairwise(left)]
    assert all(late <= 2 * max(early, 1) for early, late in itertools.pairwise(gaps))


@pytest.mark.parametrize(
    ("text", "size"), [("1GB", 10**9), ("500 MB", 5 * 10**8), ("1.5kb", 1500), ("2GiB", 2**31), ("7", 7)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "1 XB", "-1GB", "1GB2", "nan"])
def test_what_is_no_size_is_said(text: str) -> None:
    with pytest.raises(UserError, match="not a size"):
        parse_size(text)


def test_a_fork_takes_a_verified_copy(run_dir: Path, journal: Journal, tmp_path: Path, commit: Any) -> None:
    record = commit(journal, 5)
    other = tmp_path / "other"
    (other / "checkpoints").mkdir(parents=True)
    written = checkpoints.copy(run_dir, record, other)
    tensors, state = load(other / written.path, record["manifest_sha"])
    assert state == {"step": 5} and (tensors["w"] == 5).all()
    (run_dir / record["path"] / "state.json").write_text("{}")
    with pytest.raises(CheckpointError):
        checkpoints.copy(run_dir, record, other)
    assert [path.name for path in (other / "checkpoints").iterdir()] == ["000005"]


def test_sizes_of_what_is_gone(tmp_path: Path) -> None:
    assert checkpoints.size_of(tmp_path / "gone") == 0
    assert thinning.thin(tmp_path, 0) == []
