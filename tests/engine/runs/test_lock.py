from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.runs import lock as module
from engine.runs.lock import LOCK, Held, Holder, Lock, heartbeat_age, probe, read_holder
from engine.runs.process import Owner, host, start_token
from engine.runs.storage import StorageError

HOLDER = """
import sys
from pathlib import Path
from engine.runs.lock import Lock, Held
try:
    lock = Lock.acquire(Path(sys.argv[1]), retry=float(sys.argv[2]))
except Held as error:
    print("held:", error.message, flush=True)
else:
    print("mine", flush=True)
    sys.stdin.readline()
"""


@contextlib.contextmanager
def contender(run_dir: Path, retry: float = 0.0) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run_dir), str(retry)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def test_of_two_processes_one_gets_the_lock_and_the_other_learns_who(run_dir: Path) -> None:
    with contender(run_dir) as one:
        assert said(one) == "mine"
        assert probe(run_dir) == "alive"
        holder = read_holder(run_dir)
        assert holder is not None and (holder.pid, holder.host) == (one.pid, host())
        with contender(run_dir) as two:
            words = said(two)
        assert words == f"held: {run_dir.name} is in use by process {one.pid} on {host()}, since {holder.started}"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_death_frees_the_lock_at_once(run_dir: Path, number: int) -> None:
    with contender(run_dir) as one:
        assert said(one) == "mine"
        one.send_signal(number)
        one.wait()
        assert probe(run_dir) == "dead"
        Lock.acquire(run_dir, retry=0).release()


def test_many_contenders_never_hold_it_together(run_dir: Path) -> None:
    with contextlib.ExitStack() as stack:
        several = [stack.enter_context(contender(run_dir)) for _ in range(5)]
        answers = [said(process) for process in several]
        assert sorted(answer.partition(":")[0] for answer in answers) == ["held"] * 4 + ["mine"]


def test_a_contender_waits_out_the_retry(run_dir: Path) -> None:
    lock = Lock.acquire(run_dir)
    with contender(run_dir, retry=20) as one:
        lock.release()
        assert said(one) == "mine"


def test_a_readers_probe_only_delays_a_starting_worker(run_dir: Path) -> None:
    Lock.acquire(run_dir).release()
    reader = os.open(run_dir / LOCK, os.O_RDONLY)
    fcntl.flock(reader, fcntl.LOCK_SH)
    with pytest.raises(Held):
        Lock.acquire(run_dir, retry=0)
    with contender(run_dir, retry=20) as one:
        os.close(reader)
        assert said(one) == "mine"


def test_probing_does_not_take_the_lock_away(run_dir: Path) -> None:
    with Lock.acquire(run_dir):
        for _ in range(3):
            assert probe(run_dir) == "alive"
    assert probe(run_dir) == "dead"
    Lock.acquire(run_dir, retry=0).release()


def test_closing_another_descriptor_keeps_the_lock(run_dir: Path) -> None:
    with Lock.acquire(run_dir):  # lockf would lose it here
        (run_dir / LOCK).read_bytes()
        with contender(run_dir) as other:
            assert said(other).startswith("held")


def test_a_child_process_does_not_inherit_the_lock(run_dir: Path) -> None:
    lock = Lock.acquire(run_dir)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    try:
        lock.release()
        until(lambda: probe(run_dir) == "dead")
    finally:
        child.kill()
        child.communicate()


