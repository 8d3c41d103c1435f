"""Every room at three sizes as plain text. GOODFIT_UPDATE_GOLDEN=1 writes the pictures anew: read what changed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.tui.workbench.conftest import FACTS, RECIPE, Open, app_of, press, record_run, text, until
from tui.workbench.facts import Answer

PICTURES = Path(__file__).parents[1] / "snapshots"
COLUMNS = [
    {"name": "bill_length", "type": "number", "missing": 0, "unique": 164},
    {"name": "island", "type": "category", "missing": 3, "unique": 3},
    {"name": "always_one", "type": "number", "missing": 0, "unique": 1, "constant": True},
]
KNOWN = replace(FACTS, class_counts={"train": [125, 130, 122, 128, 126, 127, 124, 125, 122, 128]}, features=COLUMNS)
FULL = RECIPE.replace(
    "train:\n", "scheduler: {type: CosineAnnealingLR, warmup: {epochs: 2}}\ntrain:\n  early_stopping: {patience: 4}\n"
)


async def compare(pilot: Pilot[int], name: str, shown: Callable[[], str]) -> None:
    """The screen comes to look like the picture."""
    file = PICTURES / f"{name}.txt"
    if os.environ.get("GOODFIT_UPDATE_GOLDEN"):
        await pilot.pause(0.7)
        PICTURES.mkdir(exist_ok=True)
        file.write_text(shown() + "\n", encoding="utf-8")
    assert file.exists(), f"no picture {file.name}: run once with GOODFIT_UPDATE_GOLDEN=1"
    wanted = file.read_text(encoding="utf-8").removesuffix("\n")
    for _ in range(200):
        if shown() == wanted:
            break
        await pilot.pause(0.1)
    assert shown() == wanted


def overflowing(pilot) -> list[str]:  # type: ignore[no-untyped-def]
    """Visible widgets that reach beyond the screen or out of the region that holds them."""
    app = app_of(pilot)
    screen = app.screen.region
    found = []
    for name in ("title-bar", "activity-bar", "side-bar", "tab-bar", "editor", "bottom-panel", "status-bar"):
        widget = app.query_one(f"#{name}")
        if widget.display and not screen.contains_region(widget.region):
            found.append(name)
        elif widget.display and widget.region.area == 0:
            found.append(f"{name} has no room")
    room = app.query_one("#side-rooms")
    if room.is_on_screen and room.region.bottom > app.query_one("#status-bar").region.y:
        found.append("the room runs below the status bar")
    for line in text(pilot).splitlines():
        if len(line) > screen.width:
            found.append(line)
    return found


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_rooms(workbench: Open, folder: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(*_: object) -> Answer:
        return Answer(facts=KNOWN)

    monkeypatch.setattr("tui.app.read_facts", read)
    monkeypatch.setattr("tui.app.recipes", lambda: [Path("/goodfit/iris.yaml"), Path("/goodfit/wine.yaml")])
    monkeypatch.setattr("tui.panels.explorer.age", lambda *_: "5m")
    (folder / "digits.yaml").write_text(FULL)
    run = record_run(folder / "runs", 5)

    def shown() -> str:
        words = text(pilot).replace(run.name, "20260101-0900-digits-7f3a")
        words = re.sub(rf"\b{run.name[-4:]}\b", "7f3a", words)
        return re.sub(r"\S+ +0:00$", f"{'100k':<15}0:00", words, flags=re.MULTILINE)

    async with workbench(size=size) as pilot:
        await until(pilot, lambda: "1.8k rows" in text(pilot))
        where = f"{size[0]}x{size[1]}"
        await compare(pilot, f"recipe-{where}", shown)
        for room in ("data", "model", "optimizer", "regularization", "explorer"):
            await press(pilot, "escape", "g", room[0])
            await until(pilot, lambda: room.upper() in text(pilot))  # noqa: B023
            await compare(pilot, f"{room}-{where}", shown)
            assert overflowing(pilot) == []
        pilot.app.do("file.open_run", run)  # type: ignore[attr-defined]
        await until(pilot, lambda: "5/10" in text(pilot))
        await compare(pilot, f"run-{where}", shown)
        await press(pilot, "escape", "j")
        assert ("EVENTS" in text(pilot)) == (size[1] < 28) and overflowing(pilot) == []
