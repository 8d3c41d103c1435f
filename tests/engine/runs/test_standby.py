"""A worker in waiting, with real processes: a small one that loads nothing takes the place of the one that trains."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.runs import launch as launching
from engine.runs import standby as module
from engine.runs.directory import create
from engine.runs.journal import read
from engine.runs.launch import Options, start_run, worker_environment
from engine.runs.lock import Lock, probe
from engine.runs.standby import GO, READY, SWITCH, WARM, Standby

WORKER = """
import json, os, sys, time
from pathlib import Path
from engine.runs.journal import Journal
from engine.runs.lock import Lock
claimed = sys.argv[1] == "--standby"
if claimed:
    from engine.train import standby
    behaviour = Path(__file__).with_name("behaviour").read_text()
    if behaviour == "broken":
        sys.exit(1)
    if behaviour == "dies when claimed":
        standby._agreed = lambda line: os._exit(1)
    standby._load = lambda line: behaviour == "slow" or line.sendall(standby.WARM)
    run_dir = standby.wait_for_claim()
    if run_dir is None:
        sys.exit(0)
else:
    run_dir = sys.argv[1]
run_dir = Path(run_dir)
lock = Lock.acquire(run_dir)
journal = Journal.open(run_dir, lock)
print("spoken", flush=True)
os.write(2, b"cried\\n")
about = {
    "pid": os.getpid(), "sid": os.getsid(0), "claimed": claimed, "folder": os.getcwd(),
    "stdin": os.fstat(0).st_rdev == os.stat("/dev/null").st_rdev, "environment": dict(os.environ),
    "files": sorted(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")) for fd in range(64)
                    if os.path.lexists(f"/proc/self/fd/{fd}")),
    "inheritable": [fd for fd in range(3, 64) if os.path.lexists(f"/proc/self/fd/{fd}") and os.get_inheritable(fd)],
}
journal.append({"type": "started", "pid": os.getpid(), "host": lock.holder.host, "about": about})
while not (run_dir / "stop").exists():
    time.sleep(0.01)
journal.append({"type": "finished", "reason": "stopped"})
journal.close()
"""


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return found


@pytest.fixture(autouse=True)
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the small worker; `behaviour` says what it does while it waits."""
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "small_worker.py").write_text(WORKER)
    (folder / "behaviour").write_text("waits")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv(SWITCH, "1")
    monkeypatch.setattr(launching, "WORKER", "small_worker")
    monkeypatch.setattr(module, "_code", lambda: ("this version",))
    monkeypatch.setattr(module, "PATIENCE", 20.0)

    def environment() -> dict[str, str]:
        return {name: value for name, value in worker_environment().items() if name != "PYTEST_CURRENT_TEST"}

    monkeypatch.setattr(launching, "worker_environment", environment)
    yield folder
    for worker in launching._started:
        worker.kill()
        worker.wait()


@pytest.fixture
def standby() -> Iterator[Standby]:
    kept = Standby()
    launching.keep(kept)
    yield kept
    launching.keep(None)
    kept.close()


@pytest.fixture
def waiting(standby: Standby) -> subprocess.Popen[bytes]:
    """The process that waits, ready to be claimed."""
    standby.want()
    until(lambda: standby.ready)
    assert standby._waiting is not None
    return standby._waiting.process


def start(tmp_path: Path) -> Path:
    return start_run(tmp_path / "runs", "digits", "seed: 1\n", Options(base="/data"))


def about(run_dir: Path) -> dict[str, Any]:
    found: dict[str, Any] = until(lambda: [r["about"] for r in read(run_dir) if r["type"] == "started"])[0]
    return found


def begun_once(run_dir: Path) -> dict[str, Any]:
    """What the one worker of a run says of itself, after its end."""
    worker = about(run_dir)
    (run_dir / "stop").touch()
    until(lambda: probe(run_dir) == "dead")
    assert [record["type"] for record in read(run_dir)] == ["started", "finished"]
    return worker


