"""Draw the screenshots in `docs/screenshots/` from the real program: `python scripts/make_screenshots.py`.

The workbench runs on a screen in memory, trains the bundled digits recipe in a real worker, searches with another, and
is drawn as SVG.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from tui.app import Workbench
from tui.options import Options

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "screenshots"
SIZES = {"120x40": (120, 40), "80x24": (80, 24)}


def draw(app: Workbench, name: str) -> None:
    """Write the screen as SVG, without the web fonts that a reader's machine would fetch."""
    svg = app.export_screenshot(title="goodfit")
    # A viewer trims what a text element begins with, unless it is told not to.
    svg = svg.replace("<text ", '<text xml:space="preserve" ')
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas")
    (PICTURES / f"{name}.svg").write_text(re.sub(r"[ \t]+\n", "\n", svg), encoding="utf-8")


async def until(what: str, condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait for the program to come to a state; RuntimeError where it does not."""
    for _ in range(int(seconds * 20)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise RuntimeError(f"waited in vain for {what}")


async def walk(size: str) -> None:
    """One walk through the program at one size."""
    width, height = SIZES[size]
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "digits.yaml"
        # Small batches take longer: time to draw the run while it goes on.
        recipe.write_text((ROOT / "recipes" / "digits.yaml").read_text().replace("batch_size: 32", "batch_size: 4"))
        os.chdir(folder)
        app = Workbench(Options(runs=Path(folder) / "runs"), str(recipe))
        async with app.run_test(size=(width, height)) as pilot:
            await until(
                "the facts", lambda: app.session.active is not None and app.session.active.context.facts is not None
            )
            await pilot.pause()
            draw(app, f"recipe-{size}")
            for letter, room in (("m", "model"), ("d", "data"), ("o", "optimizer"), ("r", "regularization")):
                await pilot.press("escape", "g", letter)
                await pilot.pause(0.5)
                draw(app, f"{room}-{size}")
            if width < 100:
                await pilot.press("b")
            await pilot.press("g", "t", "escape", "t")
            await until("a live run", lambda: app.session.active is not None and app.session.active.kind == "run")
            history = app.session.active.context.run.history  # type: ignore[union-attr]
            await until("twelve epochs", lambda: len(history.epochs) >= 12)
            await pilot.pause(0.5)
            draw(app, f"live-{size}")
            await until("the end", lambda: history.finished is not None)
            await pilot.pause(0.5)
            draw(app, f"finished-{size}")
            await pilot.press(":")
            await pilot.pause(0.3)
            draw(app, f"palette-{size}")


async def search(size: str) -> None:
    """A search of the bundled recipe, each of its charts."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "search_momentum.yaml"
        recipe.write_text((ROOT / "recipes" / "search_momentum.yaml").read_text().replace("trials: 10", "trials: 40"))
        os.chdir(folder)
        app = Workbench(Options(runs=Path(folder) / "runs"), str(recipe))
        async with app.run_test(size=SIZES[size]) as pilot:
            await until(
                "the facts", lambda: app.session.active is not None and app.session.active.context.facts is not None
            )
            await pilot.pause()
            await pilot.press("escape", "g", "s")
            await pilot.pause(0.5)
            draw(app, f"search-room-{size}")
            await pilot.press("escape", "S")
            await until("a search", lambda: app.session.active is not None and app.session.active.kind == "run")
            history = app.session.active.context.run.history  # type: ignore[union-attr]
            await until("the end", lambda: history.finished is not None)
            app.clear_notifications()
            await pilot.press("l")
            for key, name in (("1", "search"), ("2", "search-curves"), ("3", "search-parallel")):
                await pilot.press(key)
                await pilot.pause(0.5)
                draw(app, f"{name}-{size}")


def main() -> None:
    """Draw every picture."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for size in SIZES:
        asyncio.run(walk(size))
        asyncio.run(search(size))
    print(*sorted(path.name for path in PICTURES.glob("*.svg")), sep="\n")


if __name__ == "__main__":
    main()
