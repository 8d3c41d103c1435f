"""The page about the parts is what their declarations say."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date() -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "make_docs.py"))["page"]()
    assert (ROOT / "docs" / "parts.md").read_text(encoding="utf-8") == made, "run python scripts/make_docs.py"
