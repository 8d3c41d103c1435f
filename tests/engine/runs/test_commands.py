from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from engine.runs import commands
from engine.runs.commands import COMMANDS, Command, Inbox, NoAnswer, NotRunning, request, send, wait
from engine.runs.journal import Journal, read
from engine.runs.lock import Lock
from engine.runs.records import CommandAccepted, CommandRefused, Edited, Finished, Paused


def test_a_command_arrives_whole_once_and_in_order(journal: Journal, run_dir: Path) -> None:
    first = send(run_dir, "set", edits=[{"op": "set", "path": "optimizer.lr", "value": 0.1}])
    second = send(run_dir, "pause")
    inbox = Inbox(run_dir)
    assert inbox.poll() == [
        Command(first, "set", {"edits": [{"op": "set", "path": "optimizer.lr", "value": 0.1}]}),
        Command(second, "pause"),
    ]
    assert inbox.poll() == [] and list((run_dir / COMMANDS).iterdir()) == []


def test_a_command_is_private(journal: Journal, run_dir: Path) -> None:
    name = send(run_dir, "stop")
    assert stat.S_IMODE((run_dir / COMMANDS / f"{name}.json").stat().st_mode) == 0o600


def test_a_command_in_the_writing_is_not_read(journal: Journal, run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = Inbox(run_dir)
    seen: list[list[Command]] = []
    real = os.rename

    def look_first(a: Path, b: Path) -> None:
        seen.append(inbox.poll())
        real(a, b)

    monkeypatch.setattr(os, "rename", look_first)
    send(run_dir, "stop")
    assert seen == [[]]
    assert [command.verb for command in inbox.poll()] == ["stop"]


def test_without_a_worker_nothing_is_sent(run_dir: Path) -> None:
    with pytest.raises(NotRunning):
        send(run_dir, "stop")
    with Lock.acquire(run_dir, purpose="test"), pytest.raises(NotRunning):
        send(run_dir, "stop")
    assert list((run_dir / COMMANDS).iterdir()) == []


def test_what_a_dead_worker_never_read_is_refused_by_the_next(run_dir: Path) -> None:
    with Lock.acquire(run_dir):
        stale = send(run_dir, "stop")
    holder = json.loads((run_dir / "lock").read_text())
    with Lock.acquire(run_dir) as lock:
        # the same process here, so the next worker's name is put on it by hand
        (run_dir / "lock").write_text(json.dumps({**holder, "token": "the next worker"}))
        journal = Journal.open(run_dir, lock)
        inbox = Inbox(run_dir)
        assert inbox.poll() == []
        assert [(r["type"], r["id"]) for r in inbox.refuse_unfit(journal)] == [("command_refused", stale)]
        assert inbox.refuse_unfit(journal) == []
        journal.close()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"verb": "explode"}', b'{"verb": ["stop"]}', b"{}", b"\xff", b'"x"']
)
def test_an_unreadable_command_is_refused(journal: Journal, run_dir: Path, body: bytes) -> None:
    (run_dir / COMMANDS / "1.json").write_bytes(body)
    (run_dir / COMMANDS / "2.json").symlink_to("/etc/hostname")
    inbox = Inbox(run_dir)
    assert inbox.poll() == []
    assert [record["id"] for record in inbox.refuse_unfit(journal)] == ["1", "2"]
    assert list((run_dir / COMMANDS).iterdir()) == []


def test_waiting_gives_the_answer_and_its_own_effect(journal: Journal, run_dir: Path) -> None:
    journal.append(Edited(step=1, id="other", edits=[]))
    accepted = journal.append(CommandAccepted(id="mine"))
    journal.append(Edited(step=2, id="other", edits=[]))
    effect = journal.append(Edited(step=3, id="mine", edits=[]))
    assert wait(run_dir, "mine", {"edited"}) == [accepted, effect]


def test_waiting_ends_with_a_refusal(journal: Journal, run_dir: Path) -> None:
    refused = journal.append(CommandRefused(id="mine", reason="paused already"))
    assert wait(run_dir, "mine", {"paused"}) == [refused]


def test_no_answer_in_time(journal: Journal, run_dir: Path) -> None:
    with pytest.raises(NoAnswer):
        wait(run_dir, "mine", {"paused"}, timeout=0.05)


def test_a_worker_that_dies_first_is_noticed(run_dir: Path) -> None:
    with pytest.raises(NotRunning):
        wait(run_dir, "mine", {"paused"}, timeout=60)


def test_what_a_worker_wrote_last_is_still_read(run_dir: Path) -> None:
    with Lock.acquire(run_dir) as lock:
        journal = Journal.open(run_dir, lock)
        journal.append(CommandAccepted(id="mine"))
        finished = journal.append(Finished(reason="stopped", best_epoch=None, best={}, test=None, recipe=""))
        journal.close()
    assert wait(run_dir, "mine", {"finished"})[-1] == finished


def test_request_reaches_a_worker_and_sees_what_it_does(run_dir: Path) -> None:
    with Lock.acquire(run_dir) as lock:
        journal = Journal.open(run_dir, lock)
        for n in range(1, 50):
            journal.append(Paused(step=n))  # earlier ones are not the effect
        over = threading.Event()

        def worker() -> None:
            inbox = Inbox(run_dir)
            while not over.wait(0.01):
                for command in inbox.poll():
                    journal.append(CommandAccepted(id=command.id))
                    journal.append(Paused(step=99))

        thread = threading.Thread(target=worker)
        thread.start()
        try:
            answer, effect = request(run_dir, "pause")
        finally:
            over.set()
            thread.join()
        assert (answer["type"], effect["type"], effect["step"]) == ("command_accepted", "paused", 99)
        assert read(run_dir)[-1] == effect
        journal.close()


def test_a_command_waits_for_a_worker_that_is_just_being_launched(run_dir: Path) -> None:
    launching = Lock.acquire(run_dir, purpose="launch")
    asked = threading.Event()
    sent: list[str] = []
    real = commands.read_holder

    def ask(path: Path) -> object:
        asked.set()
        return real(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "read_holder", ask)
        thread = threading.Thread(target=lambda: sent.append(send(run_dir, "pause")))
        thread.start()
        assert asked.wait(10)
        holder = json.loads((run_dir / "lock").read_text())
        (run_dir / "lock").write_text(json.dumps({**holder, "purpose": "train", "token": "worker"}))
        thread.join(10)
    assert [command.id for command in Inbox(run_dir, "worker").poll()] == sent
    launching.release()