def test_a_forked_child_does_not_hold_what_its_parent_holds(run_dir: Path) -> None:
    lock = Lock.acquire(run_dir)
    child = os.fork()
    if child == 0:
        os._exit(9 if lock.held else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert lock.held
    lock.release()
    assert not lock.held


def test_the_file_is_private_and_stays(run_dir: Path) -> None:
    Lock.acquire(run_dir).release()
    before = (run_dir / LOCK).stat()
    assert stat.S_IMODE(before.st_mode) == 0o600
    Lock.acquire(run_dir).release()
    assert (run_dir / LOCK).stat().st_ino == before.st_ino


def test_a_lock_file_that_is_removed_while_it_is_taken_locks_nothing(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock
    calls = []

    def removed_first(fd: int, how: int) -> None:
        calls.append(how)
        if len(calls) == 1:
            (run_dir / LOCK).unlink()
        real(fd, how)

    monkeypatch.setattr(module.fcntl, "flock", removed_first)
    with Lock.acquire(run_dir, retry=0):
        assert len(calls) == 2
        assert probe(run_dir) == "alive"


def test_a_run_that_one_may_not_lock_says_so(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for code, words in ((13, "permission denied"), (30, "read-only"), (37, "knows no locks")):

        def refuse(*_: object, code: int = code) -> None:
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patch:
            patch.setattr(*((module.fcntl, "flock") if code == 37 else (module.os, "open")), refuse)
            with pytest.raises(StorageError, match=words):
                Lock.acquire(run_dir)


def test_a_run_without_a_lock_is_dead_and_a_lock_in_the_writing_has_no_holder(run_dir: Path) -> None:
    assert probe(run_dir) == "dead" and read_holder(run_dir) is None
    (run_dir / LOCK).write_text('{"host": "a", "pi')
    assert read_holder(run_dir) is None


def test_a_lock_that_is_handed_on_always_has_a_holder(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that found none would take the run for ended, while its next worker is about to begin."""
    Lock.acquire(run_dir, purpose="a purpose with a very long name").release()
    seen: list[Holder | None] = []

    def watched(call: Callable[..., int | None]) -> Callable[..., int | None]:
        def wrapped(*arguments: object) -> int | None:
            result = call(*arguments)
            seen.append(read_holder(run_dir))
            return result

        return wrapped

    monkeypatch.setattr(os, "ftruncate", watched(os.ftruncate))
    monkeypatch.setattr(os, "pwrite", watched(os.pwrite))
    for purpose in ("launch", "train", "a purpose with a very, very long name"):
        with Lock.acquire(run_dir, purpose=purpose):
            holder = read_holder(run_dir)
            assert holder is not None and holder.purpose == purpose
    assert len(seen) >= 3 and None not in seen


def test_a_lock_that_is_a_link_is_refused(run_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("text")
    (run_dir / LOCK).symlink_to(tmp_path / "precious")
    with pytest.raises(StorageError):
        Lock.acquire(run_dir)
    assert (tmp_path / "precious").read_text() == "text"


def elsewhere(run_dir: Path, beat: float | None) -> None:
    Lock.acquire(run_dir).release()
    holder = json.loads((run_dir / LOCK).read_text())
    (run_dir / LOCK).write_text(json.dumps({**holder, "host": "another-host"}))
    if beat is not None:
        (run_dir / "heartbeat").touch()
        os.utime(run_dir / "heartbeat", (time.time() + beat,) * 2)


@pytest.mark.parametrize(
    ("beat", "expected"),
    [(None, "unknown"), (-61, "unknown"), (-30, "alive"), (0, "alive"), (3600, "alive")],
    ids=["never", "old", "fresh", "now", "its clock is ahead"],
)
def test_on_another_host_the_heartbeat_tells(run_dir: Path, beat: float | None, expected: str) -> None:
    elsewhere(run_dir, beat)
    assert probe(run_dir) == expected


def test_a_lock_that_the_kernel_sees_held_is_alive_whatever_the_host(run_dir: Path) -> None:
    elsewhere(run_dir, None)
    with (run_dir / LOCK).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert probe(run_dir) == "alive"


def test_where_locks_are_unknown_the_process_table_tells(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Lock.acquire(run_dir)

    def unsupported(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(module.fcntl, "flock", unsupported)
    assert probe(run_dir) == "alive"
    holder = json.loads((run_dir / LOCK).read_text())
    (run_dir / LOCK).write_text(json.dumps({**holder, "token": "an earlier process"}))
    assert probe(run_dir) == "dead"
    lock.release()


def test_the_heart_beats_until_release(run_dir: Path) -> None:
    lock = Lock.acquire(run_dir)
    lock.start_heartbeat(every=0.01)
    os.utime(run_dir / "heartbeat", (0, 0))
    until(lambda: (heartbeat_age(run_dir) or 1e9) < 5)
    lock.release()
    assert stat.S_IMODE((run_dir / "heartbeat").stat().st_mode) == 0o600


def test_a_token_tells_processes_apart() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    token = start_token(child.pid)
    assert token and token != start_token(os.getpid())
    owner = Owner(child.pid, token, every=0)
    assert owner.alive()
    child.kill()
    until(lambda: not owner.alive())  # a zombie by now: dead before anybody reaps it
    assert start_token(child.pid) is None
    child.communicate()
    assert not owner.alive()


def test_another_process_with_the_owners_number_is_not_the_owner() -> None:
    assert not Owner(os.getpid(), "an earlier process", every=0).alive()
    assert Owner.current().alive()
