"""An open recipe: undo, saving, other programs' changes, and files that cannot be read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.errors import UserError
from engine.recipe.document import Document, load, parse_sets
from engine.recipe.edits import Edit, EditRefused
from engine.recipe.validate import validate

TEXT = "# words\nname: a  # the name\nmodel:\n  layers:\n    - ReLU\n    - {type: Dropout, name: d, p: 0.1}\n"


def document(tmp_path: Path, text: str = TEXT) -> Document:
    path = tmp_path / "a.yaml"
    path.write_bytes(text.encode())
    return Document.open(path)


def test_values_and_places_by_path() -> None:
    found = Document.from_text(TEXT)
    assert found.data["model"]["layers"][0] == "ReLU"
    assert found.get("model.layers.d.p") == 0.1
    assert found.get("model.layers.0.type") == "ReLU"
    assert found.get("model.layers.9") is None
    assert found.get("train.epochs", 20) == 20
    assert found.position("model.layers.d.p") == (6, 35)
    assert found.position("model.layers.0") == (5, 7)
    assert found.position("name") == (2, 7)
    assert found.position("model.init") == (3, 1)
    assert found.position("optimizer.lr") == (1, 1)


def test_a_transaction_is_one_step() -> None:
    found = Document.from_text(TEXT)
    inverse = found.apply([Edit("set", "name", "b"), Edit("unset", "model.layers.0"), Edit("set", "seed", 1)])
    assert (found.version, found.can_undo, found.can_redo) == (1, True, False)
    after = found.text
    assert found.undo() == inverse
    assert found.text == TEXT
    assert found.undo() is None
    redone = found.redo()
    assert redone is not None
    assert [edit.path for edit in redone] == ["name", "model.layers.0", "seed"]
    assert found.text == after
    assert found.redo() is None
    assert found.version == 3


def test_a_refused_transaction_changes_nothing() -> None:
    found = Document.from_text(TEXT)
    with pytest.raises(EditRefused):
        found.apply([Edit("set", "name", "b"), Edit("unset", "nothing")])
    assert (found.text, found.version, found.can_undo) == (TEXT, 0, False)


def test_an_edit_that_changes_nothing_is_no_step() -> None:
    found = Document.from_text(TEXT)
    assert found.apply(Edit("set", "name", "a")) == ()
    assert (found.version, found.can_undo) == (0, False)


def test_a_new_edit_ends_what_could_be_redone() -> None:
    found = Document.from_text(TEXT)
    found.apply(Edit("set", "name", "b"))
    found.undo()
    found.apply(Edit("set", "name", "c"))
    assert not found.can_redo


def test_typing_is_undone_in_one_step_and_told_as_edits() -> None:
    found = Document.from_text(TEXT)
    found.replace_text(TEXT.replace("name: a", "name: b"))
    found.replace_text(TEXT.replace("name: a", "name: bc"), join=True)
    assert found.get("name") == "bc"
    undone = found.undo()
    assert undone is not None
    assert found.text == TEXT
    assert [(edit.path, edit.value) for edit in undone] == [("name", "b"), ("name", "a")]
    assert not found.can_undo


def test_a_broken_text_keeps_what_can_be_read_and_can_be_undone() -> None:
    found = Document.from_text(TEXT)
    found.replace_text("name: b\nmodel: {layers: [\n")
    assert found.get("name") == "b"
    assert found.tree.broken
    with pytest.raises(EditRefused):
        found.apply(Edit("set", "name", "c"))
    found.undo()
    assert not found.tree.broken


def test_dirty_until_saved(tmp_path: Path) -> None:
    found = document(tmp_path)
    assert not found.dirty
    found.apply(Edit("set", "name", "b"))
    assert found.dirty
    found.undo()
    assert not found.dirty
    found.redo()
    found.save()
    assert not found.dirty
    assert (tmp_path / "a.yaml").read_text() == TEXT.replace("name: a", "name: b")
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]


def test_saving_keeps_permissions_and_links(tmp_path: Path) -> None:
    found = document(tmp_path)
    target = tmp_path / "a.yaml"
    target.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to("a.yaml")
    found = Document.open(link)
    found.apply(Edit("set", "name", "b"))
    found.save()
    assert link.is_symlink()
    assert "name: b" in target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_saving_under_another_name(tmp_path: Path) -> None:
    found = Document.from_text(TEXT)
    assert found.dirty
    with pytest.raises(UserError):
        found.save()
    found.save(tmp_path / "new.yaml")
    assert (tmp_path / "new.yaml").read_text() == TEXT
    assert not found.dirty
    with pytest.raises(UserError) as refused:
        found.save(tmp_path / "no" / "where.yaml")
    assert "cannot be written" in refused.value.message


def test_every_byte_of_the_file_is_kept(tmp_path: Path) -> None:
    text = "\ufeff" + TEXT.replace("\n", "\r\n").removesuffix("\r\n")
    found = document(tmp_path, text)
    found.apply(Edit("set", "seed", 3))
    found.undo()
    found.save()
    assert (tmp_path / "a.yaml").read_bytes() == text.encode()


def test_changes_by_another_program(tmp_path: Path) -> None:
    found = document(tmp_path)
    path = tmp_path / "a.yaml"
    assert not found.changed_on_disk()
    path.write_text(TEXT + "seed: 3\n")
    assert found.changed_on_disk()
    found.reload()
    assert (found.get("seed"), found.dirty, found.changed_on_disk()) == (3, False, False)
    found.undo()
    assert (found.text, found.dirty) == (TEXT, True)
    path.unlink()
    assert found.changed_on_disk()
    with pytest.raises(UserError):
        found.reload()
    found.save()
    assert path.read_text() == TEXT


def test_our_own_save_is_no_change_by_another_program(tmp_path: Path) -> None:
    found = document(tmp_path)
    found.apply(Edit("set", "name", "b"))
    found.save()
    assert not found.changed_on_disk()


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "bytes", "large", "empty"])
def test_an_unreadable_file_is_a_problem_at_1_1(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "digits.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "bytes":
        path.write_bytes(b"\xff\xfe")
    elif kind == "large":
        path.write_bytes(b"a" * 300_000)
    elif kind == "empty":
        path.touch()
    found = Document.open(path)
    (problem,) = validate(found.tree)[1]
    assert (problem.line, problem.column, problem.severity) == (1, 1, "error")
    assert found.data == {}


def test_a_missing_file_hints_at_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "digits.yaml").touch()
    (problem,) = Document.open(tmp_path / "digit.yaml").tree.problems
    assert problem.hint == "did you mean digits.yaml?"


@pytest.mark.parametrize("raw", [b"name: \xff\n", b"a" * 300_000])
def test_what_was_not_read_whole_is_not_written_over(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(raw)
    found = Document.open(path)
    with pytest.raises(UserError):
        found.save()
    assert path.read_bytes() == raw
    found.replace_text("name: b\n")
    found.save()
    assert path.read_text() == "name: b\n"


def test_sets_of_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(TEXT)
    sets = [
        "optimizer.lr=1e-3",
        "name = x=y ",
        'data.columns."a=b.c"=ignore',
        "train={epochs: 3}",
        "model.layers.d.p=0.5",
        "loss.type=MSELoss",
    ]
    found = load(path, sets)
    assert found.data == {
        "name": "x=y",
        "model": {"layers": ["ReLU", {"type": "Dropout", "name": "d", "p": 0.5}]},
        "optimizer": {"lr": 1e-3},
        "data": {"columns": {"a=b.c": "ignore"}},
        "train": {"epochs": 3},
        "loss": {"type": "MSELoss"},
    }
    found.undo()
    assert found.text == TEXT


@pytest.mark.parametrize("text", ["optimizer.lr", "=3", "optimizer.lr=", "a..b=1", "a=[1", "a=b: c", '"a=1'])
def test_sets_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_sets([text])
    assert refused.value.message


class UndoMachine(RuleBasedStateMachine):
    """Undo and redo against a plain list of texts."""

    def __init__(self) -> None:
        super().__init__()
        self.document = Document.from_text(TEXT)
        self.texts = [TEXT]
        self.at = 0

    @rule(path=st.sampled_from(["name", "seed", "train.epochs", "model.layers.0.p"]), value=st.integers(0, 9))
    def set(self, path: str, value: Any) -> None:
        try:
            self.document.apply(Edit("set", path, value))
        except EditRefused:
            return
        self.took()

    @rule(index=st.integers(0, 3))
    def insert(self, index: int) -> None:
        try:
            self.document.apply(Edit("insert", f"model.layers.{index}", "GELU"))
        except EditRefused:
            return
        self.took()

    @rule(index=st.integers(0, 5))
    def unset(self, index: int) -> None:
        try:
            self.document.apply(Edit("unset", f"model.layers.{index}"))
        except EditRefused:
            return
        self.took()

    @rule(text=st.sampled_from(["name: z\n", "a: [\n", TEXT]))
    def type(self, text: str) -> None:
        self.document.replace_text(text)
        self.took()

    def took(self) -> None:
        if self.document.text != self.texts[self.at]:
            self.texts = [*self.texts[: self.at + 1], self.document.text]
            self.at += 1

    @precondition(lambda self: not self.document.tree.broken)
    @rule()
    def undo_values(self) -> None:
        before = self.document.data
        undone = self.document.undo()
        if undone is None:
            assert self.at == 0
            return
        self.at -= 1
        after, self_text = self.document.data, self.document.text
        if not self.document.tree.broken:
            self.document.redo()
            replayed = Document.from_text(self.document.text)
            assert replayed.data == before
            replayed.apply(undone)
            assert replayed.data == after
            self.document.undo()
        assert self.document.text == self_text

    @rule()
    def redo(self) -> None:
        if self.document.redo() is None:
            assert self.at == len(self.texts) - 1
        else:
            self.at += 1

    @rule()
    def undo(self) -> None:
        if self.document.undo() is None:
            assert self.at == 0
        else:
            self.at -= 1

    @invariant()
    def shows_the_right_text(self) -> None:
        assert self.document.text == self.texts[self.at]


TestUndo = UndoMachine.TestCase
TestUndo.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
