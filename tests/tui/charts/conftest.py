"""Plain-text snapshots: a picture that changes shows up as a readable difference."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Golden = Callable[[str, str], None]


@pytest.fixture
def golden() -> Golden:
    """`golden(name, text)` compares with golden/name.txt; GOODFIT_UPDATE_GOLDEN=1 writes it anew."""
    folder = Path(__file__).parent / "golden"

    def check(name: str, text: str) -> None:
        file = folder / f"{name}.txt"
        if os.environ.get("GOODFIT_UPDATE_GOLDEN"):
            file.write_text(text + "\n", encoding="utf-8")
        assert file.exists(), f"no snapshot {file.name}: run once with GOODFIT_UPDATE_GOLDEN=1"
        assert text + "\n" == file.read_text(encoding="utf-8")

    return check