def test_a_claimed_worker_is_as_one_launched_for_the_run(
    tmp_path: Path, standby: Standby, waiting: subprocess.Popen[bytes]
) -> None:
    run_dir = start(tmp_path)
    claimed, fresh = about(run_dir), about(start(tmp_path))
    assert claimed["claimed"] and not fresh["claimed"]
    assert claimed["pid"] == waiting.pid == claimed["sid"]
    for worker in (claimed, fresh):
        assert worker["stdin"] and not worker["inheritable"]
    same = ("environment", "folder", "files")
    assert {key: claimed[key] for key in same} == {key: fresh[key] for key in same}
    assert (run_dir / "worker.log").read_text() == "spoken\ncried\n"
    assert (run_dir / "worker.log").stat().st_mode & 0o777 == 0o600
    begun_once(run_dir)


def test_the_lock_is_handed_over_without_a_gap(
    tmp_path: Path, standby: Standby, waiting: subprocess.Popen[bytes]
) -> None:
    run_dir = create(tmp_path / "runs", "digits", "train", "", {})
    lock = Lock.acquire(run_dir, purpose="launch")
    assert launching.launch(run_dir, lock) == waiting.pid
    lock.release()
    while not read(run_dir):
        assert probe(run_dir) == "alive"
    begun_once(run_dir)


def test_another_follows_only_when_it_is_wanted(tmp_path: Path, standby: Standby, waiting: Any) -> None:
    begun_once(start(tmp_path))
    assert not standby.ready
    standby.want()
    until(lambda: standby.ready)
    second = standby._waiting
    standby.want()
    assert standby._waiting is second, "one is enough"
    assert begun_once(start(tmp_path))["claimed"]


def killed(waiting: subprocess.Popen[bytes]) -> None:
    waiting.kill()
    waiting.wait()


def just_killed(waiting: subprocess.Popen[bytes]) -> None:
    os.kill(waiting.pid, signal.SIGKILL)


def stopped(waiting: subprocess.Popen[bytes]) -> None:
    os.kill(waiting.pid, signal.SIGSTOP)


