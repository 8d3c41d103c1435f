"""Real worker processes: their journals, their deaths, and what the next life makes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from engine.runs import checkpoints, launch
from engine.runs.commands import request, send
from engine.runs.directory import effective_recipe
from engine.runs.journal import effective, read
from engine.runs.launch import Options, fork_run, owner_of, pick_checkpoint, worker_environment
from engine.runs.lock import probe
from engine.train import standby
from engine.train.standby import wait_for_claim
from engine.train.verify import verify
from tests.engine.train.conftest import DIGITS

LONG = DIGITS.replace("epochs: 3", "epochs: 100000")


@pytest.fixture
def until(request: pytest.FixtureRequest) -> Any:
    """`await_record` of the conftest, which cannot be imported by name."""
    return sys.modules[type(request.getfixturevalue("nursery")).__module__].await_record  # type: ignore[attr-defined]


def types(run_dir: Path) -> list[str]:
    return [record["type"] for record in read(run_dir)]


def verdict(run_dir: Path) -> dict[str, Any]:
    return list(verify(run_dir))[-1]


def digest(run_dir: Path) -> list[tuple[int, str]]:
    return [(r["epoch"], r["digest"]) for r in effective(read(run_dir)) if r["type"] == "epoch"]


def edit(path: str, value: Any) -> dict[str, Any]:
    return {"op": "set", "path": path, "value": value}


def test_a_run_from_started_to_finished(nursery: Any) -> None:
    run_dir = nursery.train(DIGITS, test=True)
    records = read(run_dir)
    kinds = [record["type"] for record in records]
    assert kinds[0] == "started" and kinds[-1] == "finished"
    order = [kinds.index(kind) for kind in ("started", "progress", "data", "plan", "steps", "epoch", "test_evaluated")]
    assert order == sorted(order)
    plan = next(r for r in records if r["type"] == "plan")
    assert plan["steps_per_epoch"] == 4 and plan["parameters"] == 64 * 24 + 24 + 24 * 10 + 10
    assert plan["loss_baseline"] == pytest.approx(2.303, abs=0.01) and 2.0 < plan["loss_at_init"] < 2.7
    assert plan["monitor"] == "val_loss"
    resolved = (run_dir / "resolved.yaml").read_text()
    assert "type: CrossEntropyLoss" in resolved and "out_features: 10" in resolved and "epochs: 3" in resolved
    steps = [r for r in records if r["type"] == "steps"]
    assert sum(r["count"] for r in steps) == 12 and steps[-1]["step"] == 12
    finished = records[-1]
    assert finished["reason"] == "completed" and finished["best_epoch"] == 3
    assert set(finished["best"]) == {"train_loss", "val_loss", "val_accuracy"}
    assert set(finished["test"]) == {"test_loss", "test_accuracy"}
    assert finished["recipe"] == DIGITS
    look = next(r for r in records if r["type"] == "test_evaluated")
    assert look["metrics"] == finished["test"] and look["looks"] == 1
    assert probe(run_dir) == "dead"
    best = checkpoints.best(records)
    assert best is not None and best["step"] == 12
    assert verdict(run_dir)["equal"] is True


def test_verify_names_the_first_row_that_differs(nursery: Any) -> None:
    run_dir = nursery.train(DIGITS)
    log = run_dir / "events.log"
    lines = log.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines):
        if b'"type":"steps"' in line:
            first = read(run_dir)[number]
            body = line[9:-1].replace(first["crc"].encode(), b"00000000")
            lines[number] = b"%08x %b\n" % (zlib.crc32(body), body)
            break
    log.write_bytes(b"".join(lines))
    found = verdict(run_dir)
    assert found["equal"] is False and found["comparable"] is True
    assert found["first_difference"].startswith(f"steps 1 to {first['count']}")


def test_verify_says_why_it_cannot_compare(nursery: Any) -> None:
    from engine.train.verify import NotComparable

    run_dir = nursery.train(DIGITS.replace("{epochs: 3}", "{epochs: 1, deterministic: false}"))
    with pytest.raises(NotComparable, match="deterministic is false"):
        list(verify(run_dir))


@pytest.mark.parametrize("place", ["loading", "first steps", "a checkpoint", "epoch 12"])
def test_killed_anywhere_and_resumed_equals_uninterrupted(place: str, nursery: Any, until: Any, train: Any) -> None:
    text = DIGITS.replace("epochs: 3", "epochs: 24")
    run_dir = nursery.create(text)
    process = nursery.start(run_dir)
    wanted = {
        "loading": lambda r: r["type"] == "progress",
        "first steps": lambda r: r["type"] == "steps",
        "a checkpoint": lambda r: r["type"] == "checkpoint",
        "epoch 12": lambda r: r.get("epoch") == 12,
    }[place]
    until(run_dir, wanted)
    process.kill()
    process.join()
    again = nursery.start(run_dir)
    finished = until(run_dir, lambda r: r["type"] == "finished" and r["life"] == 2, life=2)
    again.join(30)
    assert finished["reason"] == "completed"
    resumed = next(r for r in read(run_dir) if r["type"] == "resumed")
    assert resumed["pid"] and resumed["life"] == 2
    whole = train(text)
    state = whole.session.executor.state()
    assert digest(run_dir) == [(epoch.epoch, epoch.digest) for epoch in whole.of("epoch")]
    assert verdict(run_dir)["equal"] is True
    steps = [r for r in effective(read(run_dir)) if r["type"] == "steps"]
    assert [r["first"] for r in steps] == [1, *(r["first"] + r["count"] for r in steps[:-1])]
    one, other = checkpoints.load_latest(run_dir, read(run_dir))[1], state.tensors
    assert one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_paused_edited_killed_resumed_and_verified(nursery: Any, until: Any) -> None:
    run_dir = nursery.create(LONG)
    process = nursery.start(run_dir)
    until(run_dir, lambda r: r["type"] == "epoch")
    accepted, paused = request(run_dir, "pause")
    assert (accepted["type"], paused["type"]) == ("command_accepted", "paused")
    assert request(run_dir, "pause")[0]["type"] == "command_refused"
    edits = [edit("optimizer.lr", 0.003), edit("model.layers.drop1.p", 0.5), edit("optimizer.weight_decay", 0.01)]
    accepted, edited = request(run_dir, "set", edits=edits)
    assert edited["step"] == paused["step"] and edited["id"] == accepted["id"]
    assert request(run_dir, "resume")[1]["from_step"] == paused["step"]
    _, clipped = request(run_dir, "set", edits=[edit("train.clip_grad_norm", 0.5)])
    until(run_dir, lambda r: r["type"] == "epoch" and r["step"] > clipped["step"] + 40)
    process.kill()
    process.join()
    again = nursery.start(run_dir)
    until(run_dir, lambda r: r["type"] == "epoch", life=2)
    _, shorter = request(run_dir, "set", edits=[edit("train.early_stopping", {"patience": 3})])
    finished = until(run_dir, lambda r: r["type"] == "finished", life=2)
    again.join(30)
    assert finished["reason"] == "early_stopped" and "patience 3" in finished["message"]
    held = effective_recipe(run_dir)
    assert finished["recipe"] == held and "lr: 0.003" in held and "p: 0.5" in held
    resolved = (run_dir / "resolved.yaml").read_text()
    assert "lr: 0.003" in resolved and "clip_grad_norm: 0.5" in resolved and "patience: 3" in resolved
    assert [r["step"] for r in effective(read(run_dir)) if r["type"] == "edited"] == [
        edited["step"], clipped["step"], shorter["step"]
    ]  # fmt: skip
    assert verdict(run_dir)["equal"] is True


def test_what_cannot_change_live_is_refused_with_the_reason(nursery: Any, until: Any) -> None:
    run_dir = nursery.create(LONG)
    process = nursery.start(run_dir)
    until(run_dir, lambda r: r["type"] == "epoch")
    for change, why in [
        (edit("data.batch_size", 16), "data.batch_size cannot change"),
        (edit("optimizer.lr", -1.0), "optimizer.lr|greater"),
        (edit("optimizer.lr", "fast"), "number"),
        (edit("train", {"clip_grad_norm": 1.0, "clip_grad_value": 1.0, "epochs": 100000}), "keep one of"),
        (edit("train.epochs", 1), "has begun"),
        (edit("model.layers.0.out_features", 5), "out_features cannot change"),
        (edit("train.early_stopping", {"monitor": "val_accuracy"}), "judges"),
        ({"op": "set"}, "not an edit"),
        ({**edit("optimizer.lr", 0.1), "expect": 0.5}, "0.5|expect"),
    ]:
        answer = request(run_dir, "set", edits=[change])
        assert [r["type"] for r in answer] == ["command_refused"], change
        assert any(word in answer[0]["reason"] for word in why.split("|")), answer[0]["reason"]
    assert request(run_dir, "resume")[0]["reason"] == "the run is not paused"
    assert request(run_dir, "checkpoint")[1]["type"] == "checkpoint"
    assert request(run_dir, "stop")[1]["reason"] == "stopped"
    process.join(30)
    assert "edited" not in types(run_dir)


def test_a_stopped_run_goes_on_where_it_stopped(nursery: Any, until: Any) -> None:
    run_dir = nursery.create(LONG)
    process = nursery.start(run_dir)
    until(run_dir, lambda r: r["type"] == "epoch")
    stopped = request(run_dir, "stop")[1]
    process.join(30)
    assert stopped["reason"] == "stopped"
    options = run_dir / "launch.json"
    epochs = stopped["epoch"] + 3
    options.write_text(
        options.read_text().replace(
            '"edits": []', f'"edits": [{{"op": "set", "path": "train.epochs", "value": {epochs}}}]'
        )
    )
    again = nursery.start(run_dir)
    resumed = until(run_dir, lambda r: r["type"] == "resumed", life=2)
    finished = until(run_dir, lambda r: r["type"] == "finished", life=2)
    again.join(30)
    assert resumed["from_step"] == stopped["step"]
    assert finished["reason"] == "completed" and finished["step"] == epochs * 4
    assert verdict(run_dir)["equal"] is True


@pytest.mark.parametrize("place", ["best", None])
def test_a_fork_goes_on_from_its_checkpoint(place: str | None, nursery: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.recipe.edits import Edit

    source = nursery.train(DIGITS)
    record = pick_checkpoint(source, place)
    monkeypatch.setattr(launch, "launch", lambda run_dir, lock: None)
    run_dir = fork_run(
        nursery.root / "runs",
        source,
        record,
        Options(),
        edits=[Edit("set", "train.epochs", 5), Edit("set", "optimizer.lr", 0.001)],
    )
    assert nursery.finish(run_dir, nursery.start(run_dir))["reason"] == "completed"
    records = read(run_dir)
    assert records[0]["parent"] == {"run": source.name, "how": "fork", "step": record["step"]}
    epochs = [r for r in records if r["type"] == "epoch"]
    assert [r["epoch"] for r in epochs] == [4, 5] and epochs[0]["lr"] == 0.001
    assert next(r["first"] for r in records if r["type"] == "steps") == record["step"] + 1
    assert verdict(run_dir)["equal"] is True
    assert [row.get("done") for row in verify(run_dir, 1)] == [4, None]


def test_sigterm_saves_and_exits_with_143_and_hangup_is_nothing(nursery: Any, until: Any) -> None:
    run_dir = nursery.create(LONG)
    process = nursery.start(run_dir)
    until(run_dir, lambda r: r["type"] == "epoch")
    os.kill(process.pid, signal.SIGHUP)
    later = read(run_dir)[-1]["seq"]
    until(run_dir, lambda r: r["seq"] > later and r["type"] == "epoch")
    os.kill(process.pid, signal.SIGTERM)
    process.join(30)
    assert process.exitcode == 143
    records = read(run_dir)
    assert records[-1]["reason"] == "preempted"
    last = checkpoints.latest(records)
    assert last is not None and last["step"] == records[-1]["step"]


def test_the_death_of_its_owner_stops_a_worker(nursery: Any, until: Any) -> None:
    owner = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    from engine.runs.process import start_token

    run_dir = nursery.create(LONG, owner_pid=owner.pid, owner_token=start_token(owner.pid))
    process = nursery.start(run_dir)
    until(run_dir, lambda r: r["type"] == "epoch")
    assert owner_of(run_dir) is not None
    owner.kill()
    owner.wait()
    began = time.monotonic()
    finished = until(run_dir, lambda r: r["type"] == "finished")
    assert time.monotonic() - began < 5
    process.join(30)
    assert finished["reason"] == "stopped"
    assert checkpoints.latest(read(run_dir))["step"] == finished["step"]  # type: ignore[index]


def test_bad_data_ends_with_a_message_and_no_traceback(nursery: Any) -> None:
    run_dir = nursery.train(DIGITS.replace("Builtin, name: digits", "CSV, path: nowhere.csv, target: y"))
    finished = read(run_dir)[-1]
    assert finished["reason"] == "error" and "nowhere.csv" in finished["message"]
    assert "Traceback" not in finished["message"] and finished["best"] == {}


def test_a_second_worker_is_refused(nursery: Any, until: Any) -> None:
    run_dir = nursery.create(LONG)
    nursery.start(run_dir)
    until(run_dir, lambda r: r["type"] == "epoch")
    second = nursery.start(run_dir)
    second.join(30)
    assert second.exitcode == 2
    send(run_dir, "stop")
    until(run_dir, lambda r: r["type"] == "finished")
    assert types(run_dir).count("started") == 1


def test_a_waiting_worker_takes_a_run_from_a_plain_pipe_too(nursery: Any, until: Any) -> None:
    command = [sys.executable, "-P", "-m", "engine.train.worker", "--standby"]
    claimed = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=worker_environment())
    run_dir = nursery.create(DIGITS)
    nobody, end = os.pipe()
    os.close(end)
    with os.fdopen(nobody) as stdin, pytest.MonkeyPatch.context() as patch:
        patch.setattr(standby, "_load", lambda line: None)
        assert wait_for_claim(stdin.fileno()) is None
    assert claimed.stdin is not None
    claimed.stdin.write(f'{{"run_dir": "{run_dir}"}}\n'.encode())
    claimed.stdin.flush()
    finished = until(run_dir, lambda r: r["type"] == "finished")
    assert claimed.wait(30) == 0 and finished["reason"] == "completed"
    assert Path(read(run_dir)[0]["path"]) == run_dir


def test_a_run_that_was_claimed_has_the_bits_of_any_other(
    nursery: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.runs import standby as keeping

    monkeypatch.setattr(keeping, "PATIENCE", 20.0)
    monkeypatch.setattr(keeping, "_code", lambda: ())
    monkeypatch.setenv(keeping.SWITCH, "1")
    kept = keeping.Standby()
    launch.keep(kept)
    try:
        kept.want()
        assert kept._waiting is not None
        waiting, deadline = kept._waiting.process, time.monotonic() + 60
        while not kept.ready:
            assert waiting.poll() is None and time.monotonic() < deadline, "it never got ready"
            time.sleep(0.05)
        run_dir = launch.start_run(nursery.root / "runs", "digits", DIGITS, Options(base="/"))
    finally:
        launch.keep(None)
        kept.close()
    finished = until(run_dir, lambda r: r["type"] == "finished")
    assert waiting.wait(30) == 0 and finished["reason"] == "completed"
    assert read(run_dir)[0]["pid"] == waiting.pid
    assert digest(run_dir) == digest(nursery.train(DIGITS))
    assert (run_dir / "worker.log").read_text() == ""


def test_a_rehearsal_leaves_gpus_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from engine.train.rehearsal import rehearse

    def touched(*_: object) -> None:
        raise AssertionError("a GPU was looked for")

    for name in ("is_available", "device_count", "_lazy_init", "current_device", "mem_get_info"):
        monkeypatch.setattr(torch.cuda, name, touched)
    rehearse()
