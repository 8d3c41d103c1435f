from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UserError
from engine.runs import directory
from engine.runs.directory import count_looks, create, effective_recipe, find, list_runs, run_dirs, runs_root, slug
from engine.runs.journal import Journal
from engine.runs.lock import Lock
from engine.runs.storage import StorageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def make(root: Path, name: str, **launch: Any) -> Path:
    return create(root, name, "train", f"name: {name}\n", launch)


def write(run_dir: Path, *records: dict[str, Any]) -> None:
    with Lock.acquire(run_dir) as lock:
        journal = Journal.open(run_dir, lock)
        for record in records:
            journal.append(record)
        journal.close()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o277])
def test_a_run_is_private_whatever_the_umask(root: Path, umask: int) -> None:
    root.mkdir()
    before = os.umask(umask)
    try:
        run_dir = make(root, "digits")
        write(run_dir, {"type": "x"})
    finally:
        os.umask(before)
    assert stat.S_IMODE(run_dir.stat().st_mode) == 0o700
    for path in run_dir.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_the_name_says_when_and_what(root: Path) -> None:
    run_dir = make(root, "digits")
    assert re.fullmatch(r"\d{8}-\d{4}-digits-[0-9a-f]{4}", run_dir.name)
    assert (run_dir / "recipe.yaml").read_text() == "name: digits\n"
    assert {path.name for path in run_dir.iterdir()} == {"recipe.yaml", "launch.json", "commands", "checkpoints"}


@given(st.text(max_size=80))
def test_any_name_makes_a_plain_folder_name(name: str) -> None:
    made = slug(name)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,39}", made)
    assert slug(made) == made


def test_a_taken_name_is_never_used_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = iter(["aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr(directory.secrets, "token_hex", lambda _: next(words))
    assert [make(root, "digits").name[-4:], make(root, "digits").name[-4:]] == ["aaaa", "bbbb"]


def test_a_folder_made_by_another_process_meanwhile_is_left_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(root, "digits")
    words = iter([first.name[-4:], "cccc"])
    monkeypatch.setattr(directory.secrets, "token_hex", lambda _: next(words))
    monkeypatch.setattr(directory.os, "scandir", lambda _: iter(()))
    monkeypatch.setattr(directory, "datetime", FrozenTime(first.name[:13]))
    assert make(root, "digits").name[-4:] == "cccc"


class FrozenTime:
    def __init__(self, minute: str) -> None:
        from datetime import UTC, datetime

        self._now = datetime.strptime(minute, "%Y%m%d-%H%M").replace(tzinfo=UTC)

    def now(self, _: object) -> Any:
        return self._now


def test_a_folder_that_cannot_be_made_is_a_plain_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="making the run's folder"):
        make(tmp_path / "file" / "runs", "digits")


def test_where_runs_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GOODFIT_RUNS", raising=False)
    assert runs_root() == tmp_path / "runs"
    monkeypatch.setenv("GOODFIT_RUNS", "/data/runs")
    assert runs_root() == Path("/data/runs")
    assert runs_root("mine") == tmp_path / "mine"


def test_a_person_finds_a_run_by_what_they_call_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = iter(["1a2b", "1a3c", "9f00", "4444"])
    monkeypatch.setattr(directory.secrets, "token_hex", lambda _: next(ids))
    first, second, wine = make(root, "digits"), make(root, "digits"), make(root, "red wine")
    child = make(root, "digits", parent={"run": "x", "how": "child", "step": None})
    assert run_dirs(root) == [first, second, wine, child]
    assert find(root, "last") == wine and find(root, "last~2") == first
    assert find(root, "digits") == second and find(root, "digits~1") == first
    assert find(root, "red wine") == wine == find(root, "red-wine")
    assert find(root, "1a2b") == first and find(root, "4444") == child
    assert find(root, "9f") == wine and find(root, "1a3") == second
    assert find(root, wine.name) == wine and find(root, child.name) == child
    assert find(root, "red") == wine
    assert find(root, str(first)) == first
    monkeypatch.chdir(root)
    assert find(Path("/nowhere"), first.name) == first
    for vague, count in (("1a", 2), (first.name[:9], 4)):
        with pytest.raises(UserError, match=f"could be {count} runs") as caught:
            find(root, vague)
        assert first.name in caught.value.hint and second.name in caught.value.hint
    for wrong in ("digits~2", "nothing", "last~9", str(root / "nothing"), "digits~x"):
        with pytest.raises(UserError):
            find(root, wrong)


def test_a_name_that_is_also_an_id_is_ambiguous(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = iter(["beef", "cafe"])
    monkeypatch.setattr(directory.secrets, "token_hex", lambda _: next(ids))
    make(root, "digits")
    make(root, "beef")
    with pytest.raises(UserError, match="could be 2 runs"):
        find(root, "beef")


def test_without_runs_finding_says_so(root: Path) -> None:
    with pytest.raises(UserError, match="no runs"):
        find(root, "last")
    child = make(root, "digits", parent={"run": "x", "how": "child", "step": None})
    with pytest.raises(UserError, match="by a person"):
        find(root, "last")
    assert find(root, "digits") == child  # nothing else is meant: a unique prefix


def test_other_things_in_the_folder_are_passed_over(root: Path) -> None:
    run_dir = make(root, "digits")
    (root / "notes.txt").write_text("")
    (root / "20261122-0915").mkdir()
    assert [info.path for info in list_runs(root)] == [run_dir]


def test_the_effective_recipe_is_the_text_with_its_edits(root: Path) -> None:
    from engine.recipe.edits import Edit, edit_to_json

    text = "# mine\nseed: 1\noptimizer: {type: Adam, lr: 0.1}  # fast\n"
    run_dir = create(root, "digits", "train", text, {})

    def lr(step: int, value: float) -> dict[str, Any]:
        edit = Edit("set", "optimizer.lr", value)
        return {"type": "edited", "step": step, "id": None, "edits": [edit_to_json(edit)]}

    write(run_dir, lr(3, 0.5), lr(7, 0.25), {"type": "resumed", "from_step": 5}, lr(6, 0.125))
    assert effective_recipe(run_dir, 2) == text
    assert effective_recipe(run_dir, 3) == text.replace("0.1", "0.5")
    assert effective_recipe(run_dir, 5) == text.replace("0.1", "0.5")
    assert effective_recipe(run_dir) == text.replace("0.1", "0.125")


def test_looks_at_a_test_set_are_counted_over_all_runs_and_never_superseded(root: Path) -> None:
    one, two, three = make(root, "a"), make(root, "b"), make(root, "c")
    look = {"type": "test_evaluated", "data_sha256": "one", "step": 9}
    write(one, look, {"type": "resumed", "from_step": 0, "pid": 1}, look)
    write(two, look, {**look, "data_sha256": "two"})
    assert (count_looks(root, "one"), count_looks(root, "two"), count_looks(root, "none")) == (3, 1, 0)
    assert not (three / "events.log").exists()


def test_the_launch_file_names_the_run(root: Path) -> None:
    run_dir = make(root, "red wine", base="/data")
    options = json.loads((run_dir / "launch.json").read_text())
    assert (options["name"], options["kind"], options["base"]) == ("red wine", "train", "/data")
