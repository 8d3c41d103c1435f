"""Output and Events: lines laid out to the width, nothing cut, the end followed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult

from tui.workbench.log import Log, fold
from tui.workbench.theme import DARK

WORDS = st.lists(st.text("ab字é", min_size=1, max_size=30), min_size=1, max_size=12)


@given(WORDS, st.integers(12, 60), st.integers(0, 10))
def test_every_word_is_kept_and_no_row_is_too_wide(words: list[str], width: int, indent: int) -> None:
    rows = fold("  ".join(words), width, min(indent, width // 3))
    assert all(cell_len(text) <= width for text, _ in rows)
    assert "".join(text for text, _ in rows).replace(" ", "") == "".join(words)
    assert [more for _, more in rows] == [False] + [True] * (len(rows) - 1)


class LogApp(App[None]):
    def on_load(self) -> None:
        self.register_theme(DARK)
        self.theme = DARK.name

    def compose(self) -> ComposeResult:
        yield Log("nothing yet")


async def test_the_end_is_followed_until_somebody_reads_further_up() -> None:
    app = LogApp()
    async with app.run_test(size=(30, 5)) as pilot:
        log = app.query_one(Log)
        await pilot.pause()
        assert "nothing yet" in log.plain()
        log.extend(f"line {number}" for number in range(20))
        log.focus()
        await pilot.pause(0.6)
        assert "line 19" in log.plain() and "line 14" not in log.plain()
        await pilot.press("up", "up", "up")
        log.extend(["line 20"])
        await pilot.pause(0.6)
        assert log.plain().splitlines()[-1].startswith("line 16")
        await pilot.press("end")
        assert log.plain().splitlines()[-1].startswith("line 20")
        await pilot.press("home")
        assert log.plain().startswith("line 0")
