from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from engine.runs.storage import refused, replace, write_new


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO, errno.EXDEV])
def test_a_refusal_says_why_where_and_what_to_do(tmp_path: Path, code: int) -> None:
    error = refused(OSError(code, os.strerror(code)), "saving", tmp_path)
    assert error.message.startswith("saving failed: ") and str(tmp_path) in error.message and error.code == code
    assert ("MB free" in error.message) == (code in (errno.ENOSPC, errno.EDQUOT))


def test_a_new_file_is_private_and_never_replaces(tmp_path: Path) -> None:
    write_new(tmp_path / "a", b"one")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "a", b"two")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "link", b"two")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("name", ["write", "fsync", "rename"])
def test_replacing_shows_the_old_file_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "a"
    write_new(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "no")

    with monkeypatch.context() as patch:
        patch.setattr(os, name, refuse)
        with pytest.raises(OSError, match="no"):
            replace(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    replace(path, b"new")
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]