@pytest.mark.parametrize("harm", [killed, just_killed, stopped])
def test_one_that_cannot_take_the_run_is_replaced(
    harm: Callable[[subprocess.Popen[bytes]], None],
    tmp_path: Path,
    standby: Standby,
    waiting: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    harm(waiting)
    run_dir = start(tmp_path)
    assert not begun_once(run_dir)["claimed"]
    assert waiting.wait(10) == -signal.SIGKILL


def test_one_that_dies_with_the_claim_in_its_hands_is_replaced(tmp_path: Path, parts: Path, standby: Standby) -> None:
    (parts / "behaviour").write_text("dies when claimed")
    standby.want()
    until(lambda: standby.ready)
    assert not begun_once(start(tmp_path))["claimed"]


def test_one_that_is_still_loading_is_left_to_it(tmp_path: Path, parts: Path, standby: Standby) -> None:
    (parts / "behaviour").write_text("slow")
    standby.want()
    assert not begun_once(start(tmp_path))["claimed"]
    assert standby._waiting is not None and standby._waiting.alive()


def test_it_is_refused_where_a_fresh_worker_would_find_something_else(
    tmp_path: Path, standby: Standby, waiting: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOODFIT_DATA", "/elsewhere")
    worker = begun_once(start(tmp_path))
    assert not worker["claimed"] and worker["environment"]["GOODFIT_DATA"] == "/elsewhere"
    waiting.wait(10)
    changes: tuple[Callable[[], None], ...] = (
        lambda: monkeypatch.chdir(tmp_path),
        lambda: monkeypatch.setattr(module, "_code", lambda: ("another version",)),
    )
    for change in changes:
        standby.want()
        until(lambda: standby.ready)
        change()
        assert not begun_once(start(tmp_path))["claimed"]


def test_two_runs_at_once_get_one_worker_each(tmp_path: Path, standby: Standby, waiting: Any) -> None:
    runs: list[Path] = []
    starts = [threading.Thread(target=lambda: runs.append(start(tmp_path))) for _ in range(3)]
    for thread in starts:
        thread.start()
    for thread in starts:
        thread.join()
    assert sorted(begun_once(run_dir)["claimed"] for run_dir in runs) == [False, False, True]


def test_none_waits_where_none_is_wanted(standby: Standby, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "0")
    standby.want()
    assert standby._waiting is None
    monkeypatch.delenv(SWITCH)
    with monkeypatch.context() as patch:
        patch.setattr(module, "free_memory", lambda: 0)
        standby.want()
        assert standby._waiting is None
    standby.want()
    assert standby._waiting is not None
    standby.close()
    standby.want()
    assert standby._waiting is None


def test_where_none_ever_gets_ready_no_more_are_tried(parts: Path, standby: Standby) -> None:
    (parts / "behaviour").write_text("broken")
    seen = set()
    for _ in range(5):
        standby.want()
        if standby._waiting is not None:
            seen.add(standby._waiting.process.pid)
            standby._waiting.process.wait(20)
    assert len(seen) == module.TRIES


def by_hand(run_dir: Path) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A waiting worker, and the other end of its line."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "small_worker", "--standby"],
        stdin=theirs.fileno(),
        start_new_session=True,
        env=worker_environment(),
    )
    theirs.close()
    ours.settimeout(20)
    assert ours.recv(64) == WARM
    return process, ours


@pytest.mark.parametrize("torn", ["nothing", "half a claim", "all but go", "rubbish"])
def test_a_claim_that_breaks_off_leaves_the_run_alone(torn: str, tmp_path: Path) -> None:
    run_dir = create(tmp_path / "runs", "digits", "train", "", {})
    process, line = by_hand(run_dir)
    claim = json.dumps({"run_dir": str(run_dir)}).encode() + b"\n"
    with Lock.acquire(run_dir, purpose="launch") as lock, (run_dir / "worker.log").open("wb") as log:
        fds = [lock.fileno(), log.fileno()]
        if torn == "half a claim":
            socket.send_fds(line, [claim[:9]], fds)
        elif torn == "all but go":
            socket.send_fds(line, [claim], fds)
            assert line.recv(64) == READY
        elif torn == "rubbish":
            socket.send_fds(line, [b"[1, 2]\n"], fds)
        line.close()
        assert process.wait(20) == 0
    assert read(run_dir) == [] and probe(run_dir) == "dead"


def test_words_may_arrive_in_pieces(tmp_path: Path) -> None:
    run_dir = create(tmp_path / "runs", "digits", "train", "", {})
    process, line = by_hand(run_dir)
    claim = json.dumps({"run_dir": str(run_dir)}).encode() + b"\n"
    with Lock.acquire(run_dir, purpose="launch") as lock, (run_dir / "worker.log").open("wb") as log:
        socket.send_fds(line, [claim[:5]], [lock.fileno(), log.fileno()])
        line.sendall(claim[5:])
        assert line.recv(64) == READY
        line.sendall(GO[:1])
        line.sendall(GO[1:])
        line.close()
    worker = begun_once(run_dir)
    assert worker["claimed"] and worker["pid"] == process.pid
    assert process.wait(20) == 0


KEEPER = """
import sys, time
from pathlib import Path
from engine.runs import launch, standby
launch.WORKER = "small_worker"
standby._code = lambda: ()
standby.PATIENCE = 20.0
kept = standby.Standby()
launch.keep(kept)
kept.want()
while not kept.ready:
    time.sleep(0.01)
claimed = kept._waiting.process.pid
if sys.argv[2:]:
    claimed = launch.start_run(Path(sys.argv[1]), "digits", "seed: 1", launch.Options(base="/"))
kept.want()
while not kept.ready:
    time.sleep(0.01)
print(claimed, kept._waiting.process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("claims", [True, False])
def test_the_death_of_the_keeper_ends_the_waiting_worker_alone(claims: bool, tmp_path: Path) -> None:
    more = ["claim"] if claims else []
    keeper = subprocess.Popen(
        [sys.executable, "-P", "-c", KEEPER, str(tmp_path / "runs"), *more],
        stdout=subprocess.PIPE,
        env=worker_environment(),
        start_new_session=True,
    )
    assert keeper.stdout is not None
    first, waiting = keeper.stdout.readline().decode().split()
    os.killpg(keeper.pid, signal.SIGKILL)
    keeper.wait()

    def gone(pid: str) -> bool:
        stat = Path("/proc", pid, "stat")
        return not stat.exists() or stat.read_bytes().rpartition(b")")[2].split()[0] == b"Z"

    until(lambda: gone(waiting))
    if claims:
        assert probe(Path(first)) == "alive"
        assert begun_once(Path(first))["claimed"]


def test_nobody_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.train import standby

    monkeypatch.setattr(standby, "IDLE", 0.05)
    monkeypatch.setattr(standby, "_load", lambda line: None)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert standby.wait_for_claim(theirs.fileno()) is None
