"""Launching, with real processes: a small worker takes the place of the one that trains."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UserError
from engine.runs import launch as module
from engine.runs.checkpoints import load
from engine.runs.directory import create
from engine.runs.journal import Journal, read
from engine.runs.launch import Options, fork_run, kill_worker, launch, pick_checkpoint, resume_run, start_run
from engine.runs.lock import Held, Lock, probe, read_holder
from engine.runs.summary import state_of

WORKER = """
import fcntl, json, os, sys, time
from pathlib import Path
from engine.runs.journal import Journal
from engine.runs.launch import owner_of
from engine.runs.lock import Lock
run_dir = Path(sys.argv[1])
lock = Lock.acquire(run_dir)
journal = Journal.open(run_dir, lock)
print("spoken", flush=True)
try:
    tty = os.open("/dev/tty", os.O_RDWR)
except OSError:
    tty = None
import engine
about = {
    "pid": os.getpid(), "sid": os.getsid(0), "tty": tty, "stdin": os.fstat(0).st_rdev == os.stat("/dev/null").st_rdev,
    "engine": engine.__file__, "argv": sys.argv[1:], "flags": sys.flags.safe_path,
    "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd")),
    "inheritable": os.get_inheritable(lock.fileno()), "launch": json.loads((run_dir / "launch.json").read_text()),
}
first = not journal.seq
kind = {"type": "started"} if first else {"type": "resumed", "from_step": 0, "wall": "w"}
journal.append({**kind, "pid": os.getpid(), "host": lock.holder.host, "about": about})
owner = owner_of(run_dir)
while not (run_dir / "stop").exists() and (owner is None or owner.alive()):
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
def small_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "small_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(parts))
    monkeypatch.setattr(module, "WORKER", "small_worker")
    yield
    for worker in module._started:
        worker.kill()
        worker.wait()


def about(run_dir: Path, kind: str = "started") -> dict[str, Any]:
    def look() -> Any:
        return [record["about"] for record in read(run_dir) if record["type"] == kind]

    found: dict[str, Any] = until(look)[-1]
    return found


def start(tmp_path: Path, **options: Any) -> Path:
    return start_run(tmp_path / "runs", "digits", "seed: 1\n", Options(base="/data", **options))


def test_a_worker_has_its_own_session_and_no_terminal(tmp_path: Path) -> None:
    run_dir = start(tmp_path, argv=("train", "x.yaml"), test=True)
    worker = about(run_dir)
    assert worker["sid"] == worker["pid"] != os.getsid(0)
    assert worker["tty"] is None and worker["stdin"] and worker["flags"]
    assert worker["argv"] == [str(run_dir)]
    assert worker["launch"]["base"] == "/data" and worker["launch"]["test"] is True
    assert (run_dir / "worker.log").read_text() == "spoken\n"
    assert (run_dir / "worker.log").stat().st_mode & 0o777 == 0o600


def test_the_lock_is_handed_on_without_a_gap(tmp_path: Path) -> None:
    run_dir = create(tmp_path / "runs", "digits", "train", "", {})
    lock = Lock.acquire(run_dir, purpose="launch")
    pid = launch(run_dir, lock)
    lock.release()
    seen = set()
    while not read(run_dir):  # at every moment somebody holds it, and the run is being prepared
        assert probe(run_dir) == "alive"
        seen.add(state_of(run_dir))
    assert seen <= {"preparing"}
    worker = about(run_dir)
    assert worker["inheritable"] is False and worker["pid"] == pid
    holder = read_holder(run_dir)
    assert holder is not None and (holder.pid, holder.purpose) == (pid, "train")
    assert state_of(run_dir) == "preparing"
    os.kill(pid, signal.SIGKILL)
    until(lambda: state_of(run_dir) == "failed")


