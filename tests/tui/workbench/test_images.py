"""A folder of images, named on the command line or to `new`: a first recipe for it."""

from __future__ import annotations

from pathlib import Path

from engine.data.pixels.folder import holds_classes
from tests.engine.data.pictures import write_classes, write_image
from tests.tui.workbench.test_process import terminal


def test_which_folders_hold_classes(tmp_path: Path) -> None:
    pets = write_classes(tmp_path / "pets", {"cat": 2, "dog": 1})
    assert holds_classes(pets)
    assert not holds_classes(pets / "cat") and not holds_classes(tmp_path / "nowhere")
    for part in ("train", "test"):
        write_classes(tmp_path / "parts" / part, {"cat": 1, "dog": 1})
    assert holds_classes(tmp_path / "parts")
    write_image(tmp_path / "project" / "docs" / "x.png")
    (tmp_path / "project" / "src").mkdir()
    assert not holds_classes(tmp_path / "project")
    (pets / "recipe.yaml").write_text("a run, or a folder of recipes")
    assert not holds_classes(pets)


def test_the_workbench_opens_a_folder_of_images(tmp_path: Path) -> None:
    write_classes(tmp_path / "pets", {"cat": 30, "dog": 30})
    with terminal(tmp_path, "pets", NO_COLOR="1") as screen:
        screen.until_text("type: ImageFolder")
        screen.type(b"gd")
        screen.until_text("42 train, 9 val, 9 test")
        screen.type(b"\x11")