def test_a_folder_named_engine_where_one_stands_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cwd" / "engine").mkdir(parents=True)
    (tmp_path / "cwd" / "engine" / "__init__.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path / "cwd")
    import engine

    assert about(start(tmp_path))["engine"] == engine.__file__


def test_a_second_worker_is_refused_by_name(tmp_path: Path) -> None:
    run_dir = start(tmp_path)
    pid = about(run_dir)["pid"]
    with pytest.raises(Held, match=f"process {pid} on "):
        resume_run(run_dir, Options())
    assert about(run_dir)["launch"]["base"] == "/data"


def test_resume_gives_a_new_life_and_keeps_what_it_does_not_change(tmp_path: Path) -> None:
    run_dir = start(tmp_path, parts=("/mine.py",), test=True)
    about(run_dir)
    (run_dir / "stop").touch()
    until(lambda: probe(run_dir) == "dead")
    assert state_of(run_dir) == "stopped"
    (run_dir / "stop").unlink()
    edit = {"op": "set", "path": "train.epochs", "value": 9}
    resume_run(run_dir, Options(device="cpu"), [edit])
    asked = about(run_dir, "resumed")["launch"]
    assert (asked["base"], asked["parts"], asked["device"], asked["edits"]) == ("/data", ["/mine.py"], "cpu", [edit])
    assert asked["test"] is False and asked["owner_pid"] is None
    assert (run_dir / "launch.json").stat().st_mode & 0o777 == 0o600
    assert [record["life"] for record in read(run_dir)] == [1, 1, 2]
    assert state_of(run_dir) == "preparing"


RESUMER = """
import sys
from pathlib import Path
from engine.runs import launch
from engine.runs.lock import Held
launch.WORKER = "small_worker"
sys.stdin.readline()
try:
    print(launch.resume_run(Path(sys.argv[1]), launch.Options(argv=(sys.argv[2],))), flush=True)
except Held:
    print("held", flush=True)
sys.stdin.readline()
"""


def test_of_several_who_resume_at_once_one_does(tmp_path: Path) -> None:
    run_dir = create(tmp_path / "runs", "digits", "train", "", {})
    several = [
        subprocess.Popen(
            [sys.executable, "-c", RESUMER, str(run_dir), str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    for process in several:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.stdout.readline().strip() for process in several if process.stdout is not None]
    worker = about(run_dir)
    winner = answers.index(str(worker["pid"]))
    assert sorted(answers) == sorted(["held"] * 3 + [answers[winner]])
    assert worker["launch"]["argv"] == [str(winner)]
    (run_dir / "stop").touch()
    for process in several:
        process.communicate("\n")
    until(lambda: probe(run_dir) == "dead")
    assert [record["type"] for record in read(run_dir)] == ["started", "finished"]


OWNER = """
import sys
from pathlib import Path
from engine.runs import launch
from engine.runs.launch import Options, start_run
launch.WORKER = "small_worker"
print(start_run(Path(sys.argv[1]), "digits", "", Options(owner=sys.argv[2] == "owned")), flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("how", ["owned", "detached"])
def test_an_owned_worker_ends_with_its_owner_and_a_detached_one_goes_on(tmp_path: Path, how: str) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "runs"), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    run_dir = Path(owner.stdout.readline().strip())
    pid = about(run_dir)["pid"]
    owner.kill()
    owner.communicate()
    killed = time.monotonic()
    if how == "owned":
        until(lambda: probe(run_dir) == "dead", 5)
        assert time.monotonic() - killed < 5
        assert read(run_dir)[-1]["reason"] == "stopped"
    else:
        assert probe(run_dir) == "alive"
        os.kill(pid, signal.SIGKILL)


def test_kill_ends_the_worker_and_never_another_process(tmp_path: Path) -> None:
    run_dir = start(tmp_path)
    about(run_dir)
    assert kill_worker(run_dir)
    until(lambda: probe(run_dir) == "dead")
    assert not kill_worker(run_dir)
    holder = json.loads((run_dir / "lock").read_text())
    with Lock.acquire(run_dir):
        (run_dir / "lock").write_text(json.dumps({**holder, "pid": os.getpid()}))
        assert not kill_worker(run_dir)  # our number, another's start
        (run_dir / "lock").write_text(json.dumps({**holder, "host": "elsewhere"}))
        with pytest.raises(UserError, match="elsewhere"):
            kill_worker(run_dir)


def test_a_worker_that_cannot_start_leaves_the_run_failed_with_its_words(tmp_path: Path) -> None:
    run_dir = create(tmp_path / "runs", "digits", "train", "", {})
    launch(run_dir, module="no_such_module")
    until(lambda: state_of(run_dir) == "failed")
    assert "no_such_module" in (run_dir / "worker.log").read_text()
    assert probe(run_dir) == "dead"


@pytest.fixture
def source(tmp_path: Path, commit: Any) -> Path:
    run_dir = create(tmp_path / "runs", "red wine", "train", "seed: 1  # mine\n", {"base": "/data", "parts": ["/p.py"]})
    with Lock.acquire(run_dir) as lock:
        journal = Journal.open(run_dir, lock)
        for epoch in (1, 2, 3):
            commit(journal, 10 * epoch, epoch=epoch, best=epoch == 2)
        edits = [{"op": "set", "path": "seed", "value": 5}]
        journal.append({"type": "edited", "step": 25, "id": None, "edits": edits})
        journal.append({"type": "finished", "reason": "completed"})
        journal.close()
    return run_dir


def test_a_fork_starts_from_a_copy_with_the_recipe_of_that_moment(tmp_path: Path, source: Path) -> None:
    from engine.recipe.edits import Edit

    for epoch, text in ((None, "seed: 5  # mine\n"), ("best", "seed: 1  # mine\n")):
        fork = fork_run(tmp_path / "runs", source, pick_checkpoint(source, epoch), Options())
        asked = about(fork)["launch"]
        step = 30 if epoch is None else 20
        assert (fork / "recipe.yaml").read_text() == text
        assert asked["parent"] == {"run": source.name, "how": "fork", "step": step}
        assert (asked["base"], asked["parts"], asked["name"]) == ("/data", ["/p.py"], "red wine")
        tensors, _ = load(fork / asked["from"]["path"], asked["from"]["manifest_sha"])
        assert (tensors["w"] == step).all() and asked["from"]["epoch"] == step // 10
    edited = fork_run(tmp_path / "runs", source, pick_checkpoint(source, 1), Options(), edits=[Edit("set", "seed", 8)])
    assert (edited / "recipe.yaml").read_text() == "seed: 8  # mine\n"


def test_a_fork_of_a_damaged_checkpoint_leaves_no_run(tmp_path: Path, source: Path) -> None:
    record = pick_checkpoint(source)
    (source / record["path"] / "state.json").write_text("")
    with pytest.raises(UserError, match="damaged"):
        fork_run(tmp_path / "runs", source, record, Options())
    assert list((tmp_path / "runs").iterdir()) == [source]


def test_a_checkpoint_that_is_not_there_is_said(tmp_path: Path, source: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint of epoch 9") as caught:
        pick_checkpoint(source, 9)
    assert "1, 2, 3" in caught.value.hint
    empty = create(tmp_path / "runs", "empty", "train", "", {})
    with pytest.raises(UserError, match="no checkpoint yet"):
        pick_checkpoint(empty)
